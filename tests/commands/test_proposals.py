"""``policy proposals`` and ``policy apply``: a person takes a change of the policy, or leaves it (runbook §11)."""

from shell import shell_of
from world import World

from activities.governance.kept_proposals import KeptProposals
from adapters.store.local_store import LocalStore
from tests.policies.test_proposals import NEW, UP, of_source, threshold


def test_a_person_takes_a_proposal(world: World) -> None:
    """Seen with its reasons and its patch; made with one command, once; comments and mode stay."""
    shell, file = shell_of(world), world.settings.policies / "autopilot.toml"
    assert "nothing is proposed" in shell.type("policy", "proposals").err
    kept = KeptProposals(LocalStore(world.settings.artifacts))
    kept.keep(threshold("caps", "open_pull_requests", 5, 4, proposal_id="a-step", measured=("17 a week",)))
    before = file.read_text()
    file.chmod(0o640)
    shown = shell.type("policy", "proposals").out
    for said in ("a-step: Lowers caps.open_pull_requests from 5 to 4. Numbers.", "17 a week.", "+open_pull_requests ="):
        assert said in shown
    (found,) = shell.type("policy", "proposals", "--json").json["proposals"]
    assert ("a-step", False, "") == (found["proposal"]["proposalId"], found["done"], found["problem"])
    assert "caps.open_pull_requests" in shell.type("policy", "apply", "a-step").out
    assert before.replace("open_pull_requests = 5", "open_pull_requests = 4") == file.read_text() != before
    assert 0o640 == file.stat().st_mode & 0o777
    assert "says so already" in shell.type("policy", "apply", "a-step").out
    assert "It is in the policy folder." in shell.type("policy", "proposals").out


def test_what_does_not_fit_is_refused_in_words(world: World) -> None:
    """Unknown, or another value by now: the folder stays as it is. A first source begins its file."""
    shell, folder = shell_of(world), world.settings.policies
    kept = KeptProposals(LocalStore(world.settings.artifacts))
    kept.keep(threshold("caps", "open_pull_requests", 7, 6, proposal_id="late"))
    switch = "starter.py sources disable lib rivers"
    kept.keep(of_source(UP, adds=NEW, proposal_id="new", off_switch=switch))
    before = {path.name: path.read_bytes() for path in folder.glob("*.toml")}
    unknown, late = shell.type("policy", "apply", "what"), shell.type("policy", "apply", "late")
    assert (2, 11) == (unknown.status, late.status)
    assert "see: starter.py policy proposals" in unknown.err
    assert "caps.open_pull_requests is 5, not 7, by now" in late.err
    shown = shell.type("policy", "proposals").out
    for said in ("It cannot be applied: caps.open_pull_requests is 5", "Adds the source rivers", f"switch: {switch}."):
        assert said in shown
    assert before == {path.name: path.read_bytes() for path in folder.glob("*.toml")}
    assert 2 == shell.type("policy", "withdraw", "what", "--reason", "no").status
    assert 0 == shell.type("policy", "withdraw", "late", "--reason", "nobody is swamped").status
    assert ["new"] == [
        each["proposal"]["proposalId"] for each in shell.type("policy", "proposals", "--json").json["proposals"]
    ]
    assert 0 == shell.type("policy", "apply", "new").status
    assert NEW.strip() == (folder / "sources.toml").read_text().strip()

"""The policy under git (runbook §11): a governance proposal becomes a pull request that a person merges."""

from pathlib import Path

from world import World, git

from activities.governance.kept_proposals import KeptProposals
from adapters.store.local_store import LocalStore
from contracts.modes import RunStatus
from contracts.proposal import PROPOSALS
from contracts.release import OtherDecision, WhatIf
from policies.governance.proposals import propose
from policies.settings.sources import SourcePolicy
from tests.policies.test_governance import review
from tests.policies.test_proposals import BREAKING, threshold
from tests.policies.test_source_trials import ENTRY, KEPT, REF, promoted, written

CHECK = """
[environment]
build = false
[policy_folder]
path = "ops/policies"
[[checks]]
name = "toml"
kind = "schema"
argv = ["python", "-c", "import tomllib; tomllib.load(open('ops/policies/autopilot.toml', 'rb'))"]
"""
TEXT = (Path(__file__).parents[2] / "policies" / "autopilot.toml").read_text()
WHAT_IF = WhatIf(
    decisions=312,
    others=(
        OtherDecision(
            run_id="lib-20261102-0700",
            target="lib",
            decided="CANARY_ALLOWED",
            would_be="REQUIRES_HUMAN_REVIEW",
            because="72 lines; at most 60",
            became="rolled back",
        ),
    ),
)


async def test_a_proposal_ends_as_a_pull_request(world: World) -> None:
    """One idea each, to the letter, whatever else is proposed; never merged by itself; done when it is on the base."""
    files = {"ops/policies/autopilot.toml": TEXT, "ops/policies/sources.toml": written(KEPT)}
    files["ops/policies/catalogue.toml"] = written(ENTRY)
    world.add_target("ops", files | {"README.md": "# Ops\n"}, CHECK)
    kept = KeptProposals(LocalStore(world.settings.artifacts))
    found = propose(review(*BREAKING), TEXT, ())
    assert not isinstance(found, str)
    kept.keep(found.model_copy(update={"what_if": WHAT_IF}))
    kept.keep(threshold("caps", "open_pull_requests", 9, 8, proposal_id="2026-W44-caps.open_pull_requests"))
    async with world.worker():
        run = await world.run("ops")
        assert RunStatus.PR_OPENED is run.status, run.reason
        assert "policy_tuning" == world.artifact(run.run_id, "task_contract.json")["type"]
        (pull,) = world.pulls("ops")
        assert "Lower auto_merge.lines from 80 to 60 in `autopilot.toml`" == pull["title"]
        diff = git("diff", "-U0", f"main...{pull['headSha']}", cwd=world.root / "ops.git")
        assert ["-lines = 80", "+lines = 60"] == [
            line.split("  #")[0] for line in diff.splitlines() if line[0] in "+-" and line[:3] not in {"+++", "---"}
        ]
        for said in (
            "Merges break the base too often",
            "Post-merge regressions: 50 % (20 of 40)",
            "Of 312 past release decisions it would have changed 1: lib-20261102",
        ):
            assert said in pull["body"], pull["body"]
        stale = [one for one in world.artifact(run.run_id, "state_snapshot.json")["findings"] if not one["fixable"]]
        assert ["2026-W44-caps.open_pull_requests: caps.open_pull_requests is 5, not 9, by now"] == [
            one["message"] for one in stale
        ]
        git("push", "--quiet", ".", f"{pull['branch']}:refs/heads/main", cwd=world.root / "ops.git")
        again = await world.run("ops", again=True)
        assert RunStatus.NOTHING_TO_DO is again.status, again.reason
        await _an_edit_between_trial_and_merge(world, kept)
        # P13: what is left of them is not taken for all, and the day's work goes on.
        kept.store.put(PROPOSALS, "damaged.json", b"{")
        blind = await world.run("ops", again=True)
        assert RunStatus.NOTHING_TO_DO is blind.status, blind.reason
        (missing,) = world.artifact(blind.run_id, "state_snapshot.json")["missing"]
        assert "policy: a proposal is damaged: damaged.json cannot be read" in missing


async def _an_edit_between_trial_and_merge(world: World, kept: KeptProposals) -> None:
    """What was not tried is not merged by a click: the open pull request of a promotion is closed, with the reason."""
    kept.keep(promoted(SourcePolicy.model_validate(ENTRY), origin="catalogue.toml"))
    opened = await world.run("ops", again=True)
    assert RunStatus.PR_OPENED is opened.status, opened.reason
    contract = world.artifact(opened.run_id, "task_contract.json")
    stated = contract["promotion"]
    assert ("source_promotion", "kept", REF.sha256) == (
        contract["type"],
        stated["fallback"],
        stated["trialReport"]["sha256"],
    )
    assert "no answer breached: coverage at least 0.5" in stated["thresholdsPassed"]
    tree = world.root / "ops-edit"
    git("clone", "--quiet", str(world.root / "ops.git"), str(tree), cwd=world.root)
    file = tree / "ops/policies/catalogue.toml"
    file.write_text(file.read_text().replace("https://feast.example/", "https://elsewhere.example/"))
    git("commit", "--quiet", "-am", "Another address", cwd=tree)
    git("push", "--quiet", "origin", "HEAD:main", cwd=tree)
    late = await world.run("ops", again=True)
    assert RunStatus.NOTHING_TO_DO is late.status, late.reason
    pull = world.pulls("ops")[-1]
    assert "closed" == pull["state"]
    said = "feast of catalogue.toml, or what it is compared with, was changed after its trial; try it as it is now"
    assert said in pull["body"].rpartition("Closed by us")[2], pull["body"]

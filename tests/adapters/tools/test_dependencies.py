"""Dependencies: looked up once, made twice, judged whole; nothing is taken on a registry's or a command's word."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.environments.online import HostsReached
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.sandbox.interpreter import interpreter_mounts
from adapters.tools.dependencies import DependenciesTool
from adapters.tools.inside.registries import answered
from adapters.tools.locks import REQUIREMENTS
from adapters.tools.measures import ToolMeasures
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import INSIDE, ToolRefused, ToolUnavailable
from contracts.dependency import DependencyLook, DependencyUpdate
from contracts.modes import Role
from contracts.task import Candidate, CandidateTasks, TaskContract
from contracts.verdict import Decision
from policies.settings.environment import DependencyPolicy, EnvironmentPolicy
from policies.settings.schema import ProtectedRule
from policies.task.candidates import rank, with_reported
from policies.task.idea_memory import Memory
from policies.task.planning import judge_contract, make_contract
from policies.task.task_words import task_title
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.measures import Detection, Look
from ports.sandbox import CommandResult
from tests.adapters.tools.conftest import Repo, run_ref
from tests.adapters.tools.scripted_registry import Registry, Release

OLD = Release(400)
LEAK = {"id": "GHSA-1", "aliases": ["CVE-2026-1"], "description": "A leak"}
MEMORY = Memory(today=run_ref().started_at.date())


@dataclass
class Locked(Repo):
    """A repository with a lock file, and what its run recorded."""

    recorded: dict[str, bytes] | None = None

    def look(self) -> Detection:
        look = Look(self.tree, self.policy, lambda: None, recorded=self.recorded or {}, environment=self.environment)
        seen = self.measures.detect(look)
        if self.recorded is None:
            self.recorded = {f"lookups/{name}": body for name, body in seen.lookups.items()}
        return seen

    @property
    def looked_up(self) -> DependencyLook:
        self.look()
        assert self.recorded
        return DependencyLook.model_validate_json(self.recorded["lookups/dependencies"])

    @property
    def update(self) -> DependencyUpdate:
        [update] = self.looked_up.updates
        return update

    def ranked(self) -> list[Candidate]:
        return list(rank(self.look().findings, self.policy, MEMORY).candidates)

    def planned(self) -> TaskContract:
        return make_contract(self.ranked()[0], self.policy, "run")

    def brief(self, role: Role, **more: object):
        return super().brief(role, recorded=self.recorded or {}, **more)


@dataclass
class Here:
    """``Online`` without a sandbox, for what is none of the sandbox's business: programs of ours in a copy."""

    env: Path

    def __call__(self, argv, tree, limits, alive, *, shown=(), expected=(0,)) -> CommandResult:
        places = {inside: outside for outside, inside in shown}
        if f"{INSIDE}/registries.py" in argv:
            said = json.dumps(answered(json.loads(places[argv[-1]].read_text()))).encode()
            return CommandResult(0, "", 0, said, len(said), said)
        words = (str(self.env / "bin" / argv[0]), *argv[1:])
        variables = {"TEST_ENV": str(self.env), "PATH": os.environ["PATH"]}
        try:
            done = subprocess.run(words, cwd=tree, env=variables, capture_output=True, check=False)
        except FileNotFoundError as missing:
            raise EnvironmentUnavailable(f"could not start {argv[0]}") from missing
        if done.returncode not in expected:
            raise EnvironmentUnavailable(f"`{' '.join(argv)}` failed: {done.stderr.decode()}")
        return CommandResult(done.returncode, "", 0, done.stdout, len(done.stdout), done.stdout)


@pytest.fixture
def locked(repo, tmp_path):
    """A repository with ``uv.lock``, programs that do as they are told, and a registry."""

    def make(registry, lock, made, known=None, *, boxed=False, files=None, **chosen) -> Locked:
        env = tmp_path / "env"
        registry.programs(env, made, known)
        plain = repo({"uv.lock": lock, "a.txt": "as it is\n"} | (files or {}))
        hosts = EnvironmentPolicy(prepare=(("true",),), keyed_by=("/uv.lock",), hosts=(registry.host,))
        protected = ProtectedRule(patterns=("*.lock",), reason="lock files", unless=("dependency_update",))
        dependencies = DependencyPolicy(lock_files=("uv.lock",), **chosen)
        target = plain.policy.target.model_copy(
            update={"dependencies": dependencies, "environment": hosts, "allowed_paths": ("/src/**",)}
        )
        guarded = plain.policy.protected_paths.model_copy(update={"protected": (protected,)})
        policy = plain.policy.model_copy(update={"target": target, "protected_paths": guarded})
        environment = CheckEnvironment(
            digest="", path=env, guest="/env", environment={"PATH": "/env/bin:/usr/bin:/bin"},
            read_only=interpreter_mounts(Path(sys.executable).resolve()), reserves_memory=True,
        )  # fmt: skip
        sandbox = BubblewrapSandbox()
        online = HostsReached(sandbox, hosts, environment, tmp_path / "scratch") if boxed else Here(env)
        measures = ToolMeasures(sandbox, (DependenciesTool(),))
        return Locked(plain.backend, plain.base, plain.tree, policy, measures, replace(environment, online=online))

    return make


@pytest.fixture
def registry():
    releases = {"1.0": OLD, "1.1": Release(30), "1.2": Release(2), "1.3rc1": Release(20)}
    releases["1.1.5"] = Release(9, yanked=True)
    with Registry({"leaky": releases, "other": {"1.0": Release(400), "1.1": Release(300)}}) as served:
        yield served


def among(*candidates) -> CandidateTasks:
    return CandidateTasks(run_id="run", base_sha="a" * 40, candidates=candidates)


def one(registry, **more) -> dict[str, dict[str, str]]:
    """What uv makes where it is asked for leaky 1.1."""
    return {"leaky==1.1": {"uv.lock": registry.lock(leaky="1.1")} | more}


def test_a_release_that_is_old_enough_is_looked_up_made_and_gone(registry, locked):
    """In the sandbox, by the list of hosts: asked once, made again by Coding and by Review, then nothing is left.

    Never a prerelease, one that was taken back, or one too young.
    """
    made = locked(registry, registry.lock(leaky="1.0"), one(registry), {}, boxed=True)
    contract = made.planned()
    assert "Update leaky from 1.0 to 1.1 in `uv.lock`" == contract.title
    assert (("uv.lock",), "dependency_update") == (contract.scope.allowed_paths, contract.type)
    told = contract.words.more
    assert {"Licence: MIT before, MIT after.", "“* Mends a leak”"} <= set(told)
    assert registry.host.encode() in b"".join(made.environment.asked)
    asked = len(registry.asked)
    made.code(contract)
    assert ({"uv.lock"}, ()) == (made.changed(), made.look().findings)
    assert made.review(contract).approve
    assert asked == len(registry.asked)
    made.write("uv.lock", registry.lock(leaky="1.1") + "# by hand\n")
    assert not made.review(contract).approve


def test_its_contract_needs_no_person_before_the_run_and_reaches_nothing_else(registry, locked):
    """The table is the owner's yes; the type opens no other file, and no other type opens that one."""
    made = locked(registry, registry.lock(leaky="1.0"), one(registry))
    [candidate] = made.ranked()
    contract = make_contract(candidate, made.policy, "run")
    found = among(candidate)
    assert Decision.ALLOW is judge_contract(contract, made.policy, found).decision
    for more in ({"allowed_paths": ("a.txt",)}, {"allowed_paths": ("poetry.lock",)}):
        other = contract.model_copy(update={"scope": contract.scope.model_copy(update=more)})
        widened = candidate.model_copy(update={"paths": more["allowed_paths"]})
        assert Decision.DENY is judge_contract(other, made.policy, among(widened)).decision
    finding = made.look().findings[0]
    usual = finding.model_copy(update={"facts": finding.facts.model_copy(update={"type": "code_improvement"})})
    assert ((), ()) == rank((usual,), made.policy, MEMORY)


def test_what_is_insecure_comes_first_and_need_not_be_old(registry, locked):
    """Audited again on what was made: the older release that ends nothing is passed over."""
    lock = registry.lock(leaky="1.0", other="1.0")
    made = {
        "leaky==1.1": {"uv.lock": registry.lock(leaky="1.1", other="1.0")},
        "leaky==1.2": {"uv.lock": registry.lock(leaky="1.2", other="1.0")},
        "other==1.1": {"uv.lock": registry.lock(leaky="1.0", other="1.1")},
    }
    known = {"leaky==1.0": [LEAK], "leaky==1.1": [LEAK]}
    best, other = locked(registry, lock, made, known).ranked()
    assert ["uv.lock/leaky", "uv.lock/other"] == [best.rule, other.rule]
    assert "Update leaky from 1.0 to 1.2 in `uv.lock`" == best.title
    assert "CVE-2026-1 ended by it" in best.words.why


def test_no_link_of_the_repository_leads_out_where_a_look_writes(registry, locked, tmp_path):
    """What the audit is shown is written beside the lock file, where the repository has a link to a file of ours."""
    ours = tmp_path / "ours"
    ours.write_text("ours\n")
    seen = locked(registry, registry.lock(leaky="1.0"), one(registry), {"leaky==1.0": [LEAK]})
    (seen.tree / REQUIREMENTS).symlink_to(ours)
    assert "uv.lock/leaky" in {each.rule for each in seen.look().findings}
    assert "ours\n" == ours.read_text()


def test_one_that_no_release_ends_is_a_persons(registry, locked):
    """Said with what is known of it."""
    known = {f"leaky=={version}": [LEAK] for version in ("1.0", "1.1", "1.2")}
    made = {f"leaky=={each}": {"uv.lock": registry.lock(leaky=each)} for each in ("1.1", "1.2")}
    seen = locked(registry, registry.lock(leaky="1.0"), made, known)
    assert ("1.2 ends none of CVE-2026-1", []) == (seen.update.refused, seen.ranked())
    [listed] = with_reported(among(), seen.look().findings, seen.policy).candidates
    assert listed.needs_person
    assert "CVE-2026-1: A leak" in listed.words.why


OLD = Release(400)


def test_one_that_was_taken_back_is_left(registry, locked):
    """Yanked since it was locked: that comes before what is merely old, and is the reason."""
    registry.packages["leaky"]["1.0"] = Release(400, yanked=True)
    [best] = locked(registry, registry.lock(leaky="1.0"), one(registry), {}).ranked()
    assert "leaky 1.0 was taken back by who published it." == best.words.why


def test_what_came_along_is_brought_on_where_it_is_insecure(registry, locked):
    """What the project does not ask for itself is left alone otherwise."""
    registry.packages["along_"] = {"1.0": OLD, "1.1": Release(30)}
    lock = registry.lock(leaky="1.1", along_="1.0")
    made = {"along_==1.1": {"uv.lock": registry.lock(leaky="1.1", along_="1.1")}}
    seen = locked(registry, lock, made, {})
    assert () == seen.looked_up.updates
    assert ["/simple/leaky/"] == registry.asked
    registry.programs(seen.environment.path, made, {"along_==1.0": [LEAK]})
    seen.recorded = None
    assert ("along_", "1.1", ("CVE-2026-1",)) == (seen.update.package, seen.update.after, seen.update.fixed)


REFUSED = [
    ({"leaky": {"1.0": OLD, "2.0": Release(30)}}, {}, "2.0 is a major release"),
    (
        {"leaky": {"1.0": OLD, "1.1": Release(30, "BUSL-1.1")}},
        {},
        "licence of leaky changes: MIT before, BUSL-1.1 after",
    ),
    ({"leaky": {"1.0": OLD, "1.1": Release(30, other_bytes=True)}}, {}, "the registry gives other bytes than the lock"),
    ({}, {"uv.lock": "NOW"}, "made something else the second time"),
    ({}, {"a.txt": "changed"}, "it changes a.txt, which no update of this lock file may"),
    ({}, {"new.txt": "new"}, "it changes new.txt"),
    ({}, {"a.txt": "GONE"}, "it removes a.txt"),
    ({}, {"uv.lock": "{"}, "it cannot be read: TOMLDecodeError"),
    ({}, None, "no solution for leaky==1.1"),
]


@pytest.mark.parametrize(("packages", "makes", "says"), REFUSED, ids=[says[:30] for *_, says in REFUSED])
def test_what_no_run_takes_is_said_to_a_person(registry, locked, packages, makes, says):
    """Majors, licences, bytes, and commands that do something else."""
    registry.packages |= packages
    made = {} if makes is None else {"leaky==1.1": {"uv.lock": _lock(registry, "1.1")} | makes}
    seen = locked(registry, registry.lock(leaky="1.0"), made, {})
    assert says in seen.update.refused
    [finding] = seen.look().findings
    assert (False, True, []) == (finding.fixable, finding.facts.for_person, seen.ranked())


def test_a_lock_file_that_another_version_of_the_program_wrote_is_left(registry, locked):
    """Its updates would be right, and nobody wants to read what is written otherwise around them."""
    made = {"leaky==1.1": {"uv.lock": "revision = 3\n" + registry.lock(leaky="1.1")}}
    seen = locked(registry, "revision = 2\n" + registry.lock(leaky="1.0"), made, {})
    assert "uv writes anew what this update leaves alone (revision)" in seen.update.refused
    [finding] = seen.look().findings
    twice = [finding, finding.model_copy(update={"words": None})]
    assert "Look into 2 versions of leaky in `uv.lock`" == task_title(
        finding.tool, finding.rule, twice, (finding.path,)
    )


def _lock(registry, version):
    return registry.lock(leaky=version) if version in registry.packages["leaky"] else ""


ALONG = [
    ("1.1", "which is too young"),
    ("1.2", "brings along_ 1.2, which was taken back"),
    ("1.3", "licence of along_ changes: MIT before, GPL after"),
    ("1.5b1", "cannot be compared as final releases"),
    ("2.0", "takes along_ from 1.0 to 2.0, a major step"),
    ("0.9", "takes along_ back from 1.0 to 0.9"),
    ("1.4", ""),
]


@pytest.mark.parametrize(("version", "says"), ALONG)
def test_what_is_taken_along_is_judged_as_well(registry, locked, version, says):
    """Every package that the lock file has otherwise afterwards."""
    registry.packages["along_"] = {
        "1.0": Release(400), "1.1": Release(1), "1.2": Release(50, yanked=True), "1.3": Release(50, licence="GPL"),
        "1.4": Release(50), "2.0": Release(50), "0.9": Release(50), "1.5b1": Release(50),
    }  # fmt: skip
    after = {"leaky==1.1": {"uv.lock": registry.lock(leaky="1.1", along_=version)}}
    seen = locked(registry, registry.lock(leaky="1.0", along_="1.0"), after, {})
    assert says in seen.update.refused
    assert bool(says) == bool(seen.update.refused)
    if not says:
        assert "Along with it: along_ 1.0 → 1.4." in seen.planned().words.more


def blind(seen: Locked) -> dict[str, str]:
    return {each.path: each.reason for each in seen.look().unread}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((429, b""), "the registry limits the rate"),
        ((503, b""), "the registry answers 503"),
        ((404, b""), "it is not there"),
        ((200, b"<html>"), "the registry's answer cannot be read"),
        ((200, b'{"files": [{"no": "name"}]}'), "the registry's answer is not what one says"),
        ((200, b"[" * 100_000), "the registry's answer cannot be read"),
        ((200, b" " * (49 << 20)), "the answer is larger than 48 MiB"),
    ],
    ids=["429", "503", "gone", "html", "odd", "deep", "huge"],
)
def test_a_registry_that_does_not_answer_was_not_looked_at(registry, locked, answer, says):
    """Said of that package; what another package's answer yields stays."""
    registry.answers["/simple/leaky/"] = answer
    after = {"other==1.1": {"uv.lock": registry.lock(leaky="1.0", other="1.1")}}
    seen = locked(registry, registry.lock(leaky="1.0", other="1.0"), after, {})
    assert says in blind(seen)["releases of leaky (uv.lock)"]
    assert ["uv.lock/other"] == [each.rule for each in seen.ranked()]
    assert 0.9 < seen.look().completeness < 1


def test_a_registry_that_is_down_finds_nothing_and_says_so(registry, locked):
    """Neither a finding nor an empty look."""
    with Registry(registry.packages) as gone:
        lock = gone.lock(leaky="1.0")
    seen = locked(registry, lock, {}, {})
    assert "the registry cannot be reached" in blind(seen)["releases of leaky (uv.lock)"]
    assert () == seen.look().findings


@pytest.mark.parametrize(
    ("audit", "says"),
    [
        (None, "pip-audit is not there: let `prepare` install it"),
        ("import sys; sys.exit(2)", "pip-audit"),
        ("print('no json')", "cannot be read"),
        ('print(\'{"dependencies": [{"name": "leaky", "skip_reason": "not found"}]}\')', "it left out leaky"),
    ],
    ids=["missing", "fails", "babbles", "skips"],
)
def test_vulnerabilities_that_could_not_be_looked_up_are_never_none(registry, locked, audit, says):
    """The rest of the look stands; every pull request of the run says it first."""
    seen = locked(registry, registry.lock(leaky="1.0"), one(registry), {} if audit else None)
    if audit:
        (seen.environment.path / "bin/pip-audit").write_text(f"#!{sys.executable}\n{audit}\n")
    assert says in blind(seen)["known vulnerabilities of uv.lock"]
    assert ["uv.lock/leaky"] == [each.rule for each in seen.ranked()]


def test_a_lock_file_that_contradicts_its_manifest_is_left_alone(registry, locked):
    """What the lock command alone would change is none of an update."""
    made = one(registry) | {"alone": {"uv.lock": registry.lock(leaky="1.1")}}
    seen = locked(registry, registry.lock(leaky="1.0"), made)
    assert "contradicts its manifest: `uv lock --no-python-downloads` alone changes uv.lock" in seen.update.refused
    assert [] == seen.ranked()


@pytest.mark.parametrize("lock", ["{", "version = 1", "[[package]]\nname = 1\n"])
def test_a_lock_file_that_cannot_be_read_was_not_looked_at(registry, locked, lock):
    """Nor is its registry asked."""
    assert "it cannot be read" in blind(locked(registry, lock, {}))["uv.lock itself"]
    assert [] == registry.asked


def test_what_it_makes_later_has_to_be_what_it_made_when_it_was_looked_up(registry, locked):
    """Another answer in Coding or Review is refused; a run that looked nothing up updates nothing."""
    seen = locked(registry, registry.lock(leaky="1.0"), one(registry), {})
    contract = seen.planned()
    registry.programs(seen.environment.path, {"leaky==1.1": {"uv.lock": registry.lock(leaky="1.2")}}, {})
    tool, tree = DependenciesTool(), SourceTree(seen.tree)
    bench = seen.measures._runner(Look(seen.tree, seen.policy, lambda: None, None, seen.recorded, seen.environment))
    with pytest.raises(ToolRefused, match="makes something else now than before"):
        tool.fix(tree, contract, seen.policy, bench)
    with pytest.raises(ToolUnavailable, match="this run has looked up no such update"):
        tool.fix(tree, contract, seen.policy, replace(bench, recorded={}))
    assert set() == seen.changed()


def test_more_than_a_look_tries_take_turns(registry, locked):
    """The rest is named, and is none of today's findings."""
    names = [f"p{number}" for number in range(7)]
    registry.packages = {name: {"1.0": Release(400), "1.1": Release(30)} for name in names}
    seen = locked(registry, registry.lock(**dict.fromkeys(names, "1.0")), {}, {})
    assert (5, 2) == (len(seen.looked_up.updates), len(seen.looked_up.waiting))


def test_what_there_is_no_time_for_waits(registry, locked, monkeypatch):
    """A slow registry keeps Sensing from nothing else."""
    monkeypatch.setattr("adapters.tools.dependency_look._SECONDS", 0.0)
    seen = locked(registry, registry.lock(leaky="1.0"), one(registry), {})
    assert ((), ("leaky (uv.lock)",)) == (seen.looked_up.updates, seen.looked_up.waiting)


def test_the_commands_of_one_look_share_a_cache_that_goes_away(registry, locked, tmp_path):
    """What one fetched the next need not; nothing is left of it."""
    made = locked(registry, registry.lock(leaky="1.0"), {}, boxed=True)
    online, limits = made.environment.online, made.measures._runner(Look(made.tree, made.policy, lambda: None)).limits
    online(("sh", "-c", "echo kept > /cache/x"), made.tree, limits, lambda: None)
    assert b"kept\n" == online(("cat", "/cache/x"), made.tree, limits, lambda: None).stdout
    with pytest.raises(EnvironmentUnavailable, match=r"was stopped \(timeout\).*it had 1 s: see `sandbox.seconds`"):
        online(("sleep", "9"), made.tree, replace(limits, seconds=1), lambda: None)
    made.environment = online = None
    gc.collect()
    assert [] == list((tmp_path / "scratch").iterdir())


def test_without_the_table_or_switched_off_it_has_no_part(repo, registry, locked):
    """And without its environment it could not look."""
    seen = locked(registry, registry.lock(leaky="1.0"), {}, {}, on=False)
    assert 0 == seen.look().tools
    seen = replace(seen, environment=None, recorded=None)
    on = seen.policy.target.model_copy(update={"dependencies": DependencyPolicy(lock_files=("uv.lock",))})
    seen.policy = seen.policy.model_copy(update={"target": on})
    assert "could not be made" in seen.look().missing[0]


def test_a_lock_file_without_addresses_is_looked_up_among_the_hosts():
    """As poetry and pdm write it: the archive is the one with the lock file's digest, or there is none."""
    with Registry({"leaky": {"1.0": OLD, "1.1": Release(9)}}) as registry, Registry({}) as other:
        digest = f"sha256:{hashlib.sha256(registry.archive('leaky', '1.0')).hexdigest()}"
        package = {"name": "Leaky", "version": "1.0", "registry": "", "url": "", "digest": digest}
        asked = {"kind": "uv", "hosts": [other.host, registry.host], "seconds": 60, "packages": [package]}
        found = answered({**asked, "ask": "releases"})["Leaky 1.0"]["releases"]
        assert ["1.0", "1.1"] == [version for version, _, _ in found]
        assert answered({**asked, "ask": "about"})["Leaky 1.0"]["licence"] == OLD.licence
        for wrong in ({"hosts": [other.host]}, {"packages": [package | {"digest": "sha256:00"}], "ask": "about"}):
            said = answered({**asked, "ask": "releases"} | wrong)["Leaky 1.0"]["problem"]
            assert "none of `environment.hosts` has it" in said or "no file of it with the lock file's digest" in said

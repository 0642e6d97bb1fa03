"""``init``: any repository, nothing of it executed outside the sandbox, nothing of the operator's overwritten."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from shell import Shell
from world import PACKAGE, git

from adapters.policy_files import PolicyFiles
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.survey.surveyor import survey
from commands.furnishing import Furnishing
from commands.init import fill_empty
from commands.introduction import Going, Trial, advises, agreed, never
from contracts.evidence import CheckAttempt, CheckResult, CheckStatus
from policies.settings.environment import FixerPolicy
from policies.settings.schema import EffectivePolicy, EnvironmentPolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.sandbox import SandboxUnavailable
from settings import SHIPPED_POLICIES
from tests.adapters.test_languages import Tree
from tests.adapters.test_python_locks import Machine
from tests.policies.sample_policy import policy


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    """A repository as a person has it."""
    folder = tmp_path / "Some Project"
    for path, body in (PACKAGE | {"setup.py": "open('/tmp/executed-on-the-host', 'w')\n"}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(str(body))
    git("init", "--quiet", "--initial-branch=trunk", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=First", cwd=folder)
    return folder


def test_a_work_tree_becomes_a_target_that_loads(nobody_there: Shell, policies: Path, work_tree: Path):
    """Base branch from HEAD, name from the folder, checks that were green; the loader takes the file as it is.

    An empty policy folder is filled with the shipped files: a line and the JSON name what came from us; nothing of it
    is written a second time.
    """
    shutil.rmtree(policies)
    done = nobody_there.type("init", str(work_tree / "pkg"), "--json")
    assert 0 == done.status, done.err
    assert "some-project" == done.json["target"]
    assert "trunk" == done.json["baseBranch"]
    target = PolicyFiles(policies).effective("some-project").target
    assert str(work_tree) == target.remote
    assert done.json["checks"] == [check.name for check in target.checks]
    assert {"compile", "lint", "security"} <= set(done.json["checks"])
    assert ["autopilot.toml", "protected_paths.toml", "charter.toml", "alerts.toml"] == done.json["filled"]
    assert f"{policies} was empty: filled with the shipped autopilot.toml, " in " ".join(done.err.split())
    for name in done.json["filled"]:
        assert (SHIPPED_POLICIES / name).read_bytes() == (policies / name).read_bytes()
    assert () == fill_empty(policies)


@pytest.mark.parametrize("mine", ["autopilot.toml", "targets/other.toml"])
def test_one_file_of_the_owners_leaves_the_folder_as_it_is(tmp_path: Path, mine: str) -> None:
    """What is missing beside it is not made up."""
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("# my own words\n")
    assert () == fill_empty(tmp_path)
    assert [tmp_path / mine] == [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_target_file_is_never_overwritten_unless_told(nobody_there: Shell, policies: Path, work_tree: Path):
    """A second `init` refuses and changes nothing."""
    file = policies / "targets" / "mine.toml"
    file.parent.mkdir()
    file.write_text("# my own words\n")
    refused = nobody_there.type("init", str(work_tree), "--name", "mine")
    assert 11 == refused.status
    assert "--force" in refused.err
    assert "# my own words\n" == file.read_text()
    assert (
        0 == nobody_there.type("init", str(work_tree), "--name", "mine", "--force", "--maximum-mode", "DRY_RUN").status
    )
    assert 'maximum_mode = "DRY_RUN"' in file.read_text()


def test_what_cannot_be_a_target_is_said_in_one_sentence(nobody_there: Shell, tmp_path: Path, work_tree: Path):
    """Not a repository, empty, shallow, unreachable, detached, badly named: each says what to do."""
    plain, empty, shallow = tmp_path / "plain", tmp_path / "empty", tmp_path / "shallow"
    plain.mkdir()
    git("init", "--quiet", str(empty), cwd=tmp_path)
    git("commit", "--quiet", "--allow-empty", "--message=Second", cwd=work_tree)
    git("clone", "--quiet", "--depth=1", f"file://{work_tree}", str(shallow), cwd=tmp_path)
    detached = tmp_path / "detached"
    git("clone", "--quiet", str(work_tree), str(detached), cwd=tmp_path)
    git("checkout", "--quiet", "--detach", cwd=detached)
    for argv, status, words in (
        ((str(plain),), 2, "git init"),
        ((str(tmp_path / "nowhere"),), 2, "no folder"),
        ((str(empty),), 1, "is empty"),
        ((str(shallow),), 1, "--unshallow"),
        ((f"file://{tmp_path}/gone.git",), 1, "cannot be reached"),
        ((str(detached),), 2, "--base-branch"),
        ((str(work_tree), "--name", "Not A Name"), 2, "--name"),
        ((str(work_tree), "--base-branch", "gone"), 1, "trunk"),
        (("ext::sh -c id",), 1, "refused"),
    ):
        done = nobody_there.type("init", *argv)
        assert status == done.status, (argv, done.err)
        assert words in done.err, (argv, done.err)
        assert "Traceback" not in done.err


def test_a_failing_test_is_left_out_by_name_and_one_package_without_a_wheel_too(
    nobody_there: Shell, policies: Path, tmp_path: Path
):
    """The rest of the suite is worth having; what is missing is said, and where the whole story is kept."""
    folder = tmp_path / "mixed"
    for path, body in {
        "pyproject.toml": '[project]\nname = "mixed"\nversion = "1"\ndependencies = ["docopt"]\n',
        "mixed/__init__.py": "",
        "tests/test_some.py": "def test_good():\n    pass\n\n\ndef test_bad():\n    assert False, 'as - ever'\n",
        "tests/test_needs.py": "import docopt\n",
        # Pytest names its tests from here, not from the repository's root.
        "tests/pytest.ini": "[pytest]\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(body)
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=First", cwd=folder)
    done = nobody_there.type("init", str(folder), "--json")
    assert 0 == done.status, done.err
    target = PolicyFiles(policies).effective("mixed").target
    [tests] = [check for check in target.checks if check.name == "tests"]
    left_out = {"--rootdir=.", "--deselect=tests/test_some.py::test_bad", "--ignore=tests/test_needs.py"}
    assert left_out == {word for word in tests.argv if word.startswith("--")} - {"--no-header"}
    assert ("docopt",) == target.environment.without
    assert "making the check environment" in done.err
    assert "green without tests/test_" in " ".join(done.err.split())
    assert "docopt have no usable wheels" in " ".join(done.err.split())
    assert "docopt" in (tmp_path / "home/logs/init-mixed.log").read_text()


def test_what_takes_its_time_says_so() -> None:
    """Not at once, and not at every look."""
    said: list[str] = []
    going = Going(said.append, "it is being made", every=15, began=time.monotonic() - 31)
    going()
    going()
    Going(said.append, "it is being made")()
    assert ["  it is being made: 31 s so far"] == said


@pytest.mark.skipif(shutil.which("npm") is None, reason="left out: Node is missing")
def test_another_language_is_prepared_and_checked_by_its_own_means(nobody_there: Shell, policies: Path, tmp_path: Path):
    """What is red is named and advisory; what cannot be prepared is said, and the file is there to be corrected.

    What is red only outside of a repository (packing sets up git's hooks) is run in one.
    """
    folder = tmp_path / "web"
    build = "test -e .git && node -e \"require('fs').writeFileSync('built', '')\""
    scripts = {"test": "node --test", "lint": "exit 3", "build": build}
    (folder / "lib").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "web", "version": "1.0.0", "scripts": scripts}))
    (folder / "lib/one.test.js").write_text('require("node:test")("one", () => require("fs").readFileSync("built"));\n')
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=First", cwd=folder)
    log = tmp_path / "home/logs/init-web.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("of an earlier init\n")
    done = nobody_there.type("init", str(folder), "--json")
    assert 0 == done.status, done.err
    target = PolicyFiles(policies).effective("web").target
    assert {"tests": True, "lint": False, "build": True} == {check.name: check.required for check in target.checks}
    after_build = ("env", "npm_config_cache=/tmp/npm", "sh", "-c", "git init --quiet && npm run build && npm test")
    in_git = (*after_build[:4], "git init --quiet && npm run build")
    assert {after_build, in_git} <= {check.argv for check in target.checks}
    assert "exit 3" in done.json["advisory"]["lint"]
    assert "> exit 3" in log.read_text()
    assert "of an earlier init" not in log.read_text()
    assert 0 == nobody_there.type("doctor", "web").status
    (folder / "package-lock.json").write_text("{}")
    (folder / "package.json").write_text(json.dumps({"name": "web", "scripts": scripts, "dependencies": {"a": "1"}}))
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=Second", cwd=folder)
    broken = nobody_there.type("init", str(folder), "--force", "--json")
    assert 0 == broken.status, broken.err
    assert [] == broken.json["checks"]
    assert "`prepare` 1 of 1, `npm ci" in broken.json["leftOut"]["tests"]
    told = nobody_there.type("doctor", "web")
    assert 1 == told.status
    assert "last worked" in " ".join(told.out.split())


@pytest.mark.skipif(shutil.which("cargo") is None, reason="left out: Rust is missing")
def test_fixers_and_lock_files_of_its_owner_are_kept(nobody_there: Shell, policies: Path, tmp_path: Path):
    """A fixer that would change nearly everything is not what its owner uses: it is left out, and said.

    So are updates, where the operator's own protection of lock files opens them to nothing.
    """
    badly, folder = "pub fn  a( ) {}\n", tmp_path / "crate"
    (folder / "src").mkdir(parents=True)
    manifest = '[package]\nname = "crate-of-test"\nversion = "0.1.0"\nedition = "2021"\n'
    lock = 'version = 4\n\n[[package]]\nname = "crate-of-test"\nversion = "0.1.0"\n'
    for path, text in {"Cargo.toml": manifest, "Cargo.lock": lock, "rustfmt.toml": "", "src/lib.rs": badly}.items():
        (folder / path).write_text(text)
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=First", cwd=folder)
    done = nobody_there.type("init", str(folder))
    assert 0 == done.status, done.err
    assert "rustfmt would mend 1 file" in " ".join(done.err.split())
    assert ["rustfmt"] == [each.name for each in PolicyFiles(policies).effective("crate").target.fixers]
    dependencies = PolicyFiles(policies).effective("crate").target.dependencies
    assert (("Cargo.lock",), 7) == (dependencies.lock_files, dependencies.minimum_age_days)
    protected = (policies / "protected_paths.toml").read_text()
    older = [line for line in protected.splitlines() if not line.startswith('unless = ["dependency_update"]')]
    (policies / "protected_paths.toml").write_text("\n".join(older))
    modules = [f"m{number}" for number in range(8)]
    for name in modules:
        (folder / f"src/{name}.rs").write_text(badly)
    (folder / "src/lib.rs").write_text("".join(f"pub mod {name};\n" for name in modules))
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=Second", cwd=folder)
    done = nobody_there.type("init", str(folder), "--force")
    assert "rustfmt left out: it would change 8 of 9 files" in " ".join(done.err.split())
    target = PolicyFiles(policies).effective("crate").target
    assert ((), None) == (target.fixers, target.dependencies)
    assert 'add `unless = ["dependency_update"]` to their rule' in (policies / "targets/crate.toml").read_text()


@pytest.mark.parametrize(
    ("files", "paths", "why"),
    [
        (("poetry.toml", "*.lock"), ["a/x.lock"], "a/x.lock: it is protected: lock files"),
        (("*.toml",), ["other/a.toml"], "other/a.toml: it is outside allowed_paths"),
        (("*.py",), ["other/a.py", "src/b.py"], ""),
        (("*.py",), [], ""),
    ],
)
def test_a_fixer_whose_files_no_run_may_change_is_none(files: tuple[str, ...], paths: list[str], why: str) -> None:
    """It could never do anything; one of which a file can be mended is kept."""
    chosen = policy(target={"allowed_paths": ["/src/**"]})
    told = never(FixerPolicy(name="it", fix=("it",), files=files), paths, chosen)
    assert told.startswith(why)
    assert bool(why) == bool(told)


def test_tests_that_are_green_only_sometimes_are_flaky():
    """Each suite is tried twice; the second no is told as such, and keeps the suite from being required."""
    green, red = (result(status) for status in (CheckStatus.GREEN, CheckStatus.RED))
    assert green == agreed(green, green)
    flaky = agreed(green, red)
    assert (CheckStatus.FLAKY, "green, then exit 1") == (flaky.status, flaky.attempts[-1].detail)
    assert advises(flaky, EnvironmentPolicy())
    assert not advises(red, EnvironmentPolicy())


def result(status: CheckStatus) -> CheckResult:
    attempt = CheckAttempt(status=status, exit_code=1, seconds=1, output=None, detail="exit 1")
    return CheckResult(
        name="tests", kind="tests", argv=("x",), required=True, status=status, attempts=(attempt,), base_count=None
    )


class Made(Trial):
    """Environments that can be made or not, and tests that are green in them or not, as a test says."""

    def __init__(self, broken: str = "", red: tuple[str, ...] = (), log: Path = Path("/dev/null")) -> None:
        self.broken, self.red, self.said = broken, red, list[str]()
        Furnishing.__init__(self, self.said.append, log)

    def _policy(self, name: str, text: str) -> EffectivePolicy:
        return policy(target={"environment": EnvironmentPolicy.model_validate_json(text).model_dump()})

    def _made(self, policy: EffectivePolicy) -> CheckEnvironment:
        words = str(policy.target.environment)
        if self.broken and self.broken in words:
            called = [" ".join(argv) for argv in policy.target.environment.prepare]
            step = next((each for each in called if self.broken in each), self.broken)
            raise EnvironmentUnavailable(f"`prepare` 4 of 6, `{step}`, failed (exit 1); its own words")
        return CheckEnvironment(digest=words, path=Path(), guest="/env")

    def run(self, checks, policy, environment):
        red = any(each in environment.digest for each in self.red)
        return [(each, result(CheckStatus.RED if red else CheckStatus.GREEN)) for each in checks[:1]]

    def fixers(self, fixers, policy, environment):
        return fixers


HOOK = "repos:\n- repo: https://git.test/psf/black\n  rev: 24.4.2\n  hooks: [{id: black}]\n"


@pytest.mark.parametrize(
    ("made", "lock", "kept", "said"),
    [
        (Made(), True, ("uv sync", "black"), []),
        (Made("uv"), True, ("packages", "black"), ["As its lock file says, it cannot be prepared: "]),
        (
            Made(red=("uv sync", "'sync'")),
            True,
            ("packages", "black"),
            ["As its lock file says, it has no green tests"],
        ),
        (Made("black==24.4.2"), True, ("uv sync", ""), ["black cannot be had"]),
        (Made(), False, ("packages", "black"), []),
        (Made("black==24.4.2"), False, ("packages", ""), ["black cannot be had"]),
    ],
)
def test_what_cannot_be_had_gives_way_to_less(made: Made, lock: bool, kept: tuple[str, str], said: list[str]) -> None:
    """As the lock file says, else what is declared; the owner's fixers, else those whose program is there."""
    files = PACKAGE | {".pre-commit-config.yaml": HOOK, "tests/test_p.py": ""} | ({"uv.lock": ""} if lock else {})
    seen = survey(Tree(files), "c", Machine())
    chosen, results = made.whole(seen, "demo", lambda each: each.environment.model_dump_json())
    environment, fixer = kept
    assert (environment == "packages") == (not chosen.environment.prepare)
    assert [fixer] * bool(fixer) == [each.name for each in chosen.fixers]
    assert (("black==24.4.2" in str(chosen.environment)), True) == (bool(fixer), bool(results))
    assert all(any(each.startswith(word) for each in made.said) for word in said)
    assert all(any(note.startswith(word) for note in chosen.notes) for word in said)


def test_why_the_lock_file_could_not_be_used_stays_in_the_log(tmp_path: Path) -> None:
    """Also where what it declares cannot be had at once either."""
    made = Made("build=True", log=tmp_path / "logs/init.log")
    files = PACKAGE | {"tests/test_p.py": "", "uv.lock": ""}
    chosen, _ = made.whole(survey(Tree(files), "c", Machine()), "demo", lambda each: each.environment.model_dump_json())
    assert not chosen.environment.build
    assert 3 == (tmp_path / "logs/init.log").read_text().count("its own words")


def test_a_sandbox_that_is_missing_fails_init_and_leaves_nothing_out(
    nobody_there: Shell, policies: Path, work_tree: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nothing was learned of the repository, so nothing is written about it."""

    def broken(*_args: object) -> None:
        raise SandboxUnavailable("no user namespaces here")

    monkeypatch.setattr(BubblewrapSandbox, "run", broken)
    done = nobody_there.type("init", str(work_tree), "--name", "mine")
    assert 1 == done.status
    assert "no user namespaces here" in done.err
    assert not (policies / "targets" / "mine.toml").exists()


def test_doctor_names_a_target_whose_every_run_is_refused(nobody_there: Shell, policies: Path, work_tree: Path) -> None:
    """As `init` leaves one of a language it has no checks for; nothing of that is "ok"."""
    file = policies / "targets" / "mine.toml"
    file.parent.mkdir()
    file.write_text(
        f'name = "mine"\nremote = "{work_tree}"\nbase_branch = "trunk"\n[review]\non = 2026-01-01\nby = "ann"\n'
    )
    findings = nobody_there.type("doctor", "--json").json["findings"]
    [row] = [row for row in findings if row["name"] == "target mine"]
    assert (False, "no required check: every run of it is refused") == (row["ok"], row["detail"])
    assert "[[checks]]" in row["remedy"]

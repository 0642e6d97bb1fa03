"""What ``init`` proposes for Go, Rust and Node: read from manifests, lock files, scripts and CI; nothing executed."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import date

import pytest

from adapters.survey.clients import Client
from adapters.survey.languages import Proposal, differently, lesser, propose
from adapters.survey.surveyor import survey
from adapters.survey.target_file import render_target
from policies.settings.schema import CheckPolicy, EnvironmentPolicy, Target

GO = Client(("/opt/go",), ("modules.test:443",))
CARGO = Client(("/opt/rust",), ("crates.test:443",))
NPM = Client((), ("packages.test:443",))
LIB = {"go.mod": "module m\n", "m.go": "package m\n"}
CRATE = {"Cargo.toml": '[package]\nname = "c"\n', "Cargo.lock": "", "src/lib.rs": ""}
SCRIPTS = {"test": "node --test", "lint": "eslint .", "typecheck": "tsc", "build": "x", "format:check": "prettier -c ."}
PACKAGE = {"package.json": json.dumps({"scripts": SCRIPTS, "dependencies": {"a": "1"}}), "package-lock.json": "{}"}


@dataclass
class Machine:
    """What some machine has."""

    go: Client | None = GO
    cargo: Client | None = CARGO
    npm: Client | None = NPM
    yarn: tuple[str, ...] = ("yarns.test:443",)


def look(files: dict[str, str], machine: Machine | None = None) -> Proposal | None:
    return propose(lambda path: files.get(path, ""), tuple(files), machine or Machine())


def argvs(found: Proposal | None) -> dict[str, str]:
    assert found is not None
    return {check.name: " ".join(check.argv) for check in found.checks}


def prepares(found: Proposal | None) -> list[str]:
    assert found is not None
    return [" ".join(argv) for argv in found.environment.prepare]


def test_go():
    """Modules fetched, what tests are built of built once; tests, build, vet and format."""
    found = look(LIB)
    assert ["go mod download", "go test -run=^$ ./...", "go vet ./..."] == prepares(found)
    expected = {"tests": "go test ./...", "build": "go build ./...", "vet": "go vet ./...", "format": "gofmt -l ."}
    assert expected == argvs(found)
    chosen = found.environment
    assert (("/opt/go",), ("modules.test:443",), ("/go.mod", "/go.sum")) == (
        chosen.toolchains, chosen.hosts, chosen.keyed_by,
    )  # fmt: skip
    vendored = look(LIB | {"vendor/modules.txt": ""})
    assert "go mod download" not in prepares(vendored)


def test_rust():
    """By the lock file; without one, that of the day, and it is said."""
    found = look(CRATE)
    assert ["cargo fetch --locked", "cargo test --locked --offline --no-run"] == prepares(found)
    assert ("target",) == found.environment.keep
    assert "cargo fmt --all -- --check -l" == argvs(found)["format"]
    unlocked = look({name: text for name, text in CRATE.items() if name != "Cargo.lock"})
    assert "cargo generate-lockfile" == prepares(unlocked)[0]
    assert ("Cargo.lock", "target") == unlocked.environment.keep
    assert "no lock file" in unlocked.notes[0]
    workspace = look(CRATE | {"Cargo.toml": "[workspace]\nmembers = ['a']\n", "a/Cargo.toml": "[package]\n"})
    assert "cargo test --workspace --locked --offline" == argvs(workspace)["tests"]
    assert ["clippy", "format", "tests"] == sorted(argvs(workspace))


@pytest.mark.parametrize(
    ("files", "first", "installs"),
    [
        ({"package-lock.json": ""}, "", "npm ci --no-audit --no-fund"),
        ({"pnpm-lock.yaml": ""}, "npm install --global --prefix /env pnpm@10", "pnpm install --frozen-lockfile"),
        (
            {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"},
            "npm install --global --prefix /env pnpm@8",
            "pnpm install --frozen-lockfile",
        ),
        ({"yarn.lock": ""}, "npm install --global --prefix /env yarn@1", "yarn install --frozen-lockfile"),
        ({}, "", "npm install --no-package-lock --no-audit --no-fund"),
    ],
)
def test_node_by_the_lock_files_own_manager(files, first, installs):
    """And the scripts that its owner wrote."""
    found = look({"package.json": PACKAGE["package.json"], **files})
    assert [*filter(None, [first]), installs] == prepares(found)
    assert ("node_modules",) == found.environment.keep
    assert {"CI": "true"} == found.environment.variables
    assert ["build", "format", "lint", "tests", "types"] == sorted(argvs(found))


def test_node_at_the_versions_that_the_repository_pins():
    """Pnpm and modern yarn, as `packageManager` says."""
    manifest = json.loads(PACKAGE["package.json"])
    pinned = {"package.json": json.dumps(manifest | {"packageManager": "yarn@4.5.0+sha512.ab"}), "yarn.lock": ""}
    expected = ["npm install --global --prefix /env @yarnpkg/cli-dist@4.5.0", "yarn install --immutable"]
    assert expected == prepares(look(pinned))


@pytest.mark.parametrize(("form", "which"), [(6, "3"), (8, "4"), (10, "4")])
def test_yarn_by_the_form_of_its_lock_file(form, which):
    """A newer one would write it anew; it asks whom it says that it asks, and installs as npm would."""
    found = look({"package.json": PACKAGE["package.json"], "yarn.lock": f"# x\n\n__metadata:\n  version: {form}\n"})
    assert [
        f"npm install --global --prefix /env @yarnpkg/cli-dist@{which}",
        "yarn install --immutable",
    ] == prepares(found)
    assert "node-modules" == found.environment.variables["YARN_NODE_LINKER"]
    assert "yarns.test:443" in found.environment.hosts


def test_node_without_dependencies_or_tests():
    """Nothing is fetched; that nothing is proven is said."""
    found = look({"package.json": '{"scripts": {"test": "echo no test specified", "build": "x"}}'})
    assert ["true"] == prepares(found)
    assert {"build": "npm run build"} == argvs(found)
    assert "no script `test`" in found.notes[0]


CI = """
jobs:
  all:
    steps:
      - run: go version && go test ./other
      - run: |
          go test -race ./...
          go vet -all ./...
      - run: echo ${{ matrix.go }}
"""


def test_what_ci_runs_is_what_is_checked():
    """Word for word, the first plain command of its kind; shell lines are nobody's argv."""
    found = look(LIB | {".github/workflows/ci.yml": CI, ".github/workflows/broken.yml": "a: [\n"})
    assert ("go test -race ./...", "go vet -all ./...") == (argvs(found)["tests"], argvs(found)["vet"])
    assert "go test -run=^$ -race ./..." in prepares(found)
    chosen = look(LIB | {"Makefile": "test:\n\tgo test -v ./... -run . -timeout=2m\n"})
    assert "go test -v ./... -run . -timeout=2m" == argvs(chosen)["tests"]
    assert "go test -run=^$ -v ./... -timeout=2m" in prepares(chosen), "what it chooses itself would run in `prepare`"


def test_several_roots_and_several_languages():
    """Each with checks of its own; fixtures, vendored copies and parts of a workspace are none."""
    files = {
        **LIB, "web/package.json": PACKAGE["package.json"], "web/package-lock.json": "", "api/go.mod": "module a\n",
        "vendor/x/go.mod": "", "web/node_modules/a/package.json": "{}", "testdata/go.mod": "", ".x/go.mod": "",
        "web/sub/package.json": "{}",
    }  # fmt: skip
    found = look(files)
    expected = {"tests", "build", "vet", "format", "tests-api", "build-api", "vet-api", "format-api"}
    assert expected | {"tests-web", "lint-web", "types-web", "format-web", "build-web"} == set(argvs(found))
    assert ("go -C api test ./...", "npm --prefix web test") == (argvs(found)["tests-api"], argvs(found)["tests-web"])
    assert ("web/node_modules",) == found.environment.keep
    many = look({f"m{n}/go.mod": "" for n in range(6)})
    assert "m4, m5 are not checked" in many.notes[0]


def fixers(files: dict[str, str]) -> dict[str, str]:
    found = look(files)
    assert found is not None
    return {each.name: " ".join(each.fix) for each in found.fixers}


def test_fixers_are_those_that_the_repository_itself_uses():
    """Gofmt always; rustfmt where it is set up or in CI; prettier and eslint where installed and set up."""
    assert {"gofmt": "gofmt -w ."} == fixers(LIB | {"api/go.mod": ""})
    assert {} == fixers(CRATE)
    assert {"rustfmt": "cargo fmt --all"} == fixers(CRATE | {"rustfmt.toml": ""})
    assert {"rustfmt"} == set(fixers(CRATE | {".travis.yml": "script: cargo fmt --check\n"}))
    assert {} == fixers(PACKAGE)
    both = {"scripts": {"lint": "eslint src --max-warnings 0"}, "devDependencies": {"eslint": "9", "prettier": "3"}}
    eslint = {"eslint": "npx --no-install eslint src --max-warnings 0 --fix"}
    assert eslint == fixers({"package.json": json.dumps(both)})
    prettier = {"prettier": "npx --no-install prettier --write ."}
    assert eslint | prettier == fixers({"package.json": json.dumps(both), ".prettierrc": ""})
    biome = {"scripts": {"lint": "biome check ."}, "devDependencies": {"@biomejs/biome": "2", "prettier": "3"}}
    assert {"biome"} == set(fixers({"package.json": json.dumps(biome), ".prettierrc": ""}))


@pytest.mark.parametrize(
    ("script", "package", "expected"),
    [
        ("eslint 'src/**/*.ts'", "eslint", "eslint src/**/*.ts --fix"),
        ('stylelint "**/*.css"', "stylelint", "stylelint **/*.css --fix"),
        ("standard --fix", "standard", "standard --fix"),
        ("biome check --write .", "@biomejs/biome", "biome check . --write"),
        ("xo", "xo", "xo --fix"),
        ("oxlint --deny-warnings", "oxlint", "oxlint --deny-warnings --fix"),
        ("oxfmt --check src", "oxfmt", "oxfmt src --write"),
        ("oxfmt", "oxfmt", "oxfmt --write"),
        ("eslint src/*.js", "eslint", ""),
        ("eslint src && tsc", "eslint", "eslint src --fix"),
        ("standard && tape test/*.js", "standard", "standard --fix"),
        ("eslint src || true", "eslint", ""),
        ("xo", "eslint", ""),
    ],
)
def test_linters_that_mend(script, package, expected):
    """As the owner's own script calls them; what only a shell understands is nobody's argv."""
    found = fixers(
        {"package.json": json.dumps({"scripts": {"lint": script, "build": "x"}, "devDependencies": {package: "1"}})}
    )
    assert [f"npx --no-install {expected}"] * bool(expected) == list(found.values())


def test_tidy_where_it_is_asked_for():
    """By CI or a Makefile; what it looks at is fetched beforehand."""
    found = look(LIB | {"Makefile": "tidy:\n\tgo mod tidy\n\tgit diff --exit-code\n"})
    assert "go mod tidy" == prepares(found)[-1]
    assert "go mod tidy -diff" == argvs(found)["tidy"]
    assert "tidy" not in argvs(look(LIB))


def test_clippy_mends_where_ci_asks_it():
    """Otherwise nobody here selected it."""
    ci = "script: cargo clippy --all-targets\n"
    expected = "cargo clippy --fix --allow-no-vcs --locked --offline"
    assert {"clippy": expected} == fixers(CRATE | {".travis.yml": ci})


def test_a_missing_toolchain_is_named():
    """The rest is still proposed."""
    found = look(LIB | PACKAGE, Machine(go=None))
    assert "Go is not on this machine" in found.notes[0]
    assert "npm test" == argvs(found)["tests"]
    assert look(LIB, Machine(go=None)) is None


def test_a_makefile_alone():
    """Its own target, and nothing to prepare."""
    found = look({"Makefile": "CC := gcc\ntest: all\n\t./run\nlint:\n", "a.c": ""})
    assert {"tests": "make test", "lint": "make lint"} == argvs(found)
    assert (("/Makefile",), ["true"]) == (found.environment.keyed_by, prepares(found))
    assert look({"Makefile": "all:\n", "a.c": ""}) is None


@pytest.mark.parametrize("files", [LIB, CRATE])
def test_without_building_beforehand(files):
    """Where that fails, each check builds for itself."""
    less = lesser(look(files).environment)
    assert 1 == len(less.prepare)
    assert () == less.keep
    assert less.variables["GOCACHE"].startswith("/tmp/")
    assert lesser(less) is None
    assert lesser(look(PACKAGE).environment) is None


class Tree:
    """A commit's tree."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def paths(self, commit: str) -> tuple[str, ...]:
        return tuple(self._files)

    def read(self, commit: str, path: str) -> bytes | None:
        return self._files[path].encode() if path in self._files else None


def test_the_file_says_what_was_found_and_loads():
    """What is advisory with its reason; paths of the code, and no Python."""
    seen = survey(Tree(PACKAGE | {"lib/a.ts": "", "gen.py": "", "lib/b.ts": "", "index.js": ""}), "c", Machine())
    kept = (*seen.checks[:1], seen.checks[1].model_copy(update={"required": False}))
    text = render_target(
        seen, "m", "/nowhere", "main", date(2026, 11, 23), "me", kept, advisory={"lint": "exit 1; 3 problems"}
    )
    target = Target.model_validate(tomllib.loads(text))
    assert EnvironmentPolicy.model_validate(target.environment) == seen.environment
    assert "# Advisory: on the base it was not green: exit 1; 3 problems" in text
    assert {"/lib/**", "/*.ts", "/*.js"} <= set(target.allowed_paths)
    assert "ruff" not in text
    assert "its Python is not checked" in seen.notes[0]
    assert target.maximum_mode is None


def test_a_repository_that_is_mostly_python_is_looked_at_as_before():
    """A script in its docs folder's package.json changes nothing."""
    files = {"pyproject.toml": "[project]\nname = 'p'\n", "p/__init__.py": "", "p/a.py": "", **PACKAGE}
    seen = survey(Tree(files), "c", Machine())
    assert () == seen.environment.prepare
    assert "lint" in {check.name for check in seen.checks}


@pytest.mark.parametrize(("script", "first"), [("lefthook install", "git init --quiet"), ("npm run build", "npm ci")])
def test_hooks_of_git_are_set_up_in_a_repository(script, first):
    """A checkout is none: what its `prepare` sets up there would fail."""
    package = {"name": "x", "scripts": {"prepare": script, "test": "x"}, "devDependencies": {"a": "1"}}
    found = look({"package.json": json.dumps(package), "package-lock.json": "{}"})
    assert prepares(found)[0].startswith(first)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("[cargo test pass, cargo test --all-features]", "cargo test --all-features"),
        ("[cargo test pass, cargo test fail]", "cargo test --locked --offline"),
    ],
)
def test_a_part_of_the_tests_is_not_taken_for_them(script, expected):
    """A name after ``cargo test`` chooses among them."""
    assert expected == argvs(look(CRATE | {".travis.yml": f"script: {script}\n"}))["tests"]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("\tgo test -race .\n\tgo test -race ./middleware\n", "go test ./..."),
        ("\tgo test -race .\n\tgo test -race ./...\n", "go test -race ./..."),
    ],
)
def test_tests_of_one_folder_are_not_taken_for_all(recipe, expected):
    """A Makefile often has a target for each folder: the others' tests would not be run."""
    assert expected == argvs(look(LIB | {"Makefile": f"test:\n{recipe}"}))["tests"]


@pytest.mark.parametrize(
    ("scripts", "files", "expected"),
    [
        ({"test": "standard && tape test/*.js"}, {}, "npm exec -c tape test/*.js"),
        ({"test": "xo && tsc --noEmit && X='a b' ava"}, {}, "npm exec -c X='a b' ava"),
        ({"test": "npm run lint && npm run unit && npm run more"}, {}, "npm exec -c npm run unit && npm run more"),
        ({"test": "pnpm lint && yarn test:types && vitest"}, {}, "npm exec -c vitest"),
        ({"test": "pnpm lint-and-test && vitest"}, {}, "npm test"),
        ({"test": "standard"}, {}, "npm test"),
        ({"test": "eslint . || true && tape"}, {}, "npm test"),
        ({"test": "npm run lint-and-test && tape"}, {}, "npm test"),
        ({"test": "standard && tape", "pretest": "make"}, {}, "npm test"),
        ({"test": "tap"}, {".travis.yml": "script: npm test --ignore-scripts\n"}, "npm test --ignore-scripts"),
        ({"test": "tap"}, {".travis.yml": "script: npm test\n"}, "npm test"),
    ],
)
def test_tests_are_not_red_for_a_linter_before_them(scripts, files, expected):
    """Linters are checks of their own; what prepares, or hides how a linter ended, stays as its owner wrote it."""
    found = look(PACKAGE | files | {"package.json": json.dumps({"name": "x", "scripts": scripts})})
    assert expected == argvs(found)["tests"]


def test_red_tests_are_tried_in_another_way():
    """After the build of the same root; with a compiler's cache that can be written."""
    checks = tuple(
        CheckPolicy(name=name, kind="build" if "build" in name else "tests", argv=argv)
        for name, argv in {
            "tests": ("npm", "test"),
            "build": ("npm", "run", "build"),
            "tests-web": ("npm", "--prefix", "web", "test"),
            "tests-api": ("go", "-C", "api", "test", "./..."),
            "build-api": ("go", "build", "./..."),
            "tests-it": ("cargo", "test"),
        }.items()
    )
    by = {check.name: other and other.argv for check in checks for other in [differently(check, checks)]}
    alone = ("env", "npm_config_cache=/tmp/npm", "sh", "-c")
    assert (*alone, "git init --quiet && npm run build && npm test") == by["tests"]
    assert (*alone, "git init --quiet && npm --prefix web test") == by["tests-web"]
    assert None is by["tests-it"]
    assert ("env", "GOCACHE=/tmp/go-build", "go", "-C", "api", "test", "./...") == by["tests-api"]

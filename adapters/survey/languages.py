"""Go, Rust and Node: how a repository is prepared and checked, by its manifests, scripts and CI. Only read."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapters.environments.declared_requirements import Read, parse_toml
from adapters.survey.clients import Client, Clients
from adapters.survey.own_commands import MAKEFILES, own_commands, plain
from policies.settings.environment import EnvironmentPolicy, FixerPolicy
from policies.settings.schema import CheckKind, CheckPolicy

NOT_A_ROOT = frozenset({
    "vendor", "testdata", "node_modules", "third_party", "examples", "example", "fixtures", "docs", "doc", "benchmarks",
    "test", "tests", "tools", "scripts", "e2e",
})  # fmt: skip
_MOST_ROOTS = 4
DEEPEST = 3
_NPM_KINDS = (
    ("lint", CheckKind.LINT, ("lint", "lint:check", "eslint")),
    ("types", CheckKind.TYPES, ("typecheck", "type-check", "check-types", "types", "test:types", "tsc")),
    ("format", CheckKind.LINT, ("format:check", "fmt:check", "prettier:check", "format-check", "check-format")),
    ("build", CheckKind.BUILD, ("build",)),
)
_EXTENSIONS = {"Go": ("go",), "Rust": ("rs",), "Node": ("js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "vue", "svelte")}

_PRETTIER = ("cts", "css", "scss", "less", "html", "json", "jsonc", "json5", "graphql", "md", "mdx", "yml", "yaml")
_CSS = ("css", "scss", "less")
_MENDING = (
    ("eslint", "eslint", "--fix", _EXTENSIONS["Node"], (0, 1)),
    ("stylelint", "stylelint", "--fix", _CSS, (0, 2)),
    ("standard", "standard", "--fix", _EXTENSIONS["Node"], (0, 1)),
    ("xo", "xo", "--fix", _EXTENSIONS["Node"], (0, 1)),
    ("oxlint", "oxlint", "--fix", _EXTENSIONS["Node"], (0, 1)),
    ("oxfmt", "oxfmt", "--write", (*_EXTENSIONS["Node"], *_PRETTIER), (0, 1)),
    ("biome check", "@biomejs/biome", "--write", (*_EXTENSIONS["Node"], "json", "css"), (0, 1)),
    ("biome lint", "@biomejs/biome", "--write", _EXTENSIONS["Node"], (0, 1)),
)
"""How a lint script begins, its package, what makes it mend, the files, and how it ends when it worked."""
_LINTING = re.compile(
    r"(npx )?(eslint|standard|xo|oxlint|oxfmt|stylelint|prettier|tsc|tsgo|biome)\b[^|;]*$"
    r"|(npm run|(pnpm|yarn)( run)?) (lint|eslint|format|types?|typecheck|test:types?)(:\S+)?$"
)
_HOOKS_OF_GIT = re.compile(r"\b(lefthook|husky|simple-git-hooks|yorkie)\b")
_PNPM = {"5": "7", "6": "8"}
_NEWEST_PNPM = "10"
"""Which pnpm reads a lock file, by its version; 9 is what pnpm has written since its own 9."""
_YARN_3 = 6
"""The newest form of a lock file that it writes."""


@dataclass(frozen=True)
class _Seen:
    """A repository as it is read."""

    read: Read
    present: frozenset[str]
    ci: tuple[tuple[str, ...], ...]
    """Commands that it runs itself, those of its CI first."""

    def theirs(self, root: str, *begins: str) -> tuple[str, ...]:
        """Its own first command that begins so, word for word; in which root that runs is not told of others.

        ``cargo test NAME`` and ``go test ./folder`` are a part of the tests: the next one is taken.
        """
        for argv in self.ci:
            if root or argv[: len(begins)] != begins or argv == begins:
                continue
            part = not argv[2].startswith("-") if begins == ("cargo", "test") else "./..." not in argv
            if not part or begins not in {("cargo", "test"), ("go", "test")}:
                return argv
        return ()


@dataclass
class Proposal:
    """What a person who knows the repository would write into its target's file."""

    prepare: list[tuple[str, ...]] = field(default_factory=list)
    toolchains: dict[str, None] = field(default_factory=dict)
    keyed_by: dict[str, None] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    keep: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    checks: list[CheckPolicy] = field(default_factory=list)
    fixers: list[FixerPolicy] = field(default_factory=list)
    extensions: dict[str, None] = field(default_factory=dict)
    """Of the files that are code."""
    notes: list[str] = field(default_factory=list)
    languages: dict[str, None] = field(default_factory=dict)

    @property
    def environment(self) -> EnvironmentPolicy:
        """As the target's file has it."""
        return EnvironmentPolicy(
            prepare=tuple(self.prepare) or (("true",),),
            toolchains=tuple(self.toolchains),
            keyed_by=tuple(self.keyed_by),
            hosts=tuple(self.hosts),
            keep=tuple(self.keep),
            variables=self.variables,
        )

    def uses(self, language: str, client: Client) -> None:
        """What a language's own program needs."""
        self.languages[language] = None
        self.toolchains |= dict.fromkeys(client.toolchains)
        self.hosts |= dict.fromkeys(client.hosts)
        self.extensions |= dict.fromkeys(_EXTENSIONS[language])

    def check(self, name: str, root: str, kind: CheckKind, *argv: str, lines: bool = False) -> None:
        """One more check; ``lines``: it prints a line a finding, and those of the base are nobody's fault."""
        called = re.sub(r"[^a-z0-9_-]+", "-", f"{name}-{root}".lower()).strip("-")[:40]
        more: dict[str, Any] = {"judge": "not_worse", "count": "lines"} if lines else {}
        if called not in {check.name for check in self.checks}:
            self.checks.append(CheckPolicy(name=called, kind=kind, argv=argv, **more))


def propose(read: Read, paths: tuple[str, ...], clients: Clients) -> Proposal | None:
    """How the repository is prepared and checked; None where there is nothing that is known here."""
    found = Proposal()
    seen = _Seen(read, frozenset(paths), own_commands(read, paths))
    for name, program, manifest, write in (
        ("Go", "go", "go.mod", _go),
        ("Rust", "cargo", "Cargo.toml", _rust),
        ("Node", "npm", "package.json", _node),
    ):
        roots = manifest_roots(read, paths, manifest)
        if not roots:
            continue
        client = getattr(clients, program)
        if client is None:
            found.notes.append(
                f"{name} is not on this machine: nothing of {manifest} was tried. Install it, init again."
            )
            continue
        for root in roots[:_MOST_ROOTS]:
            write(found, seen, root)
            found.uses(name, client)
        if any(argv[0] == "yarn" for argv in found.prepare):
            found.hosts |= dict.fromkeys(clients.yarn)
        if unseen := roots[_MOST_ROOTS:]:
            found.notes.append(f"More {name} roots than {_MOST_ROOTS}: {', '.join(unseen[:5])} are not checked.")
    if not found.languages:
        _make(found, seen)
    return found if found.checks else None


def manifest_roots(read: Read, paths: tuple[str, ...], manifest: str) -> list[str]:
    """Folders with a manifest of their own, the root first as ``""``; not those that a workspace above takes along."""
    found = []
    for path in sorted(paths, key=lambda each: (each.count("/"), each)):
        root, _, name = path.rpartition("/")
        parts = root.split("/") if root else []
        hidden = any(part.startswith((".", "_")) for part in parts)
        if name == manifest and len(parts) <= DEEPEST and not hidden and NOT_A_ROOT.isdisjoint(parts):
            found.append(root)
    if manifest == "go.mod":
        return found
    gathering = [root for root in found if _gathers(read, root, manifest)]
    alone = [root for root in found if not any(_inside(root, above) for above in gathering)]
    if manifest == "package.json":
        # Without a lock file or tests of its own it is a fixture, or a part of the package around it.
        alone = [root for root in alone if root == "" or _lock_of(frozenset(paths), root)]
    return alone


def _gathers(read: Read, root: str, manifest: str) -> bool:
    text = read(_at(root, manifest))
    if manifest == "Cargo.toml":
        return "workspace" in parse_toml(text)
    return "workspaces" in _json(text) or bool(read(_at(root, "pnpm-workspace.yaml")))


def _inside(root: str, above: str) -> bool:
    return root != above and (above == "" or root.startswith(f"{above}/"))


def _every(root: str, manifest: str) -> str:
    """A pattern of the manifests below a root: those of its workspace."""
    return f"/{root}/**/{manifest}" if root else manifest


def _at(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name


# Go.


def _go(found: Proposal, seen: _Seen, root: str) -> None:
    here = ("go", "-C", root) if root else ("go",)
    found.keyed_by |= dict.fromkeys((f"/{_at(root, 'go.mod')}", f"/{_at(root, 'go.sum')}"))
    tests = seen.theirs(root, "go", "test") or (*here, "test", "./...")
    if _at(root, "vendor/modules.txt") not in seen.present:
        found.prepare.append((*here, "mod", "download"))
    vet = seen.theirs(root, "go", "vet") or (*here, "vet", "./...")
    # What tests and vet are built of is built once, the standard library included: that is most of their time.
    at = tests.index("test") + 1
    rest = re.sub(r"(^|\0)-(test\.)?run(=|\0)[^\0]*", "", "\0".join(tests[at:])).split("\0")
    found.prepare += [(*tests[:at], "-run=^$", *filter(None, rest)), vet]
    found.check("tests", root, CheckKind.TESTS, *tests)
    found.check("build", root, CheckKind.BUILD, *(seen.theirs(root, "go", "build") or (*here, "build", "./...")))
    found.check("vet", root, CheckKind.LINT, *vet)
    found.check("format", root, CheckKind.LINT, "gofmt", "-l", root or ".", lines=True)
    if not root and any(argv[:3] == ("go", "mod", "tidy") for argv in seen.ci):
        # Fetches what no build needs and tidying looks at; what it changes in the preparing tree is nobody's.
        found.prepare.append((*here, "mod", "tidy"))
        found.check("tidy", root, CheckKind.LINT, *here, "mod", "tidy", "-diff")
    if not found.fixers:
        gofmt = ("gofmt", "-l", ".")
        found.fixers.append(FixerPolicy(name="gofmt", fix=("gofmt", "-w", "."), files=("*.go",), measure=gofmt))


# Rust.


def _rust(found: Proposal, seen: _Seen, root: str) -> None:
    where = ("--manifest-path", _at(root, "Cargo.toml")) if root else ()
    found.keyed_by |= dict.fromkeys((_every(root, "Cargo.toml"), f"/{_at(root, 'Cargo.lock')}"))
    locked = _at(root, "Cargo.lock") in seen.present
    if not locked:
        found.prepare.append(("cargo", "generate-lockfile", *where))
        found.keep.append(_at(root, "Cargo.lock"))
        found.notes.append(
            f"{_at(root, 'Cargo.toml')} has no lock file beside it: versions are those of the day it is prepared."
        )
    found.prepare.append(("cargo", "fetch", "--locked", *where))
    tests = seen.theirs(root, "cargo", "test")
    every = ("--workspace",) if "workspace" in parse_toml(seen.read(_at(root, "Cargo.toml"))) else ()
    tests = tests or ("cargo", "test", *every, "--locked", "--offline", *where)
    found.prepare.append((*_before_arguments(tests), "--no-run"))
    found.keep.append(_at(root, "target"))
    found.check("tests", root, CheckKind.TESTS, *tests)
    clippy = seen.theirs(root, "cargo", "clippy")
    found.check(
        "clippy", root, CheckKind.LINT, *(clippy or ("cargo", "clippy", *every, "--locked", "--offline", *where))
    )
    if not root and clippy:
        mending = ("cargo", "clippy", "--fix", "--allow-no-vcs", *every, "--locked", "--offline")
        found.fixers.append(FixerPolicy(name="clippy", fix=mending, files=("*.rs",)))
    listing = ("cargo", "fmt", "--all", *where, "--", "--check", "-l")
    found.check("format", root, CheckKind.LINT, *listing, lines=True)
    chosen = any(_at(root, name) in seen.present for name in ("rustfmt.toml", ".rustfmt.toml"))
    if not root and (chosen or seen.theirs(root, "cargo", "fmt")):
        found.fixers.append(
            FixerPolicy(
                name="rustfmt", fix=("cargo", "fmt", "--all"), files=("*.rs",), measure=listing, exit_codes=(0, 1)
            )
        )


def _before_arguments(argv: tuple[str, ...]) -> tuple[str, ...]:
    return argv[: argv.index("--")] if "--" in argv else argv


# Node.


def _node(found: Proposal, seen: _Seen, root: str) -> None:
    package = _json(seen.read(_at(root, "package.json")))
    scripts = package.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    lock = _lock_of(seen.present, root)
    found.variables["CI"] = "true"
    found.keyed_by |= dict.fromkeys((_every(root, "package.json"), *([f"/{lock}"] if lock else [])))
    needs = any(package.get(kind) for kind in ("dependencies", "devDependencies", "optionalDependencies", "workspaces"))
    if needs:
        if any(_HOOKS_OF_GIT.search(str(scripts.get(each))) for each in ("prepare", "postinstall")):
            # Setting up its hooks fails where there is no repository; this one is gone with the tree.
            found.prepare.append(("git", "init", "--quiet"))
        found.prepare += _installing(found, package, lock, root, seen)
        found.keep.append(_at(root, "node_modules"))
    here = ("npm", "--prefix", root) if root else ("npm",)
    if "no test specified" in str(scripts.get("test", "no test specified")):
        found.notes.append(f"{_at(root, 'package.json')} has no script `test`: nothing of it is proven by tests.")
    else:
        found.check("tests", root, CheckKind.TESTS, *_node_tests(scripts, seen, root, here))
    for name, kind, names in _NPM_KINDS:
        if script := next((each for each in names if each in scripts), ""):
            found.check(name, root, kind, *here, "run", script)
    if not root:
        found.fixers += _node_fixers(package, scripts, seen)


def _node_tests(scripts: dict[str, Any], seen: _Seen, root: str, here: tuple[str, ...]) -> tuple[str, ...]:
    """The script `test` as its CI calls it; without linters before it, which are checks of their own.

    What a linter of today's version says of the base would otherwise leave nothing proven by tests.
    """
    if theirs := seen.theirs(root, "npm", "test"):
        return theirs
    commands = [command.strip() for command in str(scripts["test"]).split("&&")]
    if "pretest" not in scripts and not root:
        while len(commands) > 1 and _LINTING.match(commands[0]):
            del commands[0]
    if len(commands) == str(scripts["test"]).count("&&") + 1:
        return (*here, "test")
    # With the repository's own programs on PATH, as npm itself runs a script.
    return (*here, "exec", "-c", " && ".join(commands))


def _node_fixers(package: dict[str, Any], scripts: dict[str, Any], seen: _Seen) -> Iterator[FixerPolicy]:
    """Those that the repository installs and has set up; by its own version, from its own modules."""
    installed = {name for kind in ("dependencies", "devDependencies") for name in package.get(kind) or {}}
    commands = [command.strip() for script in scripts.values() for command in str(script).split("&&")]
    run = ("npx", "--no-install")
    configured = "prettier" in package or any(
        path.startswith((".prettierrc", "prettier.config.")) for path in seen.present
    )
    # Settings that no script uses any more are what was left behind by whoever went over to biome.
    left = "@biomejs/biome" in installed and any(command.startswith("biome ") for command in commands)
    if "prettier" in installed and ((configured and not left) or any("prettier" in script for script in commands)):
        yield FixerPolicy(
            name="prettier",
            fix=(*run, "prettier", "--write", "."),
            files=tuple(f"*.{each}" for each in (*_EXTENSIONS["Node"], *_PRETTIER)),
            measure=(*run, "prettier", "--list-different", "."),
            exit_codes=(0, 1),
        )
    for program, npm, flag, extensions, exit_codes in _MENDING:
        linting = next((each for each in commands if re.match(rf"{program}( |$)", each) and plain(each)), "")
        if npm not in installed or not linting:
            continue
        words = tuple(word for word in shlex.split(linting) if word not in {flag, "--check", "--list-different"})
        measure: dict[str, Any] = {}
        if program == "eslint":
            paths = "[?fixableErrorCount > `0` || fixableWarningCount > `0`].filePath"
            measure = {"measure": (*run, *words, "--format", "json"), "paths": paths}
        elif program == "oxfmt":
            measure = {"measure": (*run, *words, "--list-different")}
        yield FixerPolicy(
            name=program.partition(" ")[0],
            fix=(*run, *words, flag),
            files=tuple(f"*.{each}" for each in extensions),
            exit_codes=exit_codes,
            **measure,
        )


def _lock_of(present: frozenset[str], root: str) -> str:
    names = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock")
    return next((_at(root, name) for name in names if _at(root, name) in present), "")


def _installing(found: Proposal, package: dict[str, Any], lock: str, root: str, seen: _Seen) -> list[tuple[str, ...]]:
    """By the manager whose lock file it is; pnpm and yarn come from the registry, in the repository's version."""
    pinned = re.match(r"(pnpm|yarn)@(\d+[\w.-]*)", str(package.get("packageManager", "")))
    quiet = ("--no-audit", "--no-fund")
    name = lock.rpartition("/")[2]
    if name == "pnpm-lock.yaml":
        written = re.search(r"^lockfileVersion: '?(\d+)", seen.read(lock), re.MULTILINE)
        which = pinned[2] if pinned else _PNPM.get(written[1] if written else "", _NEWEST_PNPM)
        where = ("--dir", root) if root else ()
        return [
            ("npm", "install", "--global", "--prefix", "/env", f"pnpm@{which}"),
            ("pnpm", *where, "install", "--frozen-lockfile"),
        ]
    if name == "yarn.lock":
        # Its form tells what wrote it, where `packageManager` does not; a newer yarn would write it anew.
        written = re.search(r"^__metadata:\n  version: (\d+)", seen.read(lock), re.MULTILINE)
        major = pinned[2] if pinned else ("4" if int(written[1]) > _YARN_3 else "3") if written else "1"
        where = ("--cwd", root) if root else ()
        program, frozen = ("yarn@1", "--frozen-lockfile")
        if not major.startswith("1"):
            program, frozen = f"@yarnpkg/cli-dist@{major}", "--immutable"
            # Else what it installs are archives, which programs see only if yarn starts them.
            found.variables["YARN_NODE_LINKER"] = "node-modules"
        return [("npm", "install", "--global", "--prefix", "/env", program), ("yarn", *where, "install", frozen)]
    where = ("--prefix", root) if root else ()
    if name:
        return [("npm", *where, "ci", *quiet)]
    found.notes.append(
        f"{_at(root, 'package.json')} has no lock file beside it: versions are those of the day it is prepared."
    )
    return [("npm", *where, "install", "--no-package-lock", *quiet)]


# What is said elsewhere.


def _make(found: Proposal, seen: _Seen) -> None:
    """A Makefile alone: its own targets, without network."""
    file = next((name for name in MAKEFILES if name in seen.present), "")
    targets = set(re.findall(r"^([A-Za-z][\w-]*)\s*:(?!=)", seen.read(file), re.MULTILINE)) if file else set()
    if test := next((name for name in ("test", "tests", "check") if name in targets), ""):
        found.keyed_by[f"/{file}"] = None
        found.check("tests", "", CheckKind.TESTS, "make", test)
        found.extensions |= dict.fromkeys(("c", "h", "cc", "cpp", "hpp", "sh"))
        if "lint" in targets:
            found.check("lint", "", CheckKind.LINT, "make", "lint")


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def lesser(environment: EnvironmentPolicy) -> EnvironmentPolicy | None:
    """The same without building beforehand: each check then builds for itself. None: it is as it was."""
    built = {"-run=^$", "--no-run", "vet"}
    fetched = tuple(argv for argv in environment.prepare if built.isdisjoint(argv))
    if not fetched or fetched == environment.prepare:
        return None
    kept = tuple(each for each in environment.keep if each.rpartition("/")[2] != "target")
    variables = environment.variables | {"GOCACHE": "/tmp/go-build"}  # noqa: S108  # inside the sandbox, a check's own
    return environment.model_copy(update={"prepare": fetched, "keep": kept, "variables": variables})


def differently(check: CheckPolicy, checks: tuple[CheckPolicy, ...]) -> CheckPolicy | None:
    """Another way to run tests or a build, red only by how they were run; None: there is none that is known here.

    Of what is built, a check has what it builds itself: `prepare` built the base, and a change is to be tested.
    """
    if "npm" in check.argv[:1]:
        named = f"build{check.name.removeprefix('tests')}"
        build = next((each for each in checks if each.name == named and each.argv[:1] == ("npm",)), None)
        # Tests that call npm (`npm pack`) write into its cache, and set up hooks of git where installing does.
        line = " && ".join(("git init --quiet", *(shlex.join(each.argv) for each in (build, check) if each)))
        return check.model_copy(update={"argv": ("env", "npm_config_cache=/tmp/npm", "sh", "-c", line)})
    if check.argv[:1] == ("go",):
        # Tests that call the compiler write into its cache; what was prepared is read-only.
        return check.model_copy(update={"argv": ("env", "GOCACHE=/tmp/go-build", *check.argv)})
    return None

"""Lock files: what is locked, which of it the project itself asks for, and the commands that change it. A row each."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

Read = Callable[[str], str]
"""The text of a path; empty where there is none."""
Argv = tuple[str, ...]

_NAME = re.compile(r"@?[A-Za-z0-9_][A-Za-z0-9._~/-]{0,150}", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,80}", re.ASCII)
_LARGEST_ARCHIVE = 25 << 20
_ALONG = {"resolution-markers"}
"""Of a lock file's head, what an update may bring: of uv, a package that is another one on another Python."""
_GO_REQUIRE = re.compile(r"^\s*(?:require\s+)?(\S+)\s+(v\S+)\s*(//\s*indirect)?\s*$")


class Unreadable(Exception):
    """A lock file that cannot be understood; the message says why."""


class Locked(NamedTuple):
    """One version of a package, as a lock file has it. What is not from a registry is not listed."""

    name: str
    version: str
    direct: bool = False
    """Whether the project itself asks for it."""
    registry: str = ""
    url: str = ""
    """Of its archive, where the lock file says so."""
    digest: str = ""


@dataclass(frozen=True)
class Ecosystem:
    """How one kind of lock file is read and changed, by its own program."""

    kind: str
    locked: Callable[[Read, str], Iterator[Locked]]
    """Of the lock file at a path."""
    settle: Callable[[str], Argv]
    """In a folder: brings the lock file in line with its manifest, and leaves it alone where it is."""
    update: Callable[[str, Locked, str, date], tuple[Argv, ...]]
    """In a folder: one package, to a version; ``date``: nothing that was released on it or later."""
    audit: Callable[[str], Argv]
    """In a folder: known vulnerabilities, by a program that is not part of it."""
    silent: bool = False
    """That program prints nothing, and ends with 0, where it found nothing."""
    other_form: tuple[str, "Ecosystem"] | None = None
    """What a lock file of the same name says when it is of another form, and how that one is read and changed."""


def ecosystem_of(text: str, path: str) -> Ecosystem:
    """Of a lock file, by its name and its form."""
    found = ECOSYSTEMS[path.rpartition("/")[2]]
    return found.other_form[1] if found.other_form and found.other_form[0] in text else found


def packages(ecosystem: Ecosystem, read: Read, path: str) -> tuple[Locked, ...]:
    """All that a lock file has from registries.

    Raises:
        Unreadable: it is not what such a file is.
    """
    try:
        found = list(ecosystem.locked(read, path))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise Unreadable(f"it cannot be read: {type(problem).__name__}") from problem
    # Names go into commands, titles and addresses: what is not plainly one is left out of all of them.
    return tuple(each for each in found if _NAME.fullmatch(each.name) and _VERSION.fullmatch(each.version))


def written_anew(before: str, after: str) -> str:
    """What a command rewrote of a lock file beside packages with another version and who names them; empty: nothing.

    Another version of the program than the owner's writes the same facts otherwise, and nobody wants to review that.
    """
    try:
        was, becomes = _toml(before), _toml(after)
    except tomllib.TOMLDecodeError:
        return ""
    listed, lists = ({_key(one): one for one in each.pop("package", [])} for each in (was, becomes))
    changed = {name for name, _ in listed.keys() ^ lists.keys()}
    heads = [key for key in {**was, **becomes} if was.get(key) != becomes.get(key) and key not in _ALONG]
    others = [
        name
        for name, version in listed.keys() & lists.keys()
        if listed[name, version] != lists[name, version]
        if not any(f"'{each}" in f"{listed[name, version]} {lists[name, version]}" for each in changed)
    ]
    return ", ".join(heads or sorted(others)[:3])


def _key(package: Mapping[str, Any]) -> tuple[str, str]:
    return str(package.get("name")), str(package.get("version"))


def _toml(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


# Python, by uv.


def _uv_locked(read: Read, path: str) -> Iterator[Locked]:
    listed = _toml(read(path))["package"]
    ours = [each for each in listed if not {"virtual", "editable"}.isdisjoint(each["source"])]
    direct = {
        one["name"]
        for each in ours
        for group in (
            each.get("dependencies", []),
            *each.get("optional-dependencies", {}).values(),
            *each.get("dev-dependencies", {}).values(),
        )
        for one in group
    }
    for each in listed:
        if registry := each["source"].get("registry"):
            files = [one for one in (each.get("sdist"), *each.get("wheels", [])) if one and "url" in one]
            small = [one for one in files if one.get("size", 0) <= _LARGEST_ARCHIVE]
            file: dict[str, Any] = next(iter(small), {})
            yield Locked(
                each["name"],
                each["version"],
                each["name"] in direct,
                registry,
                file.get("url", ""),
                file.get("hash", ""),
            )


def _uv_update(folder: str, package: Locked, version: str, _until: date) -> tuple[Argv, ...]:
    return ((*_uv(folder), "--upgrade-package", f"{package.name}=={version}"),)


def _uv(folder: str) -> Argv:
    return ("uv", *(("--directory", folder) if folder else ()), "lock", "--no-python-downloads")


def _uv_audit(folder: str) -> Argv:
    return ("pip-audit", "-r", f"{folder or '.'}/{REQUIREMENTS}", "--no-deps", "--disable-pip", "-f", "json")


REQUIREMENTS = ".autonomy-requirements.txt"
"""What pip-audit is shown beside a `uv.lock`, which it does not read."""


# Python, by poetry and pdm: neither lock file says where anything is from, but where that is not the usual index.


def _listed_by_hash(direct_of: Callable[[dict[str, Any]], Iterator[str]]) -> Callable[[Read, str], Iterator[Locked]]:
    def locked(read: Read, path: str) -> Iterator[Locked]:
        folder, slash, _ = path.rpartition("/")
        wanted = {_plain(each) for each in direct_of(_toml(read(f"{folder}{slash}pyproject.toml") or ""))}
        for each in _toml(read(path))["package"]:
            source = each.get("source", {})
            files = [one for one in each.get("files", ()) if "hash" in one]
            if (
                source.get("type", "legacy") != "legacy"
                or not files
                or not {"path", "git", "editable"}.isdisjoint(each)
            ):
                continue
            name, registry = each["name"], source.get("url", "")
            yield Locked(
                name, each["version"], _plain(name) in wanted, registry, files[0].get("url", ""), files[0]["hash"]
            )

    return locked


def _plain(requirement: str) -> str:
    """The name of a requirement, as indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[(<>=!~;@]", requirement.strip(), maxsplit=1)[0]).lower()


def _of_project(manifest: dict[str, Any]) -> Iterator[str]:
    project = manifest.get("project", {})
    groups = (*project.get("optional-dependencies", {}).values(), *manifest.get("dependency-groups", {}).values())
    for group in (project.get("dependencies", ()), *groups):
        yield from (each for each in group if isinstance(each, str))


def _of_poetry(manifest: dict[str, Any]) -> Iterator[str]:
    yield from _of_project(manifest)
    tool = manifest.get("tool", {}).get("poetry", {})
    groups = [each.get("dependencies", {}) for each in tool.get("group", {}).values()]
    for group in (tool.get("dependencies", {}), tool.get("dev-dependencies", {}), *groups):
        yield from group


def _of_pdm(manifest: dict[str, Any]) -> Iterator[str]:
    yield from _of_project(manifest)
    for group in manifest.get("tool", {}).get("pdm", {}).get("dev-dependencies", {}).values():
        yield from group


def _poetry(folder: str, *words: str) -> Argv:
    return ("poetry", *(("--directory", folder) if folder else ()), "--no-interaction", *words)


def _poetry_settle(folder: str) -> Argv:
    # Until 2 it brings everything on where it is not told not to, and since then it knows no such word.
    return ("sh", "-c", 'poetry "$@" lock --no-update 2>/dev/null || poetry "$@" lock', *_poetry(folder))


def _pdm(folder: str, command: str, *words: str) -> Argv:
    # Told its interpreter, it leaves neither an environment nor a note about one in the tree.
    told = ("env", "PDM_PYTHON=/env/bin/python", "PDM_CHECK_UPDATE=0")
    return (*told, "pdm", command, *(("--project", folder) if folder else ()), *words)


# JavaScript, by npm.


def _npm_locked(read: Read, path: str) -> Iterator[Locked]:
    whole = json.loads(read(path))
    if whole.get("lockfileVersion", 0) < 2:  # noqa: PLR2004  # until npm 6
        raise Unreadable("it is of a form before npm 7: let a newer npm write it")
    listed = whole["packages"]
    ours = [each for place, each in listed.items() if "node_modules/" not in place]
    kinds = ("dependencies", "devDependencies", "optionalDependencies")
    direct = {name for each in ours for kind in kinds for name in each.get(kind, {})}
    for place, each in listed.items():
        name = place.rpartition("node_modules/")[2]
        url = each.get("resolved", "")
        # npm can be told to leave the address out; then its own registry is meant.
        registered = f"/{name}/-/" in url or (not url and each.get("integrity"))
        if name == place or each.get("link") or "name" in each or not registered:
            continue
        top = place == f"node_modules/{name}"
        registry = url.partition(f"/{name}/-/")[0]
        yield Locked(name, each["version"], top and name in direct, registry, url, each.get("integrity", ""))


def _npm_update(folder: str, package: Locked, _version: str, until: date) -> tuple[Argv, ...]:
    before = f"--before={until.isoformat()}"
    return ((*_npm(folder), "update", package.name, *_QUIETLY, before),)


_QUIETLY = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")


def _npm(folder: str) -> Argv:
    return ("npm", *(("--prefix", folder) if folder else ()))


# JavaScript, by pnpm.

_PNPM_PACKAGE = re.compile(r"^  '?/?(@?[^@'\s]+)@([^'(:\s]+)'?:\n    resolution: \{integrity: ([^,}\s]+)", re.MULTILINE)
_PNPM_ASKED = re.compile(r"^( +)'?(@?[^':\s]+)'?:\n\1  specifier: .*\n\1  version: '?([^'(\s]+)", re.MULTILINE)


def _pnpm_locked(read: Read, path: str) -> Iterator[Locked]:
    text = read(path)
    written = re.search(r"^lockfileVersion: '?(\d+)", text, re.MULTILINE)
    if written is None or int(written[1]) < 6:  # noqa: PLR2004  # until pnpm 7
        raise Unreadable("it is of a form before pnpm 8: let a newer pnpm write it")
    before, _, listed = text.partition("\npackages:\n")
    direct = {(found[2], found[3]) for found in _PNPM_ASKED.finditer(before)}
    for found in _PNPM_PACKAGE.finditer(listed.partition("\nsnapshots:\n")[0]):
        yield Locked(found[1], found[2], (found[1], found[2]) in direct, digest=found[3])


def _pnpm(folder: str, *words: str) -> Argv:
    return ("pnpm", *(("--dir", folder) if folder else ()), *words, "--ignore-scripts")


# JavaScript, by yarn: 1, whose lock file has a form of its own, and those after it, which write YAML.

_YARN_ENTRY = re.compile(r'^"?(\S.*?)"?:\n((?:  .*\n|\n(?=  ))+)', re.MULTILINE)
_YARN_FACT = re.compile(r'^  "?(version|resolved|integrity|resolution)"?:? "?([^"\n]+?)"?$', re.MULTILINE)
_YARN_OF_NPM = re.compile(r"(.+)@npm:([^:]+)")
_YARN_ASKED = re.compile(r"^  (?:d|devD|optionalD)ependencies:\n((?:    .*\n)+)", re.MULTILINE)
_YARN_NAME = re.compile(r'^    "?(@?[^":\s]+)"?:', re.MULTILINE)


def _yarn_1_locked(read: Read, path: str) -> Iterator[Locked]:
    text, (folder, slash, _) = f"{read(path)}\n", path.rpartition("/")
    if "yarn lockfile v1" not in text[:500]:
        raise Unreadable("it is not what yarn writes")
    manifest = json.loads(read(f"{folder}{slash}package.json") or "{}")
    kinds = ("dependencies", "devDependencies", "optionalDependencies")
    wanted_by_us = {f"{name}@{wanted}" for kind in kinds for name, wanted in manifest.get(kind, {}).items()}
    for found in _YARN_ENTRY.finditer(text):
        keys, facts = [each.strip('" ') for each in found[1].split(",")], dict(_YARN_FACT.findall(found[2]))
        name, url = keys[0].rpartition("@")[0], facts.get("resolved", "").partition("#")[0]
        if f"/{name}/-/" in url:
            registry, direct = url.partition(f"/{name}/-/")[0], not wanted_by_us.isdisjoint(keys)
            yield Locked(name, facts["version"], direct, registry, url, facts.get("integrity", ""))


def _yarn_locked(read: Read, path: str) -> Iterator[Locked]:
    entries = [(found[2], dict(_YARN_FACT.findall(found[2]))) for found in _YARN_ENTRY.finditer(f"{read(path)}\n")]
    ours = [body for body, facts in entries if "@workspace:" in facts.get("resolution", "")]
    direct = {name for body in ours for found in _YARN_ASKED.findall(body) for name in _YARN_NAME.findall(found)}
    for _, facts in entries:
        if found := _YARN_OF_NPM.fullmatch(facts.get("resolution", "")):
            # Its checksum is of the archive that yarn makes of it.
            yield Locked(found[1], found[2], found[1] in direct)


def _yarn(folder: str, *words: str) -> Argv:
    return ("yarn", *(("--cwd", folder) if folder else ()), *words)


# Only with all else, into a folder that goes away, does yarn 1 change a lock file.
_OF_YARN_1 = ("--ignore-scripts", "--non-interactive", "--no-progress")
_LOCK_ALONE = "--mode=update-lockfile"
_LATER_YARN = Ecosystem(
    "npm",
    _yarn_locked,
    lambda folder: _yarn(folder, "install", _LOCK_ALONE),
    lambda folder, package, _version, _until: (_yarn(folder, "up", "--recursive", package.name, _LOCK_ALONE),),
    lambda folder: _yarn(folder, "npm", "audit", "--all", "--recursive", "--json"),
    silent=True,
)


# Go.


def _go_locked(read: Read, path: str) -> Iterator[Locked]:
    folder, slash, _ = path.rpartition("/")
    lines = (line.split() for line in read(f"{folder}{slash}go.sum").splitlines())
    sums = {(line[0], line[1]): line[2] for line in lines if len(line) == 3}  # noqa: PLR2004  # module version hash
    within = False
    text = read(path)
    replaced = set(re.findall(r"^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>", text, re.MULTILINE))
    for line in text.splitlines():
        plain = line.split("//")[0].strip()
        within = (within or plain.startswith("require (")) and plain != ")"
        if not (within or plain.startswith("require ")):
            continue
        if (found := _GO_REQUIRE.match(line)) and found[1] not in replaced:
            yield Locked(found[1], found[2], not found[3], digest=sums.get((found[1], found[2]), ""))


def _go_update(folder: str, package: Locked, version: str, _until: date) -> tuple[Argv, ...]:
    return ((*_go(folder), "get", f"{package.name}@{version}"), (*_go(folder), "mod", "tidy"))


def _go(folder: str) -> Argv:
    return ("go", *(("-C", folder) if folder else ()))


# Rust, by cargo.


def _cargo_locked(read: Read, path: str) -> Iterator[Locked]:
    listed = _toml(read(path))["package"]
    wanted = {tuple(one.split()[:2]) for each in listed if "source" not in each for one in each.get("dependencies", [])}
    for each in listed:
        if each.get("source", "").startswith(("registry+", "sparse+")):
            name, version = each["name"], each["version"]
            direct = (name,) in wanted or (name, version) in wanted
            yield Locked(name, version, direct, digest=f"sha256:{each['checksum']}")


def _cargo_update(folder: str, package: Locked, version: str, _until: date) -> tuple[Argv, ...]:
    which = ("-p", f"{package.name}@{package.version}", "--precise", version)
    return (("cargo", "update", *_manifest(folder), *which),)


def _manifest(folder: str) -> Argv:
    return ("--manifest-path", f"{folder}/Cargo.toml") if folder else ()


ECOSYSTEMS: Mapping[str, Ecosystem] = {
    "uv.lock": Ecosystem("uv", _uv_locked, _uv, _uv_update, _uv_audit),
    "poetry.lock": Ecosystem(
        "uv",
        _listed_by_hash(_of_poetry),
        _poetry_settle,
        lambda folder, package, _version, _until: (_poetry(folder, "update", "--lock", package.name),),
        _uv_audit,
    ),
    "pdm.lock": Ecosystem(
        "uv",
        _listed_by_hash(_of_pdm),
        lambda folder: _pdm(folder, "lock", "--update-reuse"),
        lambda folder, package, _version, _until: (
            _pdm(folder, "update", "--no-sync", "--update-reuse", package.name),
        ),
        _uv_audit,
    ),
    "pnpm-lock.yaml": Ecosystem(
        "npm",
        _pnpm_locked,
        lambda folder: _pnpm(folder, "install", "--lockfile-only"),
        lambda folder, package, _version, _until: (
            _pnpm(folder, "update", package.name, "--lockfile-only", "--no-save"),
        ),
        lambda folder: _pnpm(folder, "audit", "--json")[:-1],
    ),
    "yarn.lock": Ecosystem(
        "npm",
        _yarn_1_locked,
        lambda folder: _yarn(folder, "install", *_OF_YARN_1),
        lambda folder, package, _version, _until: (_yarn(folder, "upgrade", package.name, *_OF_YARN_1),),
        lambda folder: _yarn(folder, "audit", "--json"),
        other_form=("\n__metadata:\n", _LATER_YARN),
    ),
    "package-lock.json": Ecosystem(
        "npm",
        _npm_locked,
        lambda folder: (*_npm(folder), "install", *_QUIETLY),
        _npm_update,
        lambda folder: (*_npm(folder), "audit", "--json", "--package-lock-only"),
    ),
    "go.mod": Ecosystem(
        "go",
        _go_locked,
        lambda folder: (*_go(folder), "mod", "tidy"),
        _go_update,
        lambda folder: ("govulncheck", *(("-C", folder) if folder else ()), "-format", "json", "./..."),
    ),
    "Cargo.lock": Ecosystem(
        "cargo",
        _cargo_locked,
        lambda folder: ("cargo", "update", "--workspace", *_manifest(folder)),
        _cargo_update,
        lambda folder: ("cargo-audit", "audit", "--json", "--file", f"{folder or '.'}/Cargo.lock"),
    ),
}
"""By the name of the lock file; which files an update changes: ``LOCK_FILES`` of the policy."""

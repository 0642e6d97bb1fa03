"""Builds the package of a tree inside the sandbox, without network, and never outside it."""

import hashlib
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from policies.settings.schema import SandboxLimits
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.removal import held_folder
from ports.sandbox import Command, Instead, Limits, Sandbox

_LARGEST_METADATA = 1 << 20
_BUILD = ("--isolated", "install", "--no-index", "--no-deps", "--no-build-isolation")
_QUIET = ("--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location", "--no-input")
_VERSION_VARIABLES = (
    "SETUPTOOLS_SCM_PRETEND_VERSION",  # hatch-vcs reads it too
    "PDM_BUILD_SCM_VERSION",
    "PBR_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "UV_DYNAMIC_VERSIONING_BYPASS",
)


def has_build_metadata(tree: Path) -> bool:
    """Whether there is anything that says how to build the tree."""
    if _read(tree / "setup.py") is not None or b"[metadata]" in (_read(tree / "setup.cfg") or b""):
        return True
    try:
        pyproject = tomllib.loads((_read(tree / "pyproject.toml") or b"").decode())
    except (ValueError, RecursionError):
        return True  # The build will say what is wrong with it.
    return "project" in pyproject or "build-system" in pyproject


def build_package(
    environment: CheckEnvironment,
    tree: Path,
    into: Path,
    pip: str,
    sandbox: Sandbox,
    limits: SandboxLimits,
    alive: Callable[[], None],
) -> None:
    """Build ``tree`` and put what would be installed into the new folder ``into``; ``pip`` is where ours is inside.

    Raises:
        EnvironmentUnavailable: the build failed; carries the end of its log.
    """
    with held_folder(into.parent / "building") as scratch:
        shutil.copytree(tree, scratch / "src", symlinks=True)
        command = Command(
            argv=("python", *_pip(environment, pip), *_BUILD, *_QUIET, "--target", "/work/out", "/work/src"),
            tree=scratch,
            limits=Limits.of(limits),
            environment=environment.environment | dict.fromkeys(_VERSION_VARIABLES, _version(tree)),
            read_only=environment.mounts,
            copies=tuple((source, f"src/{inside}") for source, inside in environment.copies),
            instead=_below_src(environment.instead),
        )
        result = sandbox.run(command, alive)
        log = result.output[-4000:].decode(errors="replace").strip()
        if result.exit_code != 0:
            how = f"was stopped ({result.killed_for})" if result.killed_for else f"failed (exit {result.exit_code})"
            raise EnvironmentUnavailable(
                f"the package's own build {how} in the sandbox; if it needs no build, set `environment.build = false`; "
                f"if it needs more packages, add them to `environment.packages`\n{log}"
            )
        built = scratch / "out"
        # A build may leave anything here, a link to a folder of ours included: only a real folder is mounted later.
        if built.is_symlink() or not built.is_dir():
            raise EnvironmentUnavailable(f"the package's build made nothing to install\n{log}")
        built.rename(into)


def _below_src(instead: Instead | None) -> Instead | None:
    return instead and replace(
        instead, files=tuple((f"src/{inside}", name, text) for inside, name, text in instead.files)
    )


def _pip(environment: CheckEnvironment, ours: str) -> tuple[str, ...]:
    """Ours, which comes by hash; the environment's own only where its interpreter is too old for ours (before 3.10)."""
    too_old = any(environment.path.glob("lib/python3.?/site-packages"))
    return ("-m", "pip") if too_old else (f"{ours}/__pip-runner__.py",)


def tree_digest(tree: Path) -> str:
    """SHA-256 over every path, kind, executable bit and content; links are not followed."""
    digest = hashlib.sha256()
    for path in sorted(_walk(tree)):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            kind, body = b"link", os.fsencode(path.readlink())
        else:
            kind, body = b"file" + str(status.st_mode & 0o111).encode(), path.read_bytes()
        name = os.fsencode(path.relative_to(tree))
        digest.update(b"%d %s %s %d\0" % (len(name), name, kind, len(body)) + body)
    return digest.hexdigest()


def _walk(tree: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(tree):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        yield from (Path(folder) / name for name in (*files, *links))


def _version(tree: Path) -> str:
    """Version control is not there to ask, so the version comes from a source distribution's metadata."""
    found = re.search(rb"^Version: *([0-9A-Za-z.!+_-]{1,80})\s*$", _read(tree / "PKG-INFO") or b"", re.MULTILINE)
    return found[1].decode() if found else "0.0.0"


def _read(path: Path) -> bytes | None:
    """A plain file's bytes; the tree may be hostile: no links, no devices, no giants."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_METADATA:
            return None
        return path.read_bytes()
    except OSError:
        return None

"""Installing agents: pinned, from npm or PyPI by their own clients; nothing of a package runs on this machine (P8)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.agents.recipes.recipe import RECIPES, Recipe, Registry, recipe_of
from adapters.environments.uv import run_uv
from adapters.environments.wheels import compile_bytecode
from policies.counted import shortened
from policies.settings.schema import SandboxLimits
from ports.environments import EnvironmentUnavailable
from ports.removal import remove_tree
from ports.sandbox import Limits, Sandbox

_MARK = "installed-by-autonomy.txt"
_NPM = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--loglevel=error")
_SECONDS = 1800.0
_LONGEST = 600


@dataclass(frozen=True)
class Installer:
    """Agents in folders of their own below one of ours."""

    folder: Path
    sandbox: Sandbox

    def installed(self) -> Mapping[str, str]:
        """Which are here, and as what: ``@openai/codex 0.169.0``."""
        found = {name: self.folder / name / _MARK for name in RECIPES}
        return {name: mark.read_text(encoding="utf-8").strip() for name, mark in found.items() if mark.is_file()}

    def missing(self, name: str) -> str:
        """Why a recipe's agent cannot work here; empty: it is here, at the recipe's version."""
        return unlike(self.folder / name, recipe_of(name))

    def install(self, name: str, alive: Callable[[], None]) -> str:
        """Install the recipe's version, in place of another one; already there is well.

        Raises:
            KeyError: there is no such recipe.
            EnvironmentUnavailable: it failed; says what to do.
        """
        recipe, place = recipe_of(name), self.folder / name
        wanted = pinned(recipe)
        if self.installed().get(name) == wanted:
            return wanted
        unfinished = self.folder / f"{name}.unfinished"
        remove_tree(unfinished)
        unfinished.mkdir(parents=True)
        try:
            {Registry.NPM: _npm, Registry.PYPI: self._pypi}[recipe.registry](recipe, unfinished, alive)
            (unfinished / _MARK).write_text(f"{wanted}\n", encoding="utf-8")
            remove_tree(place)
            unfinished.rename(place)
        finally:
            remove_tree(unfinished)
        return wanted

    def _pypi(self, recipe: Recipe, folder: Path, alive: Callable[[], None]) -> None:
        """Wheels only; once the first is unpacked its interpreter runs in the sandbox alone."""
        run_uv(
            ["venv", "--relocatable", "--no-project", "--allow-existing", "--python", sys.executable, str(folder)],
            alive,
        )
        link = folder / "bin" / "python"
        interpreter = link.readlink()
        how = ["--python", str(link), "--only-binary", ":all:", "--link-mode", "copy"]
        run_uv(["pip", "install", *how, f"{recipe.package}=={recipe.version}"], alive)
        compile_bytecode(folder, interpreter, self.sandbox, Limits.of(SandboxLimits()), alive)
        if not link.is_symlink() or link.readlink() != interpreter:
            raise EnvironmentUnavailable(
                f"{recipe.package} replaces its environment's interpreter: it is not installed"
            )


def pinned(recipe: Recipe) -> str:
    """Package and version."""
    return f"{recipe.package} {recipe.version}"


def unlike(folder: Path, recipe: Recipe) -> str:
    """Why what is in a folder of ours is not what the recipe was written for; empty: it is."""
    mark = folder / _MARK
    found = mark.read_text(encoding="utf-8").strip() if mark.is_file() else ""
    if not found:
        return f"{pinned(recipe)} is not installed"
    return "" if found == pinned(recipe) else f"{found} is installed, and the recipe is for {pinned(recipe)}"


def _npm(recipe: Recipe, folder: Path, _alive: Callable[[], None]) -> None:
    """By the operator's own npm and its configuration, in an empty folder: no script of a package is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise EnvironmentUnavailable(f"npm is missing: install Node (18.20 or newer) to install {recipe.title}")
    argv = [npm, "install", "--prefix", str(folder), *_NPM, f"{recipe.package}@{recipe.version}", *recipe.beside]
    with tempfile.TemporaryDirectory(prefix="autonomy-npm-") as empty:
        try:
            done = subprocess.run(
                argv, cwd=empty, env=os.environ, capture_output=True, timeout=_SECONDS, umask=0o022, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise EnvironmentUnavailable(f"npm did not end in {_SECONDS:g} s: is the registry reachable?") from late
    if done.returncode:
        output = shortened(done.stderr.decode(errors="replace").strip(), _LONGEST)
        raise EnvironmentUnavailable(f"npm could not install {pinned(recipe)}: {output}")

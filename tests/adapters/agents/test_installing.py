"""Installing an agent: pinned, no script of a package is run, and never half there."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.agents.installing import Installer
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from ports.environments import EnvironmentUnavailable

CODEX = "@openai/codex 0.169.0"
NPM = """#!/bin/sh
echo "$@" > {log}; ls -A > {log}.cwd
while [ "$1" != --prefix ]; do shift; done
echo made > "$2/made"
exit {status}
"""


def fake_npm(root: Path, monkeypatch: pytest.MonkeyPatch, status: int = 0) -> Path:
    """A client that notes how it was called."""
    folder, log = root / "bin", root / "log"
    folder.mkdir(exist_ok=True)
    (folder / "npm").write_text(NPM.format(log=log, status=status))
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return log


def test_an_agent_is_installed_once_at_the_recipes_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By npm in an empty folder, without scripts; another version is replaced, the same one left alone."""
    log = fake_npm(tmp_path, monkeypatch)
    installer = Installer(tmp_path / "agents", BubblewrapSandbox())
    assert f"{CODEX} is not installed" == installer.missing("codex")
    assert CODEX == installer.install("codex", lambda: None)
    said = log.read_text()
    assert "--ignore-scripts" in said
    assert said.endswith("@openai/codex@0.169.0\n")
    assert "" == (tmp_path / "log.cwd").read_text()
    assert ({"codex": CODEX}, "") == (installer.installed(), installer.missing("codex"))
    log.unlink()
    installer.install("codex", lambda: None)
    assert not log.exists()
    mark = tmp_path / "agents/codex/installed-by-autonomy.txt"
    mark.write_text("@openai/codex 0.1.0\n")
    assert f"@openai/codex 0.1.0 is installed, and the recipe is for {CODEX}" == installer.missing("codex")
    installer.install("codex", lambda: None)
    assert (CODEX, True) == (mark.read_text().strip(), log.exists())


def test_what_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what went wrong; without npm, what to install."""
    fake_npm(tmp_path, monkeypatch)
    installer = Installer(tmp_path / "agents", BubblewrapSandbox())
    installer.install("codex", lambda: None)
    mark = tmp_path / "agents/codex/installed-by-autonomy.txt"
    mark.write_text("@openai/codex 0.1.0\n")
    fake_npm(tmp_path, monkeypatch, status=1)
    with pytest.raises(EnvironmentUnavailable, match=r"npm could not install @openai/codex 0\.169\.0"):
        installer.install("codex", lambda: None)
    assert ["codex"] == [each.name for each in (tmp_path / "agents").iterdir()]
    assert "0.1.0" in mark.read_text()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentUnavailable, match="npm is missing: install Node"):
        installer.install("codex", lambda: None)

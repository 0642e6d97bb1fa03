"""What every demo begins with: a real package behind a bare remote, a fresh home, its target file."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import server_of
from commands.introduction import Asked, introduce
from commands.terminal import say
from composition import compose
from demo.repository import publish
from demo.source_distribution import Pin, fetch
from ports.removal import remove_tree
from settings import ROOT, Settings

_PACKAGE = "itsdangerous==1.1.0"
_FOLDER = ROOT / ".autonomy"


def chosen() -> Pin:
    """``DEMO_PACKAGE`` of the environment, or the default."""
    return Pin.parse(os.environ.get("DEMO_PACKAGE") or _PACKAGE)


def prepare(name: str, pin: Pin) -> tuple[Settings, str, Path]:
    """A fresh home and policy folder, the package behind a bare remote, and its target file."""
    folder = _FOLDER / name
    settings = Settings(home=folder / "home", policies=folder / "policies")
    if server_of(settings.home):
        raise CommandFailed(Exit.REFUSED, f"a server still runs on {settings.home}: stop it (Ctrl-C in its `up`) first")
    for old in ("home", "policies", "remote", "work"):
        remove_tree(folder / old)
    say(f"fetching the source distribution of {pin}; nothing of it is executed", "bold")
    package = fetch(pin, _FOLDER / "downloads", folder / "work")
    remote = folder / "remote" / f"{pin.name}.git"
    remote.parent.mkdir(parents=True)
    publish(package, remote, f"{pin} as released")
    (settings.policies / "targets").mkdir(parents=True)
    for file in (ROOT / "policies").glob("*.toml"):
        shutil.copy(file, settings.policies)
    say("looking at it, as `starter.py init` does", "bold")
    today = datetime.now(UTC).date()
    asked = Asked(str(remote), pin.name, None, f"make {name}", today)
    found = introduce(compose(settings), asked, lambda text: say(f"  {text}"))
    (settings.policies / "targets" / f"{pin.name}.toml").write_text(found.text, encoding="utf-8")
    return settings, pin.name, remote

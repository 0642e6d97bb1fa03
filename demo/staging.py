"""What every demo begins with (a real package behind a bare remote, a fresh home) and how it ends."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from commands.exit_statuses import Exit
from commands.failures import CommandFailed, explain
from commands.home import server_of
from commands.introduction import InitRequest, introduce
from commands.terminal import out, say, show
from composition import compose
from contracts.audit import AuditRecord
from demo.repository import publish
from demo.source_distribution import FetchFailed, Pin, fetch
from ports.removal import remove_tree
from settings import ROOT, Settings

_PACKAGE = "itsdangerous==1.1.0"
_FOLDER = ROOT / ".autonomy"
DOWNLOADS = _FOLDER / "downloads"
_TOLD = (
    *("outcome", "mode", "status", "reason", "actor", "cause", "incident", "scope", "action", "result", "decision"),
    *("source", "grade", "trial", "passed", "state", "ticket", "mergeSha", "treeSha", "expectedTree", "tree"),
)
_WIDEST = 110


def chosen() -> Pin:
    """``DEMO_PACKAGE`` of the environment, or the default."""
    return Pin.parse(os.environ.get("DEMO_PACKAGE") or _PACKAGE)


def fresh(name: str) -> Path:
    """A demo's own folder; of the last time only what was downloaded is left."""
    folder = _FOLDER / name
    if server_of(folder / "home"):
        raise CommandFailed(
            Exit.REFUSED, f"a server still runs on {folder / 'home'}: stop it (Ctrl-C in its `up`) first"
        )
    for old in ("home", "policies", "remote", "work"):
        remove_tree(folder / old)
    return folder


def ship(policies: Path) -> None:
    """The shipped policy files, and no target yet."""
    (policies / "targets").mkdir(parents=True)
    for file in (ROOT / "policies").glob("*.toml"):
        shutil.copy(file, policies)


def prepare(name: str, pin: Pin) -> tuple[Settings, str, Path]:
    """A fresh home and policy folder, the package behind a bare remote, and its target file."""
    folder = fresh(name)
    settings = Settings(home=folder / "home", policies=folder / "policies")
    say(f"fetching the source distribution of {pin}; nothing of it is executed", "bold")
    remote = introduced(
        settings, fetch(pin, DOWNLOADS, folder / "work"), pin.name, f"{pin} as released", f"make {name}"
    )
    return settings, pin.name, remote


def introduced(settings: Settings, package: Path, target: str, title: str, by: str) -> Path:
    """A folder as a target: behind a bare remote, which is returned, looked at as ``init`` does, its file written."""
    remote = settings.home.parent / "remote" / f"{target}.git"
    remote.parent.mkdir(parents=True, exist_ok=True)
    publish(package, remote, title)
    if not settings.policies.exists():
        ship(settings.policies)
    say("looking at it, as `starter.py init` does", "bold")
    request = InitRequest(str(remote), target, None, by, datetime.now(UTC).date())
    found = introduce(compose(settings), request, lambda text: say(f"  {text}"))
    (settings.policies / "targets" / f"{target}.toml").write_text(found.text, encoding="utf-8")
    return remote


def tell(settings: Settings, events: Iterable[str]) -> Exit:
    """The end of a demo: what happened, by the audit logs alone; and where the alerts are.

    Args:
        settings: where the logs are.
        events: the records that are told, in the order in which they were written.
    """
    say("what happened, by the audit logs", "bold")
    logs, wanted = compose(settings).audit, frozenset(events)
    found = [record for log in logs.logs() for record in logs.records(log) if record.event in wanted]
    for record in sorted(found, key=lambda record: (record.at, record.log, record.seq)):
        show(_line(record))
    show(f"\nalerts  {settings.home / 'alerts.jsonl'}")
    return Exit.OK


def _line(record: AuditRecord) -> str:
    facts = "; ".join(f"{name} {record.facts[name]}" for name in _TOLD if record.facts.get(name))
    text = f"{record.at:%H:%M:%S}  {record.log:<42}  {record.event}" + (f": {facts}" if facts else "")
    return text if len(text) <= _WIDEST + 50 else f"{text[: _WIDEST + 49]}…"


def ended(demo: Callable[[], Exit]) -> Exit:
    """Do it; its exit status, or that of what went wrong."""
    began = time.monotonic()
    try:
        status = demo()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except FetchFailed as problem:
        say(str(problem), "red")
        return Exit.TROUBLE
    except Exception as problem:
        failure = explain(problem)
        say(str(failure), "red")
        return failure.status
    out.print(f"done in {time.monotonic() - began:.0f} s", style="dim")
    return status

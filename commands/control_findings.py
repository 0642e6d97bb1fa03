"""What ``doctor`` says about the Installation and each target's Control: whether the brake answers there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from temporalio.client import Client

from commands.failures import Unreadable
from commands.sights import open_controls, registered, sight_installation, sight_targets

Found = tuple[str, bool, str, str]
"""Name, whether it is well, detail, remedy."""
_AGAIN = "ask again; the worker's log says more"


async def control_findings(client: Client, names: Iterable[str]) -> AsyncIterator[Found]:
    """One line each: one that does not answer says so itself, and hides nobody else."""
    installation = await sight_installation(client)
    if installation.problem is not None:
        remedy = installation.problem.remedy if isinstance(installation.problem, Unreadable) else _AGAIN
        yield "installation", False, str(installation.problem), remedy
    elif installation.view is None:
        gone = installation.ended.sentence() if installation.ended else "nothing has run here yet"
        yield "installation", installation.ended is None, gone, "start a worker: it starts the Installation again"
    else:
        yield "installation", True, f"{installation.view.status}, epoch {installation.view.epoch}", ""
    known = registered(installation) if installation.view else await open_controls(client)
    for name, seen in (await sight_targets(client, sorted(known.union(names)), known)).items():
        if seen.problem is not None:
            remedy = seen.problem.remedy if isinstance(seen.problem, Unreadable) else _AGAIN
            yield f"control {name}", False, str(seen.problem), remedy
        elif seen.view is not None:
            yield f"control {name}", True, f"{seen.view.status}, mode {seen.view.mode}", ""
        else:
            detail = f"its Control {seen.ended.sentence()}" if seen.ended else "not started: its first run opens it"
            yield f"control {name}", True, detail, ""

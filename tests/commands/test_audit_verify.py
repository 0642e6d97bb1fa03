"""``audit verify`` starts from what must exist: deleted, rewritten, and what cannot be found without a server (P10)."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shell import Shell, shell_of

from adapters.store.audit_chain import line_of, seal
from adapters.store.chained_log import ChainedLog
from composition import compose, open_repository
from contracts.audit import GENESIS, AuditEvent, AuditRecord
from contracts.dashboard import DASHBOARD
from contracts.incident import HumanFacts, IncidentReport, IncidentView, Trigger
from contracts.modes import Role
from tests.workflows.dashboard_desk import looked
from tests.workflows.quick import Turnstile, add_target, stopping
from workflows import api

if TYPE_CHECKING:
    from world import World

RUN_ID = "quick-2026-03-02-pr-1"
INCIDENT = f"INC-{RUN_ID}-policy-violation"
RUN = ("run", "demo", "--mode", "DRY_RUN", "--again", "--json")


def rewritten(world: World, log: str) -> None:
    """Change a fact of the second record and make the chain right again, its ref in the mirror, too."""
    kind, name = log.split("/")
    path = world.settings.artifacts / f"{kind}s" / name / "audit_log.jsonl"
    head, lines = GENESIS, []
    for line in path.read_text().splitlines():
        known = AuditRecord.model_validate_json(line)
        facts = known.facts | ({"reason": "nothing to see here"} if known.seq == 2 else {})
        event = AuditEvent(**{field: getattr(known, field) for field in AuditEvent.model_fields} | {"facts": facts})
        record = seal(event, log, known.seq, known.at, head)
        head = record.hash
        lines.append(line_of(record))
    path.write_bytes(b"".join(lines))
    mirror(world).anchor(log, head)


def mirror(world: World) -> Any:
    """Of target ``demo``."""
    adapters = compose(world.settings)
    return open_repository(world.settings, adapters.policies.effective("demo").target)


def forgotten(world: World, log: str) -> None:
    """Deleted, with its ref in the mirror."""
    kind, name = log.split("/")
    (world.settings.artifacts / f"{kind}s" / name / "audit_log.jsonl").unlink()
    [folder] = world.settings.mirrors.glob("demo-*.git")
    ref = folder / "refs/autonomy/anchors" / log
    ref.unlink()


async def bad(shell: Shell, *more: str) -> tuple[int, list[str]]:
    """Exit status, and the logs that are not ok."""
    done = await shell.typed("audit", "verify", "--json", *more)
    return done.status, [each["log"] for each in done.json["logs"] if each["problem"]]


async def test_a_log_that_is_gone_or_rewritten_is_found(installation: World) -> None:
    """With the server and without: by what names it, whatever happened to its file and to its ref."""
    shell = shell_of(installation)
    kept = installation.root / "kept"
    async with installation.worker():
        runs = [(await shell.typed(*RUN)).json["runId"] for _ in range(2)]
        await looked(installation, "demo")
        assert (0, []) == await bad(shell)
        keep(installation, kept)
        log = f"run/{runs[0]}"
        forgotten(installation, log)
        assert (17, [log]) == await bad(shell)
        back(installation, kept)
        assert (0, []) == await bad(shell)

    alone = Shell(shell.environment | {"TEMPORAL_ADDRESS": "127.0.0.1:1"})
    assert (0, []) == await bad(alone)
    assert 20 == (await bad(alone, "--with-server"))[0]
    keep(installation, kept)
    for log in (f"run/{runs[0]}", "target/demo"):
        for harm in (forgotten, rewritten):
            harm(installation, log)
            status, found = await bad(alone)
            assert 17 == status, (log, harm)
            assert log in found
            back(installation, kept)
    # The dashboard's log is named by its ref alone.
    (installation.settings.artifacts / "runs" / DASHBOARD / "audit_log.jsonl").unlink()
    assert (17, [f"run/{DASHBOARD}"]) == await bad(alone)


async def test_a_log_that_its_workflow_is_writing_was_not_tampered_with(world: World) -> None:
    """Between the record and its kept head, also when the worker went away there; at rest the same is a forgery."""
    add_target(world, "quick")
    shell, turnstile = shell_of(world), Turnstile()
    async with world.worker(stopping(world, turnstile)):
        await world.run("quick")
        report = IncidentReport(
            incident=INCIDENT, run_id=RUN_ID, trigger=Trigger.POLICY_VIOLATION, reason=".env touched"
        )
        await world.control("quick").execute_update(api.REPORT, report)
        incident = world.client.get_workflow_handle(api.incident_id("quick", INCIDENT))

        async def at_rest() -> bool:
            view: IncidentView = await incident.query(api.VIEW, result_type=IncidentView)
            return not view.waiting_for

        await world.until(at_rest)
        turnstile.close(**{incident.id: "effect"})
        await incident.execute_update(api.EDIT, HumanFacts(actor="ann", root_cause="a prompt", owner="ann"))
        await world.until(turnstile.all_reached())
        writing = await shell.typed("audit", "verify", INCIDENT, "--json")
        turnstile.open()
        await world.until(at_rest)
        log = ChainedLog(world.settings.artifacts)
        log.append(
            f"run/{INCIDENT}", (AuditEvent(key="f", role=Role.AUDIT, event="fine", facts={}),), datetime.now(UTC)
        )
        forged = await shell.typed("audit", "verify", INCIDENT, "--json")
    nobody = await shell.typed("audit", "verify", "quick", "--json", "--with-server")
    assert (0, True) == (writing.status, "in the middle of write_report" in writing.err), writing
    assert 17 == forged.status, forged.out
    assert (20, True) == (nobody.status, "Control cannot be asked" in nobody.err), nobody


def keep(world: World, kept: Path) -> None:
    """Artifacts and mirrors, to be put back."""
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(world.settings.home, kept, symlinks=True)


def back(world: World, kept: Path) -> None:
    """As they were."""
    for name in (world.settings.artifacts, world.settings.mirrors):
        shutil.rmtree(name)
        shutil.copytree(kept / name.relative_to(world.settings.home), name, symlinks=True)

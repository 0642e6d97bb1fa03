"""``audit verify``: the audit logs against the heads kept elsewhere (P10).

A log that was deleted is not there to be looked at: what names it is. So it starts from everything on this disk that
names a log or a head of one; whoever rewrites a log must rewrite all of this.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.api import LOG_TARGET
from commands.conversations import RUN_ID, ended_by_force, installation_status, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer
from commands.home import client_of
from commands.incident import INCIDENT, incident_view, target_of
from commands.rollback import ROLLBACK, rollback_handle, rollback_view
from commands.terminal import AsJson, emit, guarded, say, show
from composition import Adapters, ServerUnavailable, compose, open_repository
from contracts.admission import RunResult
from contracts.audit import RECORDS_LOST, AuditRecord, AuditVerification
from contracts.control import StatusView
from contracts.dashboard import DASHBOARD
from contracts.report import IndexedRun, RunReport
from policies.counted import counted
from ports.policy_source import PolicyError
from ports.repository import RepositoryError
from ports.store import StoreError
from settings import Settings
from workflows import api
from workflows.api import RUN_ATTRIBUTE

app = typer.Typer(help="The tamper-evident audit logs.", no_args_is_help=True)
_AGAIN = 2
_EVERY_RUN = 1_000_000
_REPORT = "run_report.json"
_FORCED = frozenset(
    {WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TIMED_OUT}
)


class Places:
    """The files and the mirrors of one home."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters
        self.there = frozenset(adapters.audit.logs())
        self.anchors: dict[str, dict[str, str]] = defaultdict(dict)
        """Log to mirror to the head it keeps."""
        self.past: dict[str, dict[str, str]] = defaultdict(dict)
        """Log to head to where that is kept."""
        named = {*self._in_mirrors(), *self._in_index()}
        for log in sorted(self.there):
            named.update(self._in_log(log))
        self.expected = tuple(sorted(self.there | named))

    def head(self, log: str) -> str | None:
        """The head of the log file as it is now; None if it is missing or damaged."""
        try:
            return self._adapters.audit.head(log)
        except StoreError:
            return None

    def _in_mirrors(self) -> Iterator[str]:
        for name in self._adapters.policies.names():
            try:
                policy = self._adapters.policies.effective(name)
                kept = open_repository(self._adapters.settings, policy.target).anchors()
            except (PolicyError, RepositoryError) as problem:
                say(f"{name}: the mirror cannot be asked: {problem}")
                continue
            for log, head in kept.items():
                self.anchors[log][name] = head
                yield log

    def _in_index(self) -> Iterator[str]:
        for run in self._ended():
            log = f"run/{run.run_id}"
            yield log
            for head in self._in_report(run):
                self.past[log][head] = f"the report of {run.run_id}"

    def _ended(self) -> tuple[IndexedRun, ...]:
        try:
            return self._adapters.index.latest(_EVERY_RUN)
        except StoreError as problem:
            say(f"what the index of runs names is not known: {problem}")
            return ()

    def _in_report(self, run: IndexedRun) -> Iterable[str]:
        ref = self._adapters.store.find(run.run_id, _REPORT)
        if ref is None:
            return ()
        try:
            report = RunReport.model_validate_json(self._adapters.store.get(ref))
        except (StoreError, ValidationError) as problem:
            say(f"{_REPORT} of {run.run_id} cannot be read: {problem}")
            return ()
        heads = [report.audit_head, *(step.audit_head for step in report.steps)]
        return [head for head in (*heads, *(write.audit_head for write in report.writes)) if head]

    def _in_log(self, log: str) -> Iterator[str]:
        """A target's log names its runs with their heads, and a run's log the head of its target's."""
        kind, _, name = log.partition("/")
        try:
            for record in self._adapters.audit.records(log):
                yield from self._named(record) if kind == "target" else ()
                run = RUN_ID.fullmatch(name) if kind == "run" and record.event == "run issued" else None
                if run and (head := record.facts.get("targetHead")):
                    target = f"target/{run['target']}"
                    self.past[target][str(head)] = f"the log of {name}"
                    yield target
        except StoreError:
            # A damaged one is named when it is verified.
            return

    def _named(self, record: AuditRecord) -> Iterator[str]:
        run_id, head = record.facts.get("runId"), record.facts.get("audit_head")
        if record.event == RECORDS_LOST and head:
            self.past[record.log][str(head)] = "its own record of a loss"
        if record.event == "run closed" and run_id and head:
            self.past[f"run/{run_id}"][str(head)] = f"the log {record.log}"
            yield f"run/{run_id}"


@app.callback()
def audit() -> None:
    """Keep ``verify`` a subcommand, although it is the only one."""


@app.command()
@guarded
async def verify(
    what: Annotated[str | None, typer.Argument(help="A run id or a target; default: all logs.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All logs; the default.")] = False,
    with_server: Annotated[
        bool, typer.Option("--with-server", help="Exit with 20 if the Temporal histories cannot be compared.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Recompute the hash chains and compare their heads with those in the mirror and in the Temporal history.

    Names the first bad record: changed, dropped, repeated, moved, cut off, or a file replaced or deleted: every log
    counts that anything names, not only those that are there. Without a server only what is on this disk is compared:
    whoever rewrote all of that is not found; with --with-server this is exit status 20, never 0.
    """
    adapters = compose(Settings())
    places = Places(adapters)
    logs = [log for log in places.expected if what is None or log.split("/", 1)[1] == what]
    if everything and what is not None:
        raise CommandFailed(Exit.USAGE, "name one log, or give --all")
    if what is not None and not logs:
        # A log that is gone is not "nothing to verify".
        what_of = what.removeprefix(ROLLBACK)
        of_run = RUN_ID.fullmatch(what_of) or INCIDENT.fullmatch(what)
        logs = [f"run/{what}" if of_run else f"target/{what}"]
        if not of_run:
            # Neither a log nor a file nor anything that names it: a slip of the pen, and nobody's crime.
            adapters.policies.effective(what)
    try:
        client: Client | None = await client_of(adapters.settings)
    except ServerUnavailable as absent:
        say(
            "only what is on this disk is compared; a log that was rewritten together with the mirror, the reports and "
            f"the other logs cannot be found without the server: {absent}"
        )
        client = None
    heads = Heads(adapters, client, places)
    if client is not None and what is None:
        logs = sorted({*logs, *await heads.known_to_server(client)})
    results = [await _verified(adapters, heads, log) for log in logs]
    bad = [result for result in results if result.problem]
    if as_json:
        emit(
            {
                "ok": not bad,
                "server": client is not None,
                "logs": [result.model_dump(mode="json", by_alias=True) for result in results],
            }
        )
    else:
        for result in results:
            _show(result)
        records = counted(sum(result.records for result in results), "record")
        show(f"{counted(len(results), 'log')}, {records}, {len(bad)} bad")
    if bad:
        return Exit.TAMPERED
    return Exit.NO_SERVER if with_server and (client is None or heads.unasked) else Exit.OK


class Heads:
    """Where else the head of a log is kept."""

    def __init__(self, adapters: Adapters, client: Client | None, places: Places) -> None:
        self._adapters = adapters
        self._places = places
        self._client = client
        self._loose: dict[str, dict[str, str]] = {}
        self._silent: set[str] = set()
        self.unasked = False
        """Whether a history could not be compared, although there is a server."""

    async def of(self, log: str) -> dict[str, str]:
        """Anchor name to head; a mirror that cannot be read is left out, and reported."""
        kind, name = log.split("/", 1)
        if (kind, name) == ("run", DASHBOARD):
            return shared_head(self._places)[0]
        if kind == "run" and INCIDENT.fullmatch(name):
            return await self._of_incident(name)
        if kind == "run" and name.startswith(ROLLBACK):
            return await self._of_rollback(name.removeprefix(ROLLBACK))
        match = RUN_ID.fullmatch(name) if kind == "run" else None
        target = name if kind == "target" else match["target"] if match else ""
        anchors = self._in_mirror(log, target)
        if self._client is not None:
            kept, forced = await self._in_temporal(self._client, kind, name, target)
            if kept:
                anchors["temporal"] = kept
            if forced:
                return self._only_in_the_chain(log, anchors, "ended by force, or reset")
        return anchors

    async def of_a_writer_at_work(self, log: str) -> dict[str, str] | None:
        """The anchors while its workflow is in the middle of an activity; None while it is not.

        What is being written, or was when a worker went away, stands in the log before its head is kept anywhere.
        """
        if self._client is None or (owner := _owner(log)) is None:
            return None
        try:
            seen = await self._client.get_workflow_handle(owner).describe()
        except RPCError:
            return None
        doing = [pending.activity_type.name for pending in seen.raw_description.pending_activities]
        if log.startswith("target/"):
            # Control's other activities write nothing there.
            doing = [name for name in doing if name == LOG_TARGET.name]
        if not doing:
            return None
        return self._only_in_the_chain(log, await self.of(log), f"its workflow is in the middle of {', '.join(doing)}")

    def _only_in_the_chain(self, log: str, anchors: dict[str, str], why: str) -> dict[str, str]:
        """What was going on when it was ended by force, or goes on since a reset, may write behind every kept head."""
        say(f"{log}: {why}: the heads that are kept must be in the chain, but need not end it")
        self._loose[log] = {kept: f"the {anchor}" for anchor, kept in anchors.items()}
        return {}

    def past(self, log: str) -> dict[str, str]:
        """The heads that the log must contain, and where each is kept."""
        shared = shared_head(self._places)[1] if log == f"run/{DASHBOARD}" else {}
        return self._places.past.get(log, {}) | shared | self._loose.get(log, {})

    async def _of_incident(self, incident: str) -> dict[str, str]:
        target = target_of(incident)
        anchors = self._in_mirror(f"run/{incident}", target)
        view = None
        try:
            view = await incident_view(self._client, target, incident) if self._client else None
        except (NoAnswer, RPCError) as problem:
            self._not_asked(f"run/{incident}: its incident cannot be asked: {problem}")
        return anchors | ({"temporal": view.audit_head} if view and view.audit_head else {})

    async def _of_rollback(self, run_id: str) -> dict[str, str]:
        match = RUN_ID.fullmatch(run_id)
        anchors = self._in_mirror(f"run/{ROLLBACK}{run_id}", match["target"] if match else "")
        view = await rollback_view(self._client, run_id) if self._client else None
        anchors |= {"temporal": view.audit_head} if view and view.audit_head else {}
        if view and self._client and await ended_by_force(self._client, rollback_handle(self._client, run_id)):
            return self._only_in_the_chain(f"run/{ROLLBACK}{run_id}", anchors, "ended by force, or reset")
        return anchors

    def _in_mirror(self, log: str, target: str) -> dict[str, str]:
        try:
            policy = self._adapters.policies.effective(target)
            kept = open_repository(self._adapters.settings, policy.target).anchored(log)
        except (PolicyError, RepositoryError) as problem:
            say(f"{log}: the mirror cannot be asked: {problem}")
            return {}
        return {"mirror ref": kept} if kept else {}

    async def _in_temporal(self, client: Client, kind: str, name: str, target: str) -> tuple[str, bool]:
        """The head that the histories have, and whether records may follow it."""
        view = await self._status(client, target)
        if kind == "target":
            return view.log_head if view else "", False
        booked = next((run for run in (*view.active, *view.recent) if run.run_id == name), None) if view else None
        head = booked.audit_head if booked else ""
        if '"' in name or "\\" in name:
            return head, False
        # A run that was reset has several: what the latest says of itself is the latest there is.
        executions = [found async for found in client.list_workflows(f'{RUN_ATTRIBUTE.name} = "{name}"')]
        latest = max(executions, key=lambda found: found.start_time, default=None)
        if latest is None:
            return head, False
        if latest.status is WorkflowExecutionStatus.COMPLETED:
            handle = client.get_workflow_handle(latest.id, run_id=latest.run_id, result_type=RunResult)
            result: RunResult = await handle.result()
            return result.audit_head or head, False
        # A cancelled run ends in order, with its last word to Control; one that was never closed still writes.
        ended = booked is not None and booked.closed_at is not None
        return head, latest.status is not WorkflowExecutionStatus.CANCELED and (ended or latest.status in _FORCED)

    async def known_to_server(self, client: Client) -> set[str]:
        """Logs that the server names: of its targets, and of every run that it still has."""
        found: set[str] = set()
        try:
            view = await installation_status(client)
            for target in view.targets if view else ():
                status = await self._status(client, target.name)
                found |= {f"target/{target.name}"} if status and status.log_head else set()
        except (NoAnswer, RPCError) as problem:
            self._not_asked(f"which targets the server knows is not known: {problem}")
        try:
            async for run in client.list_workflows('WorkflowType = "DailyRun" AND AutonomyRunId IS NOT NULL'):
                if run_id := run.typed_search_attributes.get(RUN_ATTRIBUTE):
                    found.add(f"run/{run_id}")
        except RPCError as problem:
            self._not_asked(f"which runs the server knows is not known: {problem}")
        return found

    async def _status(self, client: Client, target: str) -> StatusView | None:
        """What Control says now; None: there is none, or it did not answer, which is said, and it is asked no more."""
        if target in self._silent:
            return None
        try:
            return await target_status(client, target)
        except (NoAnswer, RPCError) as problem:
            self._silent.add(target)
            self._not_asked(f"{target}: Control cannot be asked: {problem}")
            return None

    def _not_asked(self, why: str) -> None:
        self.unasked = True
        say(why)


def _owner(log: str) -> str | None:
    """The workflow that writes a log as it goes; None for a run, whose head is first kept at its end."""
    kind, name = log.split("/", 1)
    if kind == "target":
        return api.control_id(name)
    if name == DASHBOARD:
        return api.DASHBOARDS_ID
    if INCIDENT.fullmatch(name):
        return api.incident_id(target_of(name), name)
    return api.rollback_id(name.removeprefix(ROLLBACK)) if name.startswith(ROLLBACK) else None


async def _verified(adapters: Adapters, heads: Heads, log: str) -> AuditVerification:
    result = adapters.audit.verify(log, await heads.of(log), heads.past(log))
    for _ in range(_AGAIN):
        if result.problem is None:
            break
        # A log that grew between two looks shows the same face as a forged one, for a moment.
        await asyncio.sleep(0.5)
        result = adapters.audit.verify(log, await heads.of(log), heads.past(log))
    if result.problem and (anchors := await heads.of_a_writer_at_work(log)) is not None:
        result = adapters.audit.verify(log, anchors, heads.past(log))
    return result


def _show(result: AuditVerification) -> None:
    kept = ", ".join(result.anchors) or "no other place"
    if result.problem is None:
        show(f"ok      {result.log}  {counted(result.records, 'record')}, head {result.head[:12]} also in: {kept}")
    else:
        show(f"not ok  {result.log}  record {result.problem.seq}: {result.problem.problem}", "red")


def shared_head(places: Places) -> tuple[dict[str, str], dict[str, str]]:
    """The heads of the dashboard's log, which all targets share: of mirrors that hold its end, and past ones."""
    log = f"run/{DASHBOARD}"
    kept, end = places.anchors.get(log, {}), places.head(log)
    latest = {f"mirror ref of {name}": head for name, head in kept.items() if head == end}
    past = {head: f"the mirror of {name}" for name, head in kept.items() if head != end}
    # None of them is its end: then all of them say so.
    return (latest, past) if latest else ({f"mirror ref of {name}": head for name, head in kept.items()}, {})

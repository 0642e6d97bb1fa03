"""The one checker after every fault: whatever happened, these are true of a world at rest.

It reads files, refs and processes itself and trusts no adapter's word but the audit chain's arithmetic, which has
tests of its own. A worker must be running: Control is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from incident_checker import incidents_unsound
from rollback_checker import rollbacks_unsound
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from world import World, git

from adapters.git.mirror import open_mirror
from adapters.policy_files import PolicyFiles
from adapters.store.chained_log import ChainedLog
from contracts.admission import RunRecord, RunResult
from contracts.audit import AuditRecord
from contracts.control import StatusView
from contracts.dashboard import DASHBOARD, dashboard_key
from contracts.modes import GREEN_STATUSES, RunStatus
from contracts.report import IndexedRun, RunReport

GIT_LOCKS = ("HEAD.lock", "index.lock", "config.lock", "packed-refs.lock", "shallow.lock")


class Unsound(AssertionError):
    """Everything found wrong, one sentence a line."""


async def check_world(
    world: World,
    at_least: int = 1,
    started: Iterable[str] = (),
    abandoned: Iterable[str] = (),
    patience: float = 60,
) -> None:
    """Raise with every violation that is still there after ``patience`` seconds.

    Args:
        world: at rest, with a worker running.
        at_least: how many runs must have ended green.
        started: workflow ids whose start was acknowledged.
        abandoned: run ids whose history the test destroyed; they need no end.
        patience: logs and visibility follow the facts within seconds.
    """
    end = time.monotonic() + patience
    while violations := await _Look(world, at_least, tuple(started), frozenset(abandoned)).violations():
        if time.monotonic() > end:
            raise Unsound("\n".join(violations))
        await asyncio.sleep(0.5)


class _Look:
    """One look at everything."""

    def __init__(self, world: World, at_least: int, started: tuple[str, ...], abandoned: frozenset[str]) -> None:
        self.world = world
        self.at_least = at_least
        self.started = started
        self.abandoned = abandoned
        self.artifacts = world.settings.artifacts
        self.log = ChainedLog(self.artifacts)
        self.policies = PolicyFiles(world.settings.policies)
        self.closed: dict[str, RunRecord] = {}
        self.results: dict[str, RunResult] = {}
        self.found: list[str] = []

    async def violations(self) -> list[str]:
        await self._starts()
        for target in self.policies.names():
            await self._control(target)
        self.found += await incidents_unsound(self.world)
        self.found += await rollbacks_unsound(self.world)
        reports = [report for log in self.log.logs() if (report := self._run(log)) is not None]
        green = sum(report.status in GREEN_STATUSES for report in reports)
        if green < self.at_least:
            self.found.append(f"only {green} of at least {self.at_least} runs ended green")
        for target in self.policies.names():
            if (self.world.root / f"{target}.git").exists():
                self._remote(target)
                self._git(target)
        self._left_over()
        return self.found

    async def _starts(self) -> None:
        for workflow_id in self.started:
            try:
                await self.world.client.get_workflow_handle(workflow_id).describe()
            except RPCError as absent:
                self.found.append(f"the acknowledged start {workflow_id} is in no history: {absent.message}")
        listed = [seen async for seen in self.world.client.list_workflows("WorkflowType = 'DailyRun'")]
        # Of a run that was reset by hand, the last execution counts.
        for seen in sorted(listed, key=lambda seen: seen.start_time):
            if seen.status is WorkflowExecutionStatus.RUNNING:
                self.found.append(f"run {seen.id} has not ended")
            if seen.status is WorkflowExecutionStatus.COMPLETED:
                handle = self.world.client.get_workflow_handle(seen.id, run_id=seen.run_id, result_type=RunResult)
                result = await handle.result()
                if result.audit_head:
                    self.results[result.run_id] = result

    async def _control(self, target: str) -> None:
        try:
            view = await self.world.status(target)
        except RPCError:
            if f"target/{target}" in self.log.logs():
                self.found.append(f"Control of {target} does not answer")
            return
        self.closed |= {run.run_id: run for run in view.recent}
        self.found += [f"write {write.key} is still open" for write in view.writes]
        self.found += [f"run {run.run_id} is still active in Control's books" for run in (*view.active, *view.queued)]
        self._chain(f"target/{target}", target, view)

    def _chain(self, log: str, target: str, view: StatusView | None) -> None:
        """The chain verifies, and the heads kept in the mirror and in Temporal's history are its head."""
        anchors = {}
        kept = open_mirror(self.world.settings.mirrors)(self.policies.effective(target).target).anchored(log)
        run_id = log.removeprefix("run/")
        temporal = view.log_head if view else ""
        if run_id in self.results:
            temporal = self.results[run_id].audit_head
        elif run_id in self.closed:
            temporal = self.closed[run_id].audit_head
        if kept:
            anchors["mirror ref"] = kept
        if temporal:
            anchors["temporal"] = temporal
        if log not in self.log.logs():
            if anchors:
                self.found.append(f"the audit log {log} is gone")
            return
        verified = self.log.verify(log, anchors)
        if verified.problem:
            self.found.append(f"audit log {log}, record {verified.problem.seq}: {verified.problem.problem}")
        ended = run_id in self.results or log.startswith("target/")
        if ended and set(anchors) != {"mirror ref", "temporal"}:
            self.found.append(f"the head of {log} is kept only in: {', '.join(anchors) or 'nothing'}")

    def _run(self, log: str) -> RunReport | None:
        """A run that was issued ended once, with one report, and everything the report names is there."""
        run_id = log.removeprefix("run/")
        if log == run_id or run_id in self.abandoned or run_id.startswith(("INC-", "RB-")) or run_id == DASHBOARD:
            return None
        lost = run_id in self.closed and self.closed[run_id].status is RunStatus.LOST
        ends = [record for record in self.log.records(log) if record.event == "run ended"]
        place = self.artifacts / "runs" / run_id / "run_report.json"
        indexed = [entry for entry in self._index() if entry.run_id == run_id]
        if lost and not (ends or indexed or place.exists()):
            return None
        if len(ends) != 1:
            self.found.append(f"run {run_id} has {len(ends)} `run ended` records, not 1")
        if len(set(indexed)) != 1:
            self.found.append(f"run {run_id} has {len(set(indexed))} different index entries, not 1")
        if not place.exists():
            self.found.append(f"run {run_id} has no run_report.json")
            return None
        try:
            report = RunReport.model_validate_json(place.read_bytes())
        except ValueError as damage:
            self.found.append(f"run_report.json of {run_id} does not parse: {str(damage).splitlines()[0]}")
            return None
        self._chain(log, report.run.target, None)
        said = {report.status, *(entry.status for entry in indexed)}
        said |= {self.closed[run_id].status} if run_id in self.closed and not lost else set()
        if len(said) != 1:
            self.found.append(f"run {run_id} ended as {', '.join(sorted(said))} at once")
        for ref in report.artifacts:
            self._artifact(run_id, ref.name, ref.location, ref.sha256)
        return report

    def _index(self) -> list[IndexedRun]:
        place = self.artifacts / "runs" / "index.jsonl"
        lines = place.read_text().splitlines() if place.exists() else []
        return [IndexedRun.model_validate_json(line) for line in lines]

    def _artifact(self, run_id: str, name: str, location: str, digest: str) -> None:
        place = self.artifacts / location
        if not place.exists():
            self.found.append(f"artifact {name} of {run_id} is gone")
            return
        body = place.read_bytes()
        if hashlib.sha256(body).hexdigest() != digest:
            self.found.append(f"artifact {name} of {run_id} is not what its digest says")
        elif name.endswith(".json"):
            try:
                json.loads(body)
            except ValueError:
                self.found.append(f"artifact {name} of {run_id} is no JSON")

    def _remote(self, target: str) -> None:
        """Each effect once, under its key, as the remote shows it, and none without a clearance in the logs."""
        begun = [record for record in self._records(f"target/{target}") if record.event == "write begun"]
        pulls, tickets = self._forge(target, "pulls"), self._forge(target, "tickets")
        refs = self.world.refs(target)
        for what, records in (("pull requests", pulls), ("tickets", tickets)):
            for key, count in Counter(str(record["runKey"]) for record in records).items():
                if count > 1:
                    self.found.append(f"{target} has {count} {what} under the key {key}")
        for branch, count in Counter(str(pull["branch"]) for pull in pulls).items():
            if count > 1:
                self.found.append(f"{target} has {count} pull requests of branch {branch}")
        for written in (*pulls, *tickets):
            if written["runKey"] == dashboard_key(target):
                self._dashboard(target, begun)
            else:
                self._cleared(str(written["runKey"]), begun)
        for pull in pulls:
            head = refs.get(f"refs/heads/{pull['branch']}")
            if head != pull["headSha"]:
                self.found.append(
                    f"pull request {pull['number']} of {target} shows {pull['headSha']}, its branch {head}"
                )
        for ref, head in refs.items():
            if not ref.startswith("refs/heads/autonomy/"):
                continue
            keys = [
                str(r.facts["key"]) for r in begun if (r.facts["action"], r.facts["headSha"]) == ("push_branch", head)
            ]
            if not keys:
                self.found.append(f"{ref} of {target} is at {head}, which no begun push may write")
            elif not any(self._in_run_log(key) for key in keys):
                self.found.append(f"{ref} of {target} was pushed without a cleared write in a run's log")

    def _cleared(self, key: str, begun: list[AuditRecord]) -> None:
        if key not in {record.facts["key"] for record in begun}:
            self.found.append(f"{key} was written without a begun clearance in the target's log")
        elif not self._in_run_log(key):
            self.found.append(f"{key} was written without a cleared write in its run's log")

    def _dashboard(self, target: str, begun: list[AuditRecord]) -> None:
        """One ticket, written again and again, each time under a key of its own."""
        keys = [str(r.facts["key"]) for r in begun if str(r.facts["key"]).startswith(f"{DASHBOARD}/")]
        if not any(self._in_run_log(key) for key in keys):
            self.found.append(f"the dashboard of {target} was written without a cleared write in its log")

    def _in_run_log(self, key: str) -> bool:
        log = f"run/{key.rsplit('/', 1)[0]}"
        return any(r.event == "write cleared" and r.key.startswith(f"{key}/") for r in self._records(log))

    def _records(self, log: str) -> list[AuditRecord]:
        return list(self.log.records(log)) if log in self.log.logs() else []

    def _forge(self, target: str, kind: str) -> list[dict[str, object]]:
        folder = self.world.settings.home / "forge" / target / kind
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]

    def _git(self, target: str) -> None:
        remote, work = self.world.root / f"{target}.git", self.world.root / f"{target}-work"
        for repository in (remote, *self.world.settings.mirrors.glob(f"{target}-*.git")):
            try:
                git("fsck", "--full", "--no-dangling", cwd=repository)
            except Exception as broken:
                self.found.append(f"git fsck of {repository.name} is not clean: {broken}")
            self.found += [f"{repository.name} keeps the lock {lock}" for lock in _locks(repository)]
        self._base(target, git("rev-parse", "HEAD", cwd=work))

    def _base(self, target: str, left_at: str) -> None:
        """The base is where people left it, or moved on by merges of ours: each cleared, each of the checked tree."""
        remote = self.world.root / f"{target}.git"
        now = self.world.refs(target).get("refs/heads/main", "")
        begun = [record for record in self._records(f"target/{target}") if record.event == "write begun"]
        cleared = {
            str(r.facts["headSha"]): str(r.facts["key"]) for r in begun if r.facts["action"] in {"merge", "revert"}
        }
        while now != left_at:
            if now not in cleared:
                self.found.append(f"the base branch of {target} is at {now}, put there by nobody")
                return
            self._cleared(cleared[now], begun)
            run_id, action = cleared[now].rsplit("/", 1)
            checks = self.artifacts / "runs" / run_id / "checks" / "checks.json"
            tree = git("rev-parse", f"{now}^{{tree}}", cwd=remote)
            # What a rollback merges is judged by `rollback_checker`.
            checked = action == "merge" and not run_id.startswith("RB-")
            if checked and json.loads(checks.read_text())["treeSha"] != tree:
                self.found.append(f"{now} on the base of {target} holds another tree than the checked one")
            now = git("rev-parse", f"{now}^1", cwd=remote)

    def _left_over(self) -> None:
        home = self.world.settings.home
        for folder in (home / "scratch", self.artifacts / "tmp", *home.glob("mirrors/*/private")):
            if folder.is_dir():
                self.found += [f"{path} is left over" for path in folder.iterdir() if path.name != ".lock"]
        self.found += [f"{path} is left over" for path in home.glob("mirrors/.new-*")]
        self.found += [f"process {pid} is left over: {line[:200]}" for pid, line in _processes(self.world.root)]


def _locks(repository: Path) -> Iterator[Path]:
    yield from (repository / name for name in GIT_LOCKS if (repository / name).exists())
    yield from (repository / "refs").rglob("*.lock")


def _processes(root: Path) -> Iterator[tuple[int, str]]:
    """Processes with the world's path on their command line; workers know it from their environment only."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(root) in line and int(place.name) != os.getpid():
            yield int(place.name), line

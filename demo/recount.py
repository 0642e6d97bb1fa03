"""What a review should say, counted again from the raw files: with ``json`` alone, and none of the code that made it.

The formulas are those of the table in docs/design.md ("Governance review"), written down a second time; so are the
rules by which a kind of task earns SELECTIVE_AUTO. Where both agree, one of them is not simply wrong.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

_WEEK = timedelta(days=7)
QUIET = timedelta(days=30)
_DAYS, _PULLS, _MERGES, _REGRESSIONS = 14, 20, 10, 0.05
Raw = dict[str, Any]


@dataclass
class Counted:
    """A run, as its target's log and its own files tell it."""

    target: str
    run_id: str
    ended: datetime | None = None
    opened: datetime | None = None
    merged: datetime | None = None
    by: str = ""
    closed: datetime | None = None
    violation: bool = False
    regressed: bool = False
    undone: bool = False
    usd: float = 0
    tokens: int = 0
    unknown: set[str] = field(default_factory=set)
    report: Raw = field(default_factory=dict)
    contract: Raw = field(default_factory=dict)
    checks: Raw = field(default_factory=dict)
    decision: Raw = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """As its report says."""
        return str(self.report["run"]["mode"])

    @property
    def type(self) -> str:
        """Of its task; empty: none was planned."""
        return str(self.contract.get("type", ""))


class Log:
    """One target's audit log, read once and read on."""

    def __init__(self, artifacts: Path, target: str) -> None:
        self.artifacts, self.target = artifacts, target
        self._path = artifacts / "targets" / target / "audit_log.jsonl"
        self._read = 0
        self.first: datetime | None = None
        self.runs: dict[str, Counted] = {}
        self.critical: list[datetime] = []
        self.days: dict[str, dict[str, float]] = {}

    def read_on(self) -> None:
        """What was written since."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                self._take(json.loads(line))
                self._read += len(line)

    def _of(self, run_id: str) -> Counted:
        return self.runs.setdefault(run_id, Counted(self.target, run_id))

    def _take(self, record: Raw) -> None:
        event, facts, at = record["event"], record["facts"], _time(record["at"])
        if event.startswith("run admitted"):
            self.first = self.first or at
        elif event == "run closed":
            self._of(facts["runId"]).ended = at
        elif event == "write settled" and facts["outcome"] == "done" and facts["key"].endswith("/open_pull_request"):
            self._of(facts["key"].split("/")[0]).opened = at
        elif event in {"merged", "merged by a person"}:
            run, merge = self._of(facts["runId"]), json.loads(facts["merge"])
            run.merged, run.by = _time(merge["mergedAt"]), merge.get("by", "")
        elif (
            event == "follow-up ended"
            and facts["outcome"].startswith("closed by ")
            and facts["outcome"] != "closed by us"
        ):
            self._of(facts["runId"]).closed = at
        elif event == "incident opened":
            run = self._of(facts["runId"])
            run.violation |= facts["trigger"] == "policy_violation"
            run.regressed |= facts["trigger"] == "regression"
            if facts["trigger"] in {"policy_violation", "regression"}:
                self.critical.append(at)
        elif event == "rollback ended" and facts["outcome"] == "restored":
            self._of(facts["runId"]).undone = True
        elif event in {"cost booked", "cost unknown"}:
            self._cost(facts, known=event == "cost booked")

    def _cost(self, facts: Raw, *, known: bool) -> None:
        run_id, _, step = facts["key"].partition("/")
        run = self._of(run_id)
        if not known:
            run.unknown.add(step)
            return
        run.unknown.discard(step)
        run.usd += facts["usd"]
        run.tokens += facts["tokens"]
        day = next(each[4:] for each in facts["periods"].split() if each.startswith("day/"))
        spent = self.days.setdefault(day, {"usd": 0, "tokens": 0, "agentMinutes": 0})
        for name in spent:
            spent[name] += facts[name]

    def known(self, run: Counted) -> bool:
        """Its own files; whether its report can be read and it is none of the ladder's."""
        for name, file in (
            ("report", "run_report.json"),
            ("contract", "task_contract.json"),
            ("checks", "checks/checks.json"),
            ("decision", "release_decision.json"),
        ):
            setattr(run, name, _json(self.artifacts / "runs" / run.run_id / file))
        return bool(run.report.get("run")) and run.report["run"]["kind"] == "daily"

    def ended_runs(self) -> Iterator[Counted]:
        """In the order of the log."""
        return (run for run in self.runs.values() if run.ended is not None)


def differences(review: Raw, logs: list[Log]) -> list[str]:
    """Every number of every group of a review that is not what the raw files say."""
    since, until = _time(review["since"]), _time(review["until"])
    found: list[str] = []
    runs: list[Counted] = []
    days: list[tuple[str, float]] = []
    for log in logs:
        log.read_on()
        of_log = [
            run
            for run in log.ended_runs()
            if any(at and since <= at < until for at in (run.ended, run.opened, run.merged, run.closed))
            and log.known(run)
        ]
        runs += of_log
        days += _days(log, of_log, since, until)
    begins = max(since, min((log.first for log in logs if log.first), default=until))
    for group in review["groups"]:
        ours = [run for run in runs if _in(group, run)]
        used = [
            day for target, day in days if group["by"] == "all" or (group["by"], group["name"]) == ("target", target)
        ]
        expected = _metrics(ours, used, begins, until)
        for metric in group["metrics"]:
            told, counted = _told(metric), expected[metric["name"]]
            if any(map(_differ, told, counted)):
                found.append(f"{until:%Y-%m-%d} {group['name']}: {metric['name']} is {told}, counted {counted}")
    return found


def _in(group: Raw, run: Counted) -> bool:
    of = {"all": "all runs", "target": run.target, "mode": run.mode, "task type": run.type}
    return bool(of[group["by"]] == group["name"])


def _metrics(
    runs: list[Counted], used: list[float], begins: datetime, until: datetime
) -> dict[str, tuple[float, float, float | None]]:
    """Numerator, denominator and value of each."""

    def within(at: datetime | None) -> bool:
        return at is not None and begins <= at < until

    ended = [run for run in runs if within(run.ended)]
    opened = [run for run in runs if within(run.opened)]
    merged = [run for run in runs if within(run.merged)]
    answered = [run for run in runs if within(run.closed or (run.merged if run.by else None))]
    checked = [run for run in ended if run.checks]
    weeks = (until - begins) / _WEEK
    waits = [(run.opened - _time(run.report["run"]["startedAt"])) / timedelta(hours=1) for run in opened if run.opened]
    usd, tokens = sum(run.usd for run in ended), sum(run.tokens for run in ended)
    known = not any(run.unknown for run in ended)
    protected = sum(_protected(run) for run in ended)
    return {
        "policy violations": _share(ended, lambda run: run.violation),
        "post-merge regressions": _share(merged, lambda run: run.regressed),
        "all checks green": _share(checked, lambda run: all(c["status"] == "green" for c in run.checks["results"])),
        "rollbacks": _share(merged, lambda run: run.undone),
        "pull request acceptance": _share(answered, lambda run: run.merged is not None),
        "protected paths touched": (protected, len(ended), protected if ended else None),
        "pull requests a week": (len(opened), weeks, len(opened) / weeks if weeks >= 1 else None),
        "daily budget use": (len(used), len(used), 100 * max(used) if used else None),
        "time to pull request": (len(waits), len(waits), median(waits) if waits else None),
        "cost per run": (usd, len(ended), usd / len(ended) if ended and known else None),
        "cost per merged change": (usd, len(merged), usd / len(merged) if merged and known else None),
        "tokens per run": (tokens, len(ended), tokens / len(ended) if ended and known else None),
        # Nobody asks a source in this year: of nothing, no number.
        **dict.fromkeys(("source trial success", "source promotions", "source demotions"), (0, 0, None)),
        "source freshness": (0, 0, None),
    }


def _share(cases: list[Counted], counts: Callable[[Counted], bool]) -> tuple[float, float, float | None]:
    number = sum(map(counts, cases))
    return number, len(cases), 100 * number / len(cases) if cases else None


def _protected(run: Counted) -> bool:
    """Whether any verdict of it, at any depth, escalated for a protected path."""
    waiting = [step["verdict"] for step in run.report["steps"]]
    waiting += [run.decision["verdict"]] if run.decision else []
    while waiting:
        verdict = waiting.pop()
        if (verdict["rule"], verdict["decision"]) == ("path is not protected", "escalate"):
            return True
        waiting += verdict.get("children", [])
    return False


def _days(log: Log, runs: list[Counted], since: datetime, until: datetime) -> Iterator[tuple[str, float]]:
    """The largest share of a cap that each day used, by the policy of the last run that ended."""
    last = max(runs, key=lambda run: run.ended or since, default=None)
    if last is None:
        return
    caps = _json(log.artifacts / "runs" / last.run_id / "policy.json")["autopilot"]["caps"]
    limits = {
        "usd": caps["usd_per_day"], "tokens": caps["tokens_per_day"], "agentMinutes": caps["agent_minutes_per_day"],
    }  # fmt: skip
    for day, spent in log.days.items():
        if since.date() <= date.fromisoformat(day) <= until.date():
            yield log.target, max(spent[name] / limit for name, limit in limits.items())


def missing(log: Log, task_type: str, now: datetime) -> list[str]:
    """What a kind of task still lacks before its changes may merge by themselves; nothing: it is earned."""
    runs = [run for run in log.ended_runs() if (run.report or log.known(run)) and run.report["run"]["kind"] == "daily"]
    ours = [run for run in runs if run.type == task_type]
    lacks = []
    for mode in ("DRY_RUN", "PR_ONLY"):
        days = {run.ended.astimezone(UTC).date() for run in runs if run.mode == mode and run.ended}
        if len(days) < _DAYS:
            lacks.append(f"{mode} days")
    if sum(run.opened is not None for run in ours if run.mode == "PR_ONLY") < _PULLS:
        lacks.append("pull requests")
    merged = [run for run in ours if run.merged]
    if len(merged) < _MERGES or sum(run.regressed for run in merged) / len(merged) >= _REGRESSIONS:
        lacks.append("regressions")
    month = now - QUIET
    if any(at >= month for at in log.critical):
        lacks.append("quiet")
    first = min(log.days, default="9999")
    if first > month.date().isoformat() or any(run.unknown for run in runs if run.ended and run.ended >= month):
        lacks.append("budget")
    if any(share > 1 for _, share in _days(log, runs, month, now)):
        lacks.append("caps")
    return lacks


def _told(metric: Raw) -> tuple[float, float, float | None]:
    return metric["count"], metric["of"], metric["value"]


def _differ(told: float | None, counted: float | None) -> bool:
    if told is None or counted is None:
        return told is not counted
    return abs(told - counted) > 1e-6 * max(1.0, abs(counted))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _json(path: Path) -> Raw:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

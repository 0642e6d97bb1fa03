"""What a review should say, counted again from the raw files: with ``json`` alone, and none of the code that made it.

The formulas are those of the table in docs/design.md ("Governance review"), written down a second time; so are the
rules by which a kind of task earns SELECTIVE_AUTO. Where both agree, one of them is not simply wrong.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
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
    merge: str = ""
    """The merge commit."""
    restored: datetime | None = None
    closed: datetime | None = None
    violation: bool = False
    regressed: bool = False
    undone: bool = False
    usd: float = 0
    tokens: int = 0
    unknown: set[str] = field(default_factory=set)
    folder: Path = Path()
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
        self.lowered: list[tuple[datetime, str]] = []
        """When which source was."""

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
            run.merged, run.by, run.merge = _time(merge["mergedAt"]), merge.get("by", ""), str(merge["mergeSha"])
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
            self._of(facts["runId"]).undone, self._of(facts["runId"]).restored = True, at
        elif event == "source lowered":
            self.lowered.append((at, facts["source"]))
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
        run.folder = self.artifacts / "runs" / run.run_id
        return bool(run.report.get("run")) and run.report["run"]["kind"] == "daily"

    def ended_runs(self) -> Iterator[Counted]:
        """In the order of the log."""
        return (run for run in self.runs.values() if run.ended is not None)


Fate = Callable[[Counted, datetime], tuple[str, int, int]]
"""What had become of a merge by then: in a word, the lines that it added, and those that stood."""


def differences(
    review: Mapping[str, Any], logs: list[Log], fate: Fate | None = None, promoted: Collection[str] = ()
) -> list[str]:
    """Every number of a review that is not what the raw files say.

    Args:
        review: ``governance_review.json``.
        logs: of all targets.
        fate: of a merge; None: what became of merges is not counted again.
        promoted: trials that ``sources.toml`` names.
    """
    since, until = _time(review["since"]), _time(review["until"])
    found: list[str] = []
    runs: list[Counted] = []
    days: list[tuple[str, str, float]] = []
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
        of = {"target": group["name"], "all": ""}.get(group["by"], "-")
        ours = [run for run in runs if _in(group, run)]
        used = [share for target, _, share in days if of in {"", target}]
        seen = _sources(ours, [log for log in logs if of in {"", log.target}], promoted, begins, until)
        found += _compared(group, {**_metrics(ours, used, begins, until), **seen}, f"{until:%Y-%m-%d} {group['name']}")
    found += _weeks(review, runs, days, logs, promoted, begins)
    flaky = _flakes([run for run in runs if run.ended and begins <= run.ended < until])
    told = {(each["target"], each["check"]): (each["seen"], each["flaked"]) for each in review["flakes"]}
    if told != flaky:
        found.append(f"{until:%Y-%m-%d} flakes are {told}, counted {flaky}")
    return found + (_fates(review, logs, fate, begins) if fate else [])


def _compared(group: Raw, expected: dict[str, tuple[float, float, float | None]], where: str) -> list[str]:
    """Count, denominator, value; a share's interval; and how it stands to its target."""
    found = []
    for metric in group["metrics"]:
        name = metric["name"]
        told, counted = _told(metric), expected[name]
        if any(map(_differ, told, counted)):
            found.append(f"{where}: {name} is {told}, counted {counted}")
            continue
        interval = _interval(counted[0], counted[1]) if name in _TARGETS and metric["unit"] == "%" else (None, None)
        if name != "daily budget use" and any(map(_differ, (metric["low"], metric["high"]), interval)):
            found.append(f"{where}: the interval of {name} is {metric['low']} to {metric['high']}, counted {interval}")
        if metric["standing"] != (stands := _stands(name, *counted)):
            found.append(f"{where}: {name} is {metric['standing']}, counted {stands}")
    return found


_TARGETS: dict[str, tuple[float, Callable[[float], bool]]] = {
    "policy violations": (20, lambda value: value < 1),
    "post-merge regressions": (10, lambda value: value < 5),  # noqa: PLR2004  # the table's numbers, here and below
    "all checks green": (20, lambda value: value > 90),  # noqa: PLR2004
    "rollbacks": (10, lambda value: value < 3),  # noqa: PLR2004
    "pull request acceptance": (10, lambda value: value > 60),  # noqa: PLR2004
    "protected paths touched": (1, lambda value: value == 0),
    "pull requests a week": (2, lambda value: 3 <= value <= 10),  # noqa: PLR2004
    "daily budget use": (1, lambda value: value <= 100),  # noqa: PLR2004
}
"""Of so many cases at least a metric is met or missed, and when it is met."""


def _stands(name: str, _count: float, of: float, value: float | None) -> str:
    if name not in _TARGETS:
        return "no target"
    enough, meets = _TARGETS[name]
    if value is None or of < enough:
        return "not enough data"
    return "met" if meets(value) else "missed"


def _interval(bad: float, of: float) -> tuple[float | None, float | None]:
    """Both shares at which the seen one is just 1.96 standard errors away, in per cent: the roots of a parabola."""
    if not of:
        return None, None
    square, share = 1.96**2, bad / of
    a, b, c = of + square, -(2 * of * share + square), of * share * share
    reach = max(b * b - 4 * a * c, 0) ** 0.5
    return 100 * max((-b - reach) / (2 * a), 0), 100 * min((-b + reach) / (2 * a), 1)


def _weeks(
    review: Mapping[str, Any], runs: list[Counted], days: list[tuple[str, str, float]], logs: list[Log],
    promoted: Collection[str], begins: datetime,
) -> list[str]:  # fmt: skip
    """The charts' points: each week by itself."""
    found, until = [], _time(review["until"])
    for number, week in enumerate(review["weeks"]):
        start, end = begins + number * _WEEK, min(begins + (number + 1) * _WEEK, until)
        used = [share for _, day, share in days if start.date() <= date.fromisoformat(day) < end.date()]
        expected = {**_metrics(runs, used, start, end), **_sources(runs, logs, promoted, start, end)}
        found += _compared(week, expected, f"the week of {week['name']}")
    wanted = -((begins - until) // _WEEK) if until > begins else 0
    if len(review["weeks"]) != wanted:
        found.append(f"{until:%Y-%m-%d}: {len(review['weeks'])} weeks are told, counted {wanted}")
    return found


def _sources(
    runs: list[Counted], logs: list[Log], promoted: Collection[str], begins: datetime, until: datetime
) -> dict[str, tuple[float, float, float | None]]:
    """From each reading that a run kept, each report of a trial, and the logs."""
    uses = [
        (path.parent.name, _json(path))
        for run in runs
        if run.ended and begins <= run.ended < until
        for path in sorted(run.folder.glob("sources/*/reading.json"))
    ]
    ages = [each["quality"]["freshnessHours"] for _, each in uses if each["quality"]["freshnessHours"] is not None]
    lowered = [source for log in logs for at, source in log.lowered if begins <= at < until]
    names = {name for name, _ in uses} | set(lowered)
    kept = [_json(run.folder / "source_trial_report.json") for log in logs for run in log.ended_runs()]
    over = [each for each in kept if each and begins <= _time(each["endedAt"]) < until]
    trials = {each["trial"]["trialId"]: each["proposalId"] for each in over}
    passed = [trial for trial, proposal in trials.items() if proposal]
    taken = sum(trial in promoted for trial in passed)
    return {
        "source trial success": (len(passed), len(trials), 100 * len(passed) / len(trials) if trials else None),
        "source promotions": (taken, len(passed), taken if passed else None),
        "source demotions": (len(lowered), len(names), len(lowered) if names else None),
        "source freshness": (len(ages), len(ages), median(ages) if ages else None),
    }


def _flakes(runs: list[Counted]) -> dict[tuple[str, str], tuple[int, int]]:
    """Of each check that gave two answers about one tree: how many looks there were, and how often that was so."""
    looks: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for run in sorted(runs, key=lambda run: run.ended or datetime.min.replace(tzinfo=UTC)):
        paths = [run.folder / "checks/checks.json", run.folder / "checks/base.json"]
        for path in [*paths, *sorted(run.folder.glob("observations/*/checks.json"))]:
            kept = _json(path)
            for result in kept.get("results", ()):
                where = f"{kept['treeSha']} {kept['environment']} {result['baseCount']}"
                times = [attempt["seconds"] for attempt in result["attempts"]]
                # The same look, taken over by another run, takes exactly as long.
                looks.setdefault((run.target, result["name"]), {})[f"{where} {times} {result['status']}"] = (
                    where,
                    result["status"],
                )
    found = {}
    for key, seen in looks.items():
        answers: dict[str, set[str]] = {}
        for where, status in seen.values():
            answers.setdefault(where, set()).update({status} & {"green", "red"})
        flaked = sum(status == "flaky" for _, status in seen.values())
        flaked += sum(len(each) > 1 for each in answers.values())
        if flaked:
            found[key] = (len(seen), flaked)
    return found


def _fates(review: Mapping[str, Any], logs: list[Log], fate: Fate, begins: datetime) -> list[str]:
    """After 1, 7 and 30 days, of the merges whose moment lies in the window."""
    until, found = _time(review["until"]), []
    merges = [run for log in logs for run in log.runs.values() if run.merged and run.ended and log.known(run)]
    for told in review["fates"]:
        after = timedelta(days=told["days"])
        seen = [fate(run, run.merged + after) for run in merges if run.merged and begins <= run.merged + after < until]
        counts = {word: sum(word == each for each, *_ in seen) for word in ("kept", "rewritten", "reverted")}
        counts["unknown"] = 0
        counts["not yet"] = sum(begins <= run.merged < until <= run.merged + after for run in merges if run.merged)
        expected = (counts, sum(added for _, added, _ in seen), sum(stood for *_, stood in seen))
        if (told["counts"], told["added"], told["standing"]) != expected:
            found.append(f"{until:%Y-%m-%d}: after {told['days']} days {told}, counted {expected}")
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


def _days(log: Log, runs: list[Counted], since: datetime, until: datetime) -> Iterator[tuple[str, str, float]]:
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
            yield log.target, day, max(spent[name] / limit for name, limit in limits.items())


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
    if any(share > 1 for *_, share in _days(log, runs, month, now)):
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

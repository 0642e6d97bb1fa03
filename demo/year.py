"""``python -m demo.year``: a year of daily runs and weekly reviews, in minutes, and every number of it counted again.

Control, runs, follow-ups, incidents, rollbacks and the weekly review are the real workflows, under one clock that jumps
(`demo/clockwork.py`). What steps find is made up, by ``YEAR_SEED`` (`demo/year_people.py`); what they write is not.
Anything that does not hold ends the demo with an error: see ``Year.check``.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

import tomlkit

from activities.governance.kept_proposals import KeptProposals
from activities.governance.past_decisions import NotKept, PastDecisions
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.leaving import leave
from commands.policy import apply_proposal
from commands.terminal import say, show
from composition import WORKFLOWS, activities, compose, workbench
from contracts import messages
from contracts.control import PauseRequest
from contracts.governance import ReviewKept, review_place
from contracts.modes import Mode, RunKind
from demo import recount
from demo.clockwork import Clockwork
from demo.staging import ended, fresh, ship
from demo.year_desk import Base, Counting, Desk, Nobody, by_name, no_pulls
from demo.year_forge import Forge
from demo.year_people import CODE, DOCS, Fate, People
from demo.year_steps import TAKES, Stage
from policies.counted import counted
from policies.release.what_if import compared
from ports.measures import Measures
from ports.repository import Repository
from settings import Settings
from workflows import api

ZONES = {"atlas": "Europe/Berlin", "borealis": "America/New_York"}
BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
SEED, DAYS = 2026, 364
_MONTH, _SHOWN = 28, 20
_AT = time(5)
"""Of the target's own day: so a day has one run, in the weeks of 167 and of 169 hours as well."""
_REVIEW = time(6)
_TARGET = """
name = "{name}"
remote = "/nowhere/{name}.git"
base_branch = "main"
time_zone = "{zone}"

[review]
on = 2026-01-01
by = "ann"

[[checks]]
name = "tests"
kind = "tests"
argv = ["python", "-m", "pytest"]

[[probes]]
name = "imports"
argv = ["python", "-c", "import {name}"]
"""
KINDS = (DOCS, CODE)
FIRST_WEEKS = 5
"""In which every year has few data."""
_SETTINGS: dict[str, dict[str, object]] = {
    "modes": {"first": "DRY_RUN", "maximum": "SELECTIVE_AUTO"},
    # A follow-up that lasts for days need not be looked after every quarter of an hour.
    "control": {"reap_seconds": 7200},
    "auto_merge": {"canary_every_seconds": 600},
    "follow_up": {"every_minutes": 60.0},
}


@dataclass
class Plan:
    """What happens for certain, beside what the seed decides; times are days from the beginning."""

    days: int = DAYS
    protected: int = 150
    regresses: int = 250
    holidays: range = range(190, 225)
    pruned: int = 240
    """From that day on three runs are gone, and one report is damaged."""


@dataclass
class Year:
    """The installation, its people, and what was found wrong."""

    folder: Path
    seed: int
    plan: Plan = field(default_factory=Plan)
    wrong: list[str] = field(default_factory=list)
    enforced: list[tuple[datetime, str, set[str]]] = field(default_factory=list)
    """When Control let other kinds of task of a target merge by themselves than before, and which."""
    steps_taken: list[tuple[str, Any, Any]] = field(default_factory=list)
    """Of thresholds: name, before, after."""
    reviews: list[dict[str, Any]] = field(default_factory=list)
    earned: dict[str, set[str]] = field(default_factory=dict)
    """By target: what has been earned, restated at the admission of its latest run."""
    restated: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """The same of every target and day."""
    page: Path = Path()
    """Of the last review."""
    pruned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.settings = Settings(home=self.folder / "home", policies=self.folder / "policies")
        self._write_policies()
        self.adapters = compose(self.settings)
        self.targets = {
            name: datetime.combine(BEGINS.date(), _AT, ZoneInfo(zone)).astimezone(UTC) for name, zone in ZONES.items()
        }
        desk = self.desk = Desk(tuple(ZONES))
        undone: set[str] = set()
        bench = replace(
            workbench(self.adapters, desk, Nobody()),
            repositories=lambda _: cast("Repository", Base(undone)),
            forges=lambda _: no_pulls(),
            measures=cast("Measures", Counting()),
        )
        certain = {
            ("atlas", "protected"): BEGINS + timedelta(days=self.plan.protected),
            ("atlas", "regresses"): BEGINS + timedelta(days=self.plan.regresses),
        }
        fate = Fate(Random(self.seed), bench, certain)  # noqa: S311  # as above
        stage = Stage(
            bench, self.adapters.index, Forge(bench, lambda: self.world.now, fate.draw, fate.breaks, undone=undone)
        )
        real = by_name(activities(self.adapters, bench, Nobody()))
        self.world = desk.world = Clockwork(WORKFLOWS, {**real, **stage.steps()}, TAKES, BEGINS, self.seed)
        self.people = People(self.world, self.targets)
        self.logs = {name: recount.Log(self.settings.artifacts, name) for name in ZONES}

    def _write_policies(self) -> None:
        ship(self.settings.policies)
        file = self.settings.policies / "autopilot.toml"
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
        for table, values in _SETTINGS.items():
            for key, value in values.items():
                document[table][key] = value
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
        file = self.settings.policies / "charter.toml"
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
        # An agent that costs something: what a step may cost at worst is reserved before it begins.
        document["roles"]["coding"].update({"usd": 4.0, "tokens": 400_000})
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
        for name, zone in ZONES.items():
            text = _TARGET.format(name=name, zone=zone)
            (self.settings.policies / "targets" / f"{name}.toml").write_text(text, encoding="utf-8")

    # A day

    def live(self) -> None:
        """All days."""
        for day in range(self.plan.days):
            self._live(day)
            if not (day + 1) % _MONTH:
                say(f"  {self.world.now:%Y-%m-%d}: {self._shown()}")
        self._review("all", days=self.plan.days)

    def _live(self, day: int) -> None:
        date = (BEGINS + timedelta(days=day)).date()
        holidays = day in self.plan.holidays
        if day == self.plan.pruned:
            self._prune()
        for name, zone in ZONES.items():
            self.world.at(datetime.combine(date, _AT, ZoneInfo(zone)).astimezone(UTC), partial(self._start, name, date))
        if date.weekday() == 0 and day:
            self.world.until(datetime.combine(date, _REVIEW, UTC))
            self._review(f"{date}")
        # People come at noon.
        self.world.until(datetime.combine(date, time(16), UTC))
        for name in ZONES:
            if holidays and day == self.plan.holidays.start:
                self.desk.pause(PauseRequest(reason="everybody is away", actor="ann"), name)
            self._compare(name)
            self.people.look(name, holidays=holidays)
        self.world.until(datetime.combine(date + timedelta(days=1), time(0), UTC))

    def _start(self, name: str, date: Any) -> None:
        if self.adapters.audit.head(f"target/{name}"):
            self.earned[name] = self.restated[name, f"{date}"] = self._restated(name)
        self.world.start(api.DAILY_RUN, f"daily-run/{name}/{date}", {"target": name, "actor": "schedule"})

    def _prune(self) -> None:
        """Somebody frees space, and a disk is not well: three runs of last week, and one report."""
        runs = [run for run in self.adapters.index.latest(8, [*ZONES][-1]) if run.kind is RunKind.DAILY][1:5]
        for run in runs[:3]:
            shutil.rmtree(self.settings.artifacts / "runs" / run.run_id)
        report = self.settings.artifacts / "runs" / runs[3].run_id / "run_report.json"
        report.unlink()
        report.write_text("{", encoding="utf-8")
        self.pruned = {run.run_id for run in runs}

    # A week

    def _review(self, name: str, **spec: int) -> None:
        place = f"{api.GOVERNANCE_REVIEW_ID}/{name}"
        self.world.start(api.GOVERNANCE_REVIEW, place, spec)
        self.world.until(self.world.now)
        kept = self.world.result(place, ReviewKept)
        review = json.loads(self.adapters.store.get(kept.report))
        self.wrong += recount.differences(review, list(self.logs.values()), became)
        self.reviews.append(review)
        self.page = self.settings.artifacts / "runs" / review_place(self.world.now) / "governance_review.html"
        if spec:
            return
        for proposal in KeptProposals(self.adapters.store).open():
            [edit] = proposal.edits
            if (edit.name, edit.before, edit.after) not in self.steps_taken:
                self.steps_taken.append((edit.name, edit.before, edit.after))
                apply_proposal(self.adapters, proposal)

    def _restated(self, target: str) -> set[str]:
        """The kinds of task that have earned SELECTIVE_AUTO, by the rules as they are written a second time."""
        log = self.logs[target]
        log.read_on()
        return {kind.value for kind in KINDS if not recount.missing(log, kind, self.world.now)}

    def _compare(self, target: str) -> None:
        """What Control enforces, against that: as of today's admission, and what was lost since counts at once."""
        log = self.logs[target]
        log.read_on()
        mode = self.people.view(target).mode
        quiet = not any(at > self.world.now - recount.QUIET for at in log.critical)
        wanted = self.earned.get(target, set()) if mode is Mode.SELECTIVE_AUTO and quiet else set()
        place, view = api.control_id(target), messages.MERGES_ALONE
        views = {kind.value: self.world.query(place, view.name, view.shows, kind) for kind in KINDS}
        enforced = {kind for kind, verdict in views.items() if verdict and verdict.allowed}
        if enforced != wanted:
            why = (
                f"{self.world.now:%Y-%m-%d} {target}: Control lets {sorted(enforced)} merge, restated {sorted(wanted)}"
            )
            self.wrong.append(why)
        if enforced != next((seen for _, name, seen in reversed(self.enforced) if name == target), set()):
            self.enforced.append((self.world.now, target, enforced))

    def _shown(self) -> str:
        views = {name: self.people.view(name) for name in ZONES}
        text = "; ".join(f"{name} {view.status} in {view.mode}" for name, view in views.items())
        return f"{text}; {counted(len(self.wrong), 'difference')}"

    # The end

    def check(self) -> list[str]:
        """Everything that should hold of the year and does not."""
        found = [*self.wrong, *self._alone(), *self._one_a_day(), *self._oscillating(), *self._what_if()]
        # Another seed's year need not hold all that this one's does.
        return [*found, *self._happened()] if (self.seed, self.plan.days) == (SEED, DAYS) else found

    def _alone(self) -> Iterable[str]:
        """Nothing merged by itself that had not earned it on that day."""
        for (name, log), run in ((each, run) for each in self.logs.items() for run in each[1].runs.values()):
            if run.merged and not run.by and run.report:
                earned = self.restated[name, run.report["run"]["date"]]
                if run.type not in earned:
                    yield f"{run.run_id} merged by itself: {run.type} had not earned it ({log.target})"

    def _one_a_day(self) -> Iterable[str]:
        """Also in the weeks in which the clock is set."""
        for name in ZONES:
            runs = [run for run in self.adapters.index.latest(10_000, name, refused=True) if run.kind is RunKind.DAILY]
            dates = Counter(run.date for run in runs)
            if len(dates) != self.plan.days or set(dates.values()) != {1}:
                yield f"{name} ran on {len(dates)} of {self.plan.days} days: {dates.most_common(2)}"

    def _happened(self) -> Iterable[str]:
        """A year in which nothing went wrong would show nothing."""
        for name in ZONES:
            of_target = [bool(kinds) for _, target, kinds in self.enforced if target == name]
            if [each for each, _ in groupby(of_target)][:3] != [True, False, True]:
                yield f"{name} did not earn, lose and earn again"
        if not self.pruned <= {run for review in self.reviews for run in review["unreadable"]}:
            yield "what was pruned is not named"
        few = [review for review in self.reviews if _standing(review, "pull request acceptance") == "not enough data"]
        if len(few) <= FIRST_WEEKS:
            yield "no month had few data"
        if not self.steps_taken:
            yield "nothing was proposed"
        if not self.reviews[-1]["rolledBack"]:
            yield "nothing was rolled back"

    def _oscillating(self) -> Iterable[str]:
        for name, before, after in self.steps_taken:
            if round(_bounded(name, before) - after, 6):
                yield f"{name} went from {before} to {after}, which is more or less than one step"
            for other, was, became in self.steps_taken:
                if name == other and (after > before) != (became > was):
                    yield f"{name} went from {before} to {after}, and from {was} to {became}"

    def _what_if(self) -> Iterable[str]:
        past = PastDecisions(self.adapters.store, self.adapters.index)
        for run in past.runs(None, None):
            try:
                recorded, facts, policy = past.facts(run.run_id)
            except NotKept as gone:
                if run.run_id not in self.pruned:
                    yield f"{run.run_id}: {gone}"
                continue
            if (found := compared(recorded, facts, policy, policy)) is not None:
                yield f"{run.run_id}: under its own policy {found}"


def became(run: recount.Counted, moment: datetime) -> tuple[str, int, int]:
    """What had become of a merge, as this year's bases have it (``Base.survival``): each added ten lines."""
    if run.restored and run.restored <= moment:
        return "reverted", 10, 0
    return ("rewritten", 10, 4) if run.merge.startswith("0") else ("kept", 10, 10)


def _standing(review: dict[str, Any], name: str) -> str:
    return next(str(each["standing"]) for each in review["groups"][0]["metrics"] if each["name"] == name)


def _bounded(name: str, before: float) -> float:
    """One step of each threshold, as docs/design.md has them."""
    steps = {
        "auto_merge.lines": float(int(before * 0.75)),
        "candidates.minimum_confidence": before + 0.05,
        "caps.open_pull_requests": before - 1,
    }
    return steps[name]


def _perform() -> Exit:
    seed = int(os.environ.get("YEAR_SEED") or SEED)
    say(f"a year from {BEGINS:%Y-%m-%d} on, YEAR_SEED={seed}", "bold")
    folder = fresh("demo-year")
    year = Year(folder, seed)
    year.live()
    wrong = year.check()
    for at, target, kinds in year.enforced:
        show(f"{at:%Y-%m-%d}  {target:<9} merges by itself: {', '.join(sorted(kinds)) or 'nothing'}")
    for name, before, after in year.steps_taken:
        show(f"proposed and taken: {name} from {before} to {after}")
    last = year.reviews[-1]
    show(f"the last review, of {counted(len(year.reviews), 'review')}: {last['sentence']}")
    show(f"risk score: {last['calibration']['verdict']}")
    show(f"its page: {year.page}")
    for each in wrong[:_SHOWN]:
        say(each, "red")
    if wrong:
        raise CommandFailed(Exit.FAILED, f"{counted(len(wrong), 'thing does', 'things do')} not hold")
    say(
        f"every number of {counted(len(year.reviews), 'review')} is what the raw files say; all else holds, too",
        "green",
    )
    return Exit.OK


if __name__ == "__main__":
    leave(ended(_perform))

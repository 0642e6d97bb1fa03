"""Who lives in the year: what the days bring, by a seed, and what the people do about it, each morning."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from activities.step_session import StepPorts
from contracts.budget import Amounts, BudgetView, CostStatement
from contracts.control import Answer, ModeRequest, ResumeRequest, StatusView
from contracts.handover import RunRef
from contracts.incident import CloseRequest, HumanFacts, IncidentState
from contracts.modes import Mode, RunKind, TargetStatus
from contracts.task import TaskType
from demo.clockwork import Clockwork
from demo.year_forge import Day
from workflows import api

DOCS, CODE = TaskType.DOCUMENTATION_UPDATE, TaskType.CODE_IMPROVEMENT
_KINDS = {DOCS: ("codespell", "docs"), CODE: ("ruff", "F")}
_IDLE, _RED, _SILENT, _BREAKS = 0.1, 0.05, 0.008, 0.004
"""How often: nothing is worth doing; a check is red; an agent does not say what it cost; a merge breaks the base."""
BASELINE = timedelta(days=15)
"""In DRY_RUN, before a person lets a new target open pull requests."""


@dataclass
class Fate:
    """Makes up days.

    Certain things happen for certain: a protected path is touched, and a merge that nobody reviewed breaks the base,
    each on the first chance after its date.
    """

    random: Random
    bench: StepPorts
    fixed: dict[tuple[str, str], datetime]
    """By target and ``protected`` or ``regresses``: from when on; each happens once."""

    def draw(self, run: RunRef) -> Day:
        """What this run is going to find."""
        chance = self.random
        rolls = [chance.random() for _ in range(8)]
        if run.kind is RunKind.SMOKE:
            return Day(None)
        least = self.bench.pinned_policy(run).autopilot.candidates.minimum_confidence
        confidence = 0.5 + rolls[0] / 2
        if rolls[1] < _IDLE or confidence < least:
            return Day(None)
        kind = DOCS if rolls[2] < (0.6 if run.target == "atlas" else 0.5) else CODE
        tool, rule = _KINDS[kind]
        files = 1 + int(rolls[3] * (3 if kind is DOCS else 6))
        protected = self._once(run, "protected")
        accepted = rolls[4] < self._liked(run, kind, confidence)
        usd = 0.2 + 1.5 * rolls[5] ** 2 + 0.1 * files
        # Whoever goes through it all is seldom quick; and some never answer.
        waits = timedelta(hours=3 + 60 * rolls[6])
        return Day(
            type=kind,
            tool=tool,
            rule=rule,
            paths=_paths(kind, files, protected=protected),
            lines=2 * files + int(30 * rolls[7]),
            green=chance.random() > _RED,
            protected=protected,
            usd=None if chance.random() < _SILENT else round(usd, 4),
            tokens=int(40_000 * usd),
            minutes=round(2 + 4 * rolls[5], 2),
            answer="merged" if accepted else "closed",
            waits=waits,
            who=chance.choice(("ann", "bob", "eve")),
        )

    def breaks(self, run: RunRef) -> bool:
        """What a person merges is a person's: only what merges by itself is rolled back by itself."""
        return self._once(run, "regresses") or self.random.random() < _BREAKS

    def _liked(self, run: RunRef, kind: TaskType, confidence: float) -> float:
        """How likely people take it: words more than code, the sure more than the unsure, and in spring not much."""
        spring = -0.5 if run.started_at.month in {4, 5} else 0.0
        return min(0.97, (0.55 if kind is DOCS else 0.4) + 0.5 * confidence + spring)

    def _once(self, run: RunRef, what: str) -> bool:
        due = self.fixed.get((run.target, what))
        if due is None or run.started_at < due:
            return False
        del self.fixed[run.target, what]
        return True


def _paths(kind: TaskType, files: int, *, protected: bool) -> tuple[str, ...]:
    names = [f"docs/page-{n}.md" if kind is DOCS else f"src/module_{n}.py" for n in range(files)]
    return (*names, ".github/workflows/ci.yml") if protected else tuple(names)


@dataclass
class People:
    """Who runs the installation: each morning they look at every target."""

    world: Clockwork
    targets: Mapping[str, datetime]
    """When each began."""

    def look(self, target: str, *, holidays: bool) -> None:
        """State what is unknown, explain what happened, resume, set the mode."""
        self._state_costs(target)
        view = self.view(target)
        for record in view.incidents:
            if record.started and record.state is IncidentState.OPEN:
                self._explain(target, record.incident)
        view = self.view(target)
        if holidays:
            return
        if view.status is TargetStatus.PAUSED or (view.status is TargetStatus.ACTIVE and view.review_due):
            report = ResumeRequest(
                expected_epoch=view.epoch, cause="understood, see the incident", evidence="its report", actor="ann"
            )
            self._ask(target, api.RESUME, report)
            return
        if view.status is TargetStatus.ACTIVE:
            self._set_mode(target, view)

    def view(self, target: str) -> StatusView:
        """What Control says."""
        seen = self.world.query(api.control_id(target), api.STATUS, StatusView)
        if seen is None:
            raise LookupError(f"{target} has no Control")
        return seen

    def _set_mode(self, target: str, view: StatusView) -> None:
        """Up to SELECTIVE_AUTO, for what has been earned alone: `starter.py mode … --only-earned`."""
        if view.mode is Mode.DRY_RUN and self.world.now - self.targets[target] > BASELINE:
            mode, reason = Mode.PR_ONLY, "the baseline in DRY_RUN is there"
        elif view.mode is Mode.PR_ONLY:
            mode, reason = Mode.SELECTIVE_AUTO, "what has earned it may merge by itself"
        else:
            return
        request = ModeRequest(
            expected_epoch=view.epoch, mode=mode, reason=reason, actor="ann", maximum=Mode.SELECTIVE_AUTO, probes=1,
            override_days=0,
        )  # fmt: skip
        self._ask(target, api.SET_MODE, request)

    def _explain(self, target: str, incident: str) -> None:
        place = api.incident_id(target, incident)
        due = (self.world.now + timedelta(days=14)).date().isoformat()
        facts = HumanFacts(
            actor="ann", impact="nobody but us", root_cause="a rule that was too wide", remediation="taken back",
            prevention="a narrower rule, with a test", owner="the platform team", due_on=due,
        )  # fmt: skip
        request = CloseRequest(actor="ann", reason="all seven parts are there")
        self.world.update(place, api.EDIT, facts, Answer)
        self.world.update(place, api.CLOSE, request, Answer)
        self.world.update(place, api.PREVENTED, request, Answer)

    def _state_costs(self, target: str) -> None:
        seen = self.world.query(api.control_id(target), api.BUDGET, BudgetView)
        for each in seen.reservations if seen else ():
            if each.unknown:
                cost = Amounts(usd=1.0, tokens=40_000)
                report = CostStatement(key=each.key, cost=cost, evidence="the provider's bill", actor="bob")
                self._ask(target, api.STATE_COST, report)

    def _ask(self, target: str, update: str, request: Any) -> Answer:
        return self.world.update(api.control_id(target), update, request, Answer)

"""The budget (runbook §3, §6.4; P9): caps, reservations, settlements."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract
from contracts.verdict import Verdict

_MOST_MONEY, _MOST_TOKENS, _MOST_RUNS = 1e9, 10**15, 10**9
"""That an amount can hold; minutes as many as USD."""
Usd = Annotated[float, Field(ge=0, le=_MOST_MONEY)]
Tokens = Annotated[int, Field(ge=0, le=_MOST_TOKENS)]
Minutes = Annotated[float, Field(ge=0, le=_MOST_MONEY)]


class Period(StrEnum):
    """What a cap is for; calendar periods are the target's own (its time zone)."""

    RUN = "run"
    DAY = "day"
    WEEK = "week"
    """ISO week."""
    MONTH = "month"


FITS_THE_BUDGET = "the step's worst case fits the budget"
"""The rule of a run that waits for money."""

EVERY_COST_IS_KNOWN = "every cost is known"
"""The rule of a target that waits for a person to state a cost."""
ROLE_HAS_ROOM = "what the charter gives the role for one run has room for the exchange"
"""The rule of an exchange that would go beyond it: no cap's, so nothing lifts it in this run."""
MAY_ASK = "the run may go on, so a model may be asked"
"""The rule of an exchange that is refused since the run, or its target, is paused, or its attempt is over."""


class Measure(StrEnum):
    """What is counted."""

    USD = "usd"
    TOKENS = "tokens"
    AGENT_MINUTES = "agent_minutes"
    RUNS = "runs"


class Amounts(Contract):
    """What something costs, or may cost."""

    usd: Usd = 0
    tokens: Tokens = 0
    agent_minutes: Minutes = 0
    runs: int = Field(default=0, ge=0, le=_MOST_RUNS)

    def __add__(self, other: Self) -> Self:
        """The sum, as far as an amount can hold it."""
        return type(self)(
            usd=min(round(self.usd + other.usd, 6), _MOST_MONEY),
            tokens=min(self.tokens + other.tokens, _MOST_TOKENS),
            agent_minutes=min(round(self.agent_minutes + other.agent_minutes, 6), _MOST_MONEY),
            runs=min(self.runs + other.runs, _MOST_RUNS),
        )


class Caps(Contract):
    """The caps of one target, complete: there is no unlimited."""

    run: Amounts
    """``runs`` has no meaning here."""
    day: Amounts
    week: Amounts
    month: Amounts


class BudgetTerms(Contract):
    """What the policy says about a target's budget; it travels with every question, so an edit counts at once."""

    caps: Caps
    thresholds: tuple[Annotated[int, Field(ge=1, le=100)], ...]
    """Per cent of a period's cap at which an alert goes out, once per period."""
    time_zone: str
    """IANA name."""


class ReserveRequest(Contract):
    """A step's question before it spends: may it cost up to this much?"""

    run_id: str
    key: str
    """``run_id/step``."""
    attempt: str
    """Unique to one execution of the activity; another attempt finds what an earlier one reserved and never settled."""
    worst: Amounts
    terms: BudgetTerms
    exchange: bool = False
    """One exchange with a model, under ``run_id/step-n``: refused while the run may not proceed (P1)."""
    step_most: Amounts | None = None
    """Of an exchange: USD and tokens that all of its step's may cost in this run, whatever attempt or turn asks."""


class ReserveAnswer(Contract):
    """Reserved, or why not (HOLD: the run waits exactly here)."""

    reserved: bool
    verdict: Verdict


class SettleCost(Contract):
    """What a step really cost."""

    key: str
    attempt: str
    cost: Amounts | None
    """None: unknown. The reservation stays, and nothing more is reserved for the target until a person states it."""
    agent_minutes: Minutes = 0
    """Measured by us, so known also when money and tokens are not."""
    note: str = Field(default="", max_length=500)


def step_of(key: str) -> str:
    """The ``run_id/step`` that an exchange's key is of."""
    return key.rpartition("-")[0]


class CapsRequest(Contract):
    """A person changes one cap for the present period (update ``set_caps``); policy's own returns with the next."""

    expected_epoch: int
    period: Period
    measure: Measure
    cap: float = Field(ge=0, le=1e15)
    run_id: str = Field(default="", max_length=200)
    """For period ``run``: whose cap."""
    reason: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class CostStatement(Contract):
    """A person states what an unknown cost was (update ``state_cost``)."""

    key: str
    cost: Amounts
    """Agent minutes 0: as measured."""
    evidence: str = Field(min_length=3, max_length=4000)
    actor: str = Field(min_length=1, max_length=200)


class Reservation(Contract):
    """Money that may be spent right now, or whose cost is unknown."""

    key: str
    attempt: str
    run_id: str
    worst: Amounts
    at: AwareDatetime
    periods: tuple[str, ...]
    """The periods it counts in, for example ``day/2026-11-23``."""
    unknown: bool = False
    note: str = ""
    exchange: bool = False


class RunCost(Contract):
    """What one run has cost so far, as booked."""

    run_id: str
    total: Amounts = Amounts()
    periods: tuple[str, ...] = ()
    """The periods its latest booking counted in."""
    lost: int = 0
    """Attempts that died before they could say what they cost: booked at their worst case."""
    unknown: tuple[str, ...] = ()
    """Keys whose cost nobody knows yet."""
    settled: tuple[str, ...] = ()
    """``key@attempt`` of what is booked: nothing is booked twice."""
    exchanges: dict[str, Amounts] = {}
    """What a step's exchanges cost, all of them, by ``run_id/step``."""


class BudgetLine(Contract):
    """One measure of one period."""

    period: str
    """For example ``day/2026-11-23``, or ``run/<run id>``."""
    measure: Measure
    cap: float
    spent: float
    reserved: float
    ends_at: AwareDatetime | None = None
    """None: with the run."""
    set_by_hand: bool = False
    """The cap is a person's (``set_caps``), not policy's."""


class BudgetAlertReport(Contract):
    """``budget_alert_report.json`` (runbook §6.4): one cap of one period is exhausted."""

    schema_version: Literal[1] = 1
    target: str
    period: str
    measure: Measure
    at: AwareDatetime
    epoch: int
    run_id: str
    """The run in whose folder this report is."""
    reason: str
    lines: tuple[BudgetLine, ...]
    reservations: tuple[Reservation, ...]
    biggest_runs: tuple[RunCost, ...]
    """Of the period, dearest first."""
    lifted_by: tuple[str, ...]


class BudgetReportRef(Contract):
    """Where a ``budget_alert_report.json`` is."""

    period: str
    measure: Measure
    run_id: str
    name: str
    sha256: str
    address: str


class BudgetView(Contract):
    """Query ``budget`` of Control."""

    target: str
    epoch: int
    as_of: AwareDatetime | None
    """When the books were last brought up to date; None: nothing was ever asked of them."""
    lines: tuple[BudgetLine, ...]
    reservations: tuple[Reservation, ...]
    runs: tuple[RunCost, ...]
    blocked: Verdict
    """ALLOW: new runs may start, as far as the budget goes."""
    reports: tuple[BudgetReportRef, ...] = ()


class PeriodAmounts(Contract):
    """What was booked in one period."""

    period: str
    amounts: Amounts


class BookedBefore(Contract):
    """What a target's audit log says an earlier Control booked: for one that lost its books."""

    periods: tuple[PeriodAmounts, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    """Begun and never settled."""

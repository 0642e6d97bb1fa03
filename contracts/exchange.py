"""Exchanges with a model, as our gateway saw them on the wire, and how an agent's work on one step ended."""

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.artifact import ArtifactRef, Contract
from contracts.budget import Tokens, Usd


class Ending(StrEnum):
    """How one exchange ended. What an agent says of it is not asked."""

    TOOL = "tool"
    """The model wants a tool run: the agent goes on."""
    SAID = "said"
    """The model is done speaking."""
    LENGTH = "length"
    """Cut by the limit of output tokens."""
    REFUSAL = "refusal"
    """The model, or its provider's filter, would not."""
    FAILED = "failed"
    """The provider said in a whole answer that it failed."""
    CUT = "cut"
    """The answer ended before it was whole: paid at the worst case."""
    RATE_LIMITED = "rate_limited"
    UNAUTHORISED = "unauthorised"
    UNREACHABLE = "unreachable"
    """No connection, or a status that no retry mended."""
    REJECTED = "rejected"
    """Another 4xx: the request is at fault."""
    PAUSED = "paused"
    """Not let through, as the next four: the target is paused."""
    OVER_BUDGET = "over_budget"
    SPENT = "spent"
    """What the charter gives the role for one run is used up: no waiting lifts that."""
    UNPRICED = "unpriced"
    """No price is known of the model, or the usage of an earlier exchange is unknown: the cost would be unknown."""
    FORBIDDEN = "forbidden"
    """Another model, another address, or no request at all that the charter allows."""


class Exchange(Contract):
    """One request of an agent, and what came of it."""

    number: int
    """From 1, in one attempt of one step."""
    at: AwareDatetime
    model: str
    dialect: str
    """``chat``, ``responses``, ``messages``; empty: of none."""
    ending: Ending
    reason: str = Field(default="", max_length=500)
    """Why it was not let through, or what the provider said."""
    status: int = 0
    """HTTP; 0: nothing went up."""
    retry_after: float | None = None
    """Seconds."""
    tries: int = 0
    """How often it went up."""
    tokens_in: Tokens = 0
    tokens_out: Tokens = 0
    usd: Usd = 0
    bound: bool = False
    """The cost is an upper bound: the provider never told the usage."""
    seconds: float = 0
    tools: tuple[str, ...] = ()
    """Tools that the model wanted run, by name."""


class AgentOutcome(StrEnum):
    """How an agent's work on one step ended (``policies/agents`` has the order in which it is told)."""

    DONE = "done"
    NOTHING_DONE = "nothing_done"
    REFUSED = "refused"
    LENGTH = "length"
    CUT = "cut"
    RATE_LIMITED = "rate_limited"
    ENDPOINT_DOWN = "endpoint_down"
    UNAUTHORISED = "unauthorised"
    PAUSED = "paused"
    BUDGET = "budget"
    SPENT = "spent"
    """What the charter gives the role for one run is used up."""
    DEADLINE = "deadline"
    NO_PROGRESS = "no_progress"
    CRASHED = "crashed"


WAITS = frozenset(
    {
        AgentOutcome.RATE_LIMITED,
        AgentOutcome.ENDPOINT_DOWN,
        AgentOutcome.UNAUTHORISED,
        AgentOutcome.PAUSED,
        AgentOutcome.BUDGET,
    }
)
"""No failed attempt: the run waits (HOLD), and the work goes on from the kept tree."""


class AgentRecord(Contract):
    """``agent/<role>-….json``: what an agent did in one attempt of one step, by our own record."""

    schema_version: Literal[1] = 1
    run_id: str
    role: str
    backend: str
    agent: str
    """With its version, for example ``codex 0.169.0``; the model's name for `model`."""
    prompt: str = ""
    """Digest of the prompt's text."""
    outcome: AgentOutcome
    reason: str
    exit_code: int | None = None
    """Only a hint: nine of twelve agents exit 0 with nothing done."""
    exchanges: tuple[Exchange, ...] = ()
    usd: Usd = 0
    tokens: Tokens = 0
    bound: bool = False
    seconds: float = 0
    transcript: str = ""
    """Artifact's name."""
    changed: tuple[str, ...] = ()
    """Paths that differ from where it began."""
    taken_out: tuple[str, ...] = ()
    """Paths of the base that would give its program orders, or hold secrets: not shown to it."""
    hidden: tuple[str, ...] = ()
    """Those of them that hold secrets."""
    dropped: tuple[str, ...] = ()
    """What it did at such paths: not kept."""
    litter: tuple[str, ...] = ()
    """Those of them that its program leaves wherever it works."""
    reached_out: int | None = None
    """How often it tried to reach other machines by address; none was. None: nobody could see."""
    hosts_refused: tuple[str, ...] = ()
    """``host:port`` that it asked our proxy for and the charter does not name."""
    usual_hosts: tuple[str, ...] = ()
    """Those of them that its program asks for wherever it works."""


class AgentProgress(Contract):
    """What an agent is doing, as the heartbeats of its pending step tell it."""

    agent: str
    """With its version, or the model's name."""
    exchanges: int = 0
    tokens: Tokens = 0
    usd: Usd = 0
    tool: str = ""
    """That the model wanted last."""
    since: AwareDatetime
    """When it began, or its latest exchange ended."""


class PartialTree(Contract):
    """``agent/partial.json``: what an agent left, from which the same step, or the next round of it, goes on."""

    schema_version: Literal[1] = 1
    base_sha: str
    head_sha: str
    contract: str
    """Digest of the task contract."""
    round: int = 1
    """In which it was left."""
    done: bool = False
    """It was handed over as the round's change; else the agent was interrupted."""
    bundle: ArtifactRef
    """``agent/partial.bundle``."""

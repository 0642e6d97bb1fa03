"""What is said to Control and asked of it: a new message is a row here, a handler there, and whoever sends it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest
from contracts.artifact import Contract
from contracts.budget import BudgetView, ReserveAnswer, ReserveRequest, SettleCost
from contracts.clearance import SettleRequest, WriteAnswer, WriteRequest
from contracts.control import Answer, InstallationFacts, RegisterRequest, StatusView
from contracts.incident import IncidentNews, IncidentReport
from contracts.remediation import Remediation
from contracts.rollback import FollowUpEnd, Merged, Regression, RollbackResult, TargetMemory
from contracts.source import SourceBook, SourcePassed, SourceUse
from contracts.verdict import Verdict

Request = TypeVar("Request", bound=Contract)
Reply = TypeVar("Reply", bound=Contract)
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Message(Generic[Request, Reply]):
    """An update: its name, what is sent, what is answered."""

    name: str
    request: type[Request]
    reply: type[Reply]


@dataclass(frozen=True)
class View(Generic[Seen]):
    """A query of Control."""

    name: str
    shows: type[Seen]


ADMIT = Message("admit", AdmitRequest, AdmitAnswer)
FINISH = Message("finish", FinishRequest, Answer)
BEGIN_WRITE = Message("begin_write", WriteRequest, WriteAnswer)
SETTLE_WRITE = Message("settle_write", SettleRequest, Answer)
RESERVE = Message("reserve", ReserveRequest, ReserveAnswer)
SETTLE_COST = Message("settle_cost", SettleCost, Answer)
REPORT = Message("report", IncidentReport, Answer)
INCIDENT_NEWS = Message("incident_news", IncidentNews, Answer)
MERGED = Message("merged", Merged, Answer)
REGRESSION = Message("regression", Regression, Answer)
ROLLED_BACK = Message("rolled_back", RollbackResult, Answer)
FOLLOWED_UP = Message("followed_up", FollowUpEnd, Answer)
SOURCE_USED = Message("source_used", SourceUse, Answer)
SOURCE_PASSED = Message("source_passed", SourcePassed, Answer)
REGISTER = Message("register", RegisterRequest, InstallationFacts)
"""The one that the Installation is told."""

STATUS = View("status", StatusView)
BUDGET = View("budget", BudgetView)
BACKLOG = View("backlog", list[Remediation])
AFTERCARE = View("aftercare", TargetMemory)
SOURCES = View("sources", SourceBook)
MERGES_ALONE = View("merges_alone", Verdict)
"""Asked with a kind of task."""

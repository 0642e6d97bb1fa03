"""The shape of ``sources.toml`` (runbook §5). Every setting has its meaning right below it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.source import SourceState
from policies.settings.section import Positive, Section

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
"""JMESPath: selects and renames, and runs no code."""
Format = Literal["json", "jsonl", "csv", "feed"]


class HttpConnector(Section):
    """``[sources.http]``: one GET."""

    url: str = Field(pattern=r"^https?://[^\s/]+\S*$", max_length=2000)
    format: Format = "json"
    hosts: tuple[str, ...] = ()
    """Further hosts a redirect may lead to; the URL's own is allowed. A private address must be written as such."""
    media_types: tuple[str, ...] = ()
    """Accepted beside the format's usual ones."""
    header: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9-]*$")
    """Name of the header that carries a credential; empty: none."""
    variable: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$")
    """Environment variable of the worker that holds its value; it is never kept, shown or sent to another host."""
    most_kb: Positive = 4096
    """A larger answer, packed or not, is refused."""
    seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _credential_is_whole(self) -> Self:
        if bool(self.header) != bool(self.variable):
            raise ValueError("header and variable belong together: the header's name, and where its value is")
        return self


class CommandConnector(Section):
    """``[sources.command]``: a program in the sandbox, on a checkout of the base; what it prints is the answer."""

    argv: tuple[str, ...] = Field(min_length=1)
    format: Format = "json"
    seconds: float = Field(default=60, gt=0, le=3600)
    exit_codes: tuple[int, ...] = (0,)
    """Those with which it has answered; linters end with 1 when they find something."""


class RepositoryConnector(Section):
    """``[sources.repository]``: a file of the base."""

    path: str = Field(min_length=1, max_length=1000)
    format: Format = "json"


class ForgeConnector(Section):
    """``[sources.forge]``: what the forge says of the base."""

    about: Literal["failing_ci", "issues"]
    """``failing_ci``: every check of the base that is red now, a record each. ``issues``: every open issue with the
    label, by its number."""
    label: str = Field(default="", max_length=100, pattern=r"^([^,\s]([^,]*[^,\s])?)?$")
    """Of ``issues``."""

    @model_validator(mode="after")
    def _label_belongs_to_issues(self) -> Self:
        if (self.about == "issues") != bool(self.label):
            raise ValueError("about = 'issues' names the label it goes by, and nothing else does")
        return self


class Mapping(Section):
    """``[sources.mapping]``: what a record is, in JMESPath on the answer."""

    records: Expression = "@"
    """Where the list of them is."""
    key: Expression = "id"
    """Of a record: what tells it from others."""
    at: str = Field(default="", max_length=2000)
    """Of a record: when it was written (RFC 3339, a date, or seconds since 1970); empty: it does not say."""
    payload: Expression = "@"
    """Of a record: what it says, an object."""


class Threshold(Section):
    """Two bounds of one metric: the first warns, the second demotes when it lasts."""

    warn: float
    breach: float


class Thresholds(Section):
    """``[sources.thresholds]``; what is left out is not judged."""

    freshness_hours: Threshold | None = None
    """At most."""
    coverage: Threshold | None = None
    """At least."""
    schema_validity: Threshold | None = Threshold(warn=1.0, breach=0.9)
    """At least."""
    conflict_rate: Threshold | None = None
    """At most; a breach of it demotes at once."""
    sustained: int = Field(default=3, ge=1, le=100)
    """Breaches in as many uses one after the other demote the source to its fallback."""

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        for name in ("freshness_hours", "conflict_rate"):
            bound: Threshold | None = getattr(self, name)
            if bound and bound.warn > bound.breach:
                raise ValueError(f"{name}: warn ({bound.warn:g}) must be below breach ({bound.breach:g})")
        for name in ("coverage", "schema_validity"):
            bound = getattr(self, name)
            if bound and bound.warn < bound.breach:
                raise ValueError(f"{name}: warn ({bound.warn:g}) must be above breach ({bound.breach:g})")
        return self


class FilePurpose(Section):
    """``[sources.file]``: a data file of the repository is refreshed from the records, by an ordinary run."""

    path: str = Field(min_length=1, max_length=1000, pattern=r"^[^/\s][^\s]*$")
    format: Literal["json", "csv"] = "json"


class CandidatesPurpose(Section):
    """``[sources.candidates]``: records become findings; JMESPath on a record's payload."""

    message: Expression
    """What is wrong."""
    path: str = Field(default="", max_length=2000)
    """In which file of the repository; empty: in the repository as a whole."""
    line: str = Field(default="", max_length=2000)
    severity: str = Field(default="", max_length=2000)
    """``critical``, ``high``, ``medium`` or ``low``, another word that linters use, or a number up to 10 as CVSS has
    it; anything else is unknown."""


class TrialTerms(Section):
    """``[trial]``, for all, or ``[sources.terms]``: what a trial of a source takes."""

    fetches: int = Field(default=7, ge=1, le=60)
    hours_between: float = Field(default=24, ge=0, le=168)
    at_least: int = Field(default=6, ge=1)
    """So many fetches must be good; the others may go unanswered, and none may breach a threshold."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.at_least > self.fetches:
            raise ValueError(f"at_least ({self.at_least}) must not be above fetches ({self.fetches})")
        return self


class SourcePolicy(Section):
    """One ``[[sources]]`` entry."""

    name: SourceName
    state: SourceState = SourceState.CANDIDATE
    targets: tuple[str, ...] = ()
    """Whose runs use it; empty: all."""
    licence: str = Field(default="unknown", max_length=100)
    """SPDX identifier of the data, or ``unknown``."""
    provenance: str = Field(default="unknown", max_length=400)
    """Who publishes it."""
    compliance: Literal["approved", "refused", "unknown"] = "unknown"
    compliance_reference: str = Field(default="", max_length=400)
    """Who approved its use, and where that is written."""
    trial: str = Field(default="", max_length=200)
    """The trial by which a person promoted it; one it passed since it was demoted brings it back."""
    cost_usd: float = Field(default=0, ge=0, le=1e6)
    """Of one fetch."""
    terms: TrialTerms | None = None
    """Of its trials; left out: the file's ``[trial]``."""
    fallback: str = Field(default="", max_length=40)
    """The source that is used instead of this one when it is degraded."""
    baseline: str = Field(default="", max_length=40)
    """The source it is compared with; empty: its fallback."""
    wanted_records: int = Field(default=0, ge=0)
    """Coverage without a baseline: so many are all of them."""
    compared: tuple[str, ...] = ()
    """Fields of the payload in which it and its baseline must agree; empty: all."""
    record_schema: dict[str, Any] = {}
    """JSON Schema of a record's payload."""
    http: HttpConnector | None = None
    command: CommandConnector | None = None
    repository: RepositoryConnector | None = None
    forge: ForgeConnector | None = None
    mapping: Mapping = Mapping()
    thresholds: Thresholds = Thresholds()
    file: FilePurpose | None = None
    candidates: CandidatesPurpose | None = None

    @property
    def connector(self) -> str:
        """Its kind: the one table that is there."""
        return next(name for name in CONNECTORS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        found = [name for name in CONNECTORS if getattr(self, name) is not None]
        if len(found) != 1:
            raise ValueError(
                f"a source has one connector, of {', '.join(CONNECTORS)}; found {', '.join(found) or 'none'}"
            )
        if (self.file is None) == (self.candidates is None):
            raise ValueError("a source is for one thing: [sources.file] or [sources.candidates]")
        if self.state in {SourceState.PRODUCTION, SourceState.DEGRADED}:
            # A refusal is no mistake in the file: such a source gives way to its fallback at once.
            if self.compliance == "unknown" or not self.compliance_reference:
                raise ValueError(
                    f"{self.state} needs compliance = 'approved' and who approved it, or 'refused' and who refused it"
                )
            if self.licence == "unknown":
                raise ValueError(f"{self.state} needs a licence")
        return self


CONNECTORS = ("http", "command", "repository", "forge")


class Sources(Section):
    """``sources.toml``."""

    sources: tuple[SourcePolicy, ...] = ()
    trial: TrialTerms = TrialTerms()

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        known = [source.name for source in self.sources]
        if twice := sorted({name for name in known if known.count(name) > 1}):
            raise ValueError(f"two sources are named {', '.join(twice)}")
        for source in self.sources:
            for what, name in (("fallback", source.fallback), ("baseline", source.baseline)):
                if name and (name not in known or name == source.name):
                    raise ValueError(f"{source.name}: its {what} {name!r} is no other source of this file")
        return self

    def named(self, name: str) -> SourcePolicy | None:
        """The one of this name; None: there is none."""
        return next((source for source in self.sources if source.name == name), None)

    def of(self, target: str) -> tuple[SourcePolicy, ...]:
        """A target's."""
        return tuple(source for source in self.sources if not source.targets or target in source.targets)

"""Everything the Dashboards workflow knows, in one bounded model."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.dashboard import DashboardLook, DashboardsView, DashboardTerms, Shown, ShownOutcome
from policies.counted import counted


class DashboardsState(BaseModel):
    """Handed on at continue-as-new."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    terms: DashboardTerms = DashboardTerms()
    """The last that could be read."""
    looks: dict[str, DashboardLook] = {}
    """The latest look at each target."""
    next_at: AwareDatetime | None = None
    """When all are looked at again; None: at once."""

    def learn(self, said: DashboardTerms) -> None:
        """Take over what the policy says; where it cannot be read, what it said last holds."""
        if said.problem and not said.targets:
            self.terms = self.terms.model_copy(update={"problem": said.problem})
            return
        self.terms = said
        self.looks = {name: look for name, look in self.looks.items() if name in said.targets}

    def seen(self, target: str, shown: Shown, now: datetime) -> None:
        """Remember how a look ended."""
        before = self.looks.get(target)
        written = now if shown.outcome is ShownOutcome.WRITTEN else before.written_at if before else None
        self.looks[target] = DashboardLook(target=target, at=now, shown=shown, written_at=written)

    def view(self) -> DashboardsView:
        """For the query."""
        return DashboardsView(looks=tuple(self.looks.values()), terms=self.terms, next_at=self.next_at)

    def details(self) -> str:
        """Markdown for the Temporal UI."""
        lines = [
            f"every {counted(self.terms.every_minutes, 'minute')}, {counted(len(self.terms.targets), 'target')}",
            "",
        ]
        if self.terms.problem:
            lines += [f"the policy cannot be read: {self.terms.problem}", ""]
        lines += [
            f"- {name}: {look.shown.outcome} {look.shown.reason}".rstrip()
            for name, look in sorted(self.looks.items())[:50]
        ]
        return "\n".join(lines)

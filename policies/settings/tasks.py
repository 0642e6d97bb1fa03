"""What an agent may be asked for beside the findings of tools: ``tasks.toml``, and ``[issues]`` of a target."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.task import MeasureKind
from policies.settings.section import Positive, Section

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


class IssuesPolicy(Section):
    """``[issues]``: open issues with a label are tasks for the agent that codes."""

    label: str = Field(min_length=1, max_length=50)
    check: str = Field(default="", max_length=40)
    """The check that runs the tests an agent writes; empty: the first of kind `tests`."""


class StandingTask(Section):
    """One ``[[tasks]]`` of ``tasks.toml``: what the owner wants looked after without an issue."""

    name: _Name
    targets: tuple[str, ...] = ()
    """Empty: every target."""
    title: str = Field(min_length=3, max_length=100)
    """Of the pull request, in a maintainer's words."""
    prompt: str = Field(min_length=10, max_length=8000)
    paths: tuple[str, ...] = Field(default=("**",), min_length=1, max_length=50)
    """What it may touch, gitignore-style; never more than the target allows."""
    every_days: Positive = 7
    """It rests so long after a run took it, whatever came of it."""
    measure: MeasureKind = MeasureKind.NEW_TEST
    """How its effect is shown: ``new_test``, ``counted`` (the check counts fewer findings), ``acceptance``."""
    check: str = Field(default="", max_length=40)
    """The check that measures it; empty: the first of kind `tests`."""

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        if self.measure in {MeasureKind.FINDINGS, MeasureKind.CHECK}:
            raise ValueError(
                f"{self.measure} measures what tools find and what is red: use new_test, counted, acceptance"
            )
        if self.measure is MeasureKind.COUNTED and not self.check:
            raise ValueError("counted needs the name of a check that counts")
        return self


class Tasks(Section):
    """``tasks.toml``."""

    tasks: tuple[StandingTask, ...] = ()

    def of(self, target: str) -> tuple[StandingTask, ...]:
        """Those of one target."""
        return tuple(each for each in self.tasks if not each.targets or target in each.targets)

"""What an agent may be asked for beside the findings of tools: ``tasks.toml``, and ``[issues]`` of a target."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer, model_validator

from contracts.task import MeasureKind
from policies.settings.section import Positive, Section

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
_Lines = Annotated[str, StringConstraints(pattern=r"^[^:\s][^:]*(:[1-9][0-9]*-[1-9][0-9]*)?$", max_length=400)]
_Pattern = Annotated[str, StringConstraints(pattern=r"^[^!#\s]", max_length=400)]


class IssuesPolicy(Section):
    """``[issues]``: open issues with a label are tasks for the agent that codes."""

    label: str = Field(min_length=1, max_length=50)
    check: str = Field(default="", max_length=40)
    """The check that runs the tests an agent writes; empty: the first of kind `tests`."""
    others: bool = False
    """Whether an agent is told what people say below an issue who neither opened it nor may write to the repository."""


class BenchmarkPolicy(Section):
    """``[tasks.benchmark]``: what is run on the base and on the change in turn, and compared as a ratio."""

    argv: tuple[str, ...] = Field(min_length=1)
    """A program and its arguments, never a shell line; exit status 0, or nothing is measured."""
    files: tuple[_Pattern, ...] = Field(min_length=1, max_length=50)
    """What it is made of, gitignore-style: the change may not touch it."""
    reads: Literal["printed", "seconds"] = "printed"
    """``printed``: all it prints is a number, or a JSON object with it as ``value``; ``seconds``: how long it ran."""
    better: Literal["lower", "higher"] = "lower"
    runs: int = Field(default=9, ge=6, le=50)
    """Of the base and of the change, each; under six nothing could be told from noise."""
    least: float = Field(default=0.05, ge=0.01, lt=1)
    """The share by which it must get better at least; and by more than its noise in any case."""
    seconds: Positive = 60
    """Of one run, at most; it is there to end one that hangs, and compares nothing."""


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
    """How its effect is shown: ``new_test``, ``counted`` (the check counts fewer findings), ``coverage``,
    ``benchmark``, ``acceptance``."""
    check: str = Field(default="", max_length=40)
    """The check that measures it; empty: the first of kind `tests`."""
    lines: tuple[_Lines, ...] = Field(default=(), max_length=50)
    """Of ``coverage``: files, gitignore-style, or ``path:from-to`` of the base; empty: lines of recent commits."""
    benchmark: BenchmarkPolicy | None = None
    """Of ``benchmark`` alone."""

    @property
    def key(self) -> str:
        """By which ideas, contracts and what is remembered of them name it."""
        return f"standing-{self.name}"

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        if self.measure in {MeasureKind.FINDINGS, MeasureKind.CHECK}:
            kinds = "new_test, counted, coverage, benchmark, acceptance"
            raise ValueError(f"{self.measure} measures what tools find and what is red: use one of {kinds}")
        if self.measure is MeasureKind.COUNTED and not self.check:
            raise ValueError("counted needs the name of a check that counts")
        if (self.measure is MeasureKind.BENCHMARK) is not (self.benchmark is not None):
            raise ValueError("benchmark needs a table [tasks.benchmark], and no other measure has one")
        if self.benchmark and self.check:
            raise ValueError("benchmark runs its own argv: leave check out")
        if self.lines and self.measure is not MeasureKind.COVERAGE:
            raise ValueError("lines are what coverage measures: leave them out")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later it is what it was before, so that digests of policies stay (P15)."""
        fields: dict[str, Any] = serialized(self)
        return {name: value for name, value in fields.items() if value or name not in {"lines", "benchmark"}}


class Tasks(Section):
    """``tasks.toml``."""

    tasks: tuple[StandingTask, ...] = ()

    def of(self, target: str) -> tuple[StandingTask, ...]:
        """Those of one target."""
        return tuple(each for each in self.tasks if not each.targets or target in each.targets)

    def named(self, key: str) -> StandingTask | None:
        """The task of an idea or contract; None: it is of none."""
        return next((each for each in self.tasks if each.key == key), None)

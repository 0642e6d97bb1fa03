"""Runs that take a second: one spelling mistake, an agent without tools, a check that only imports.

Server, git, sandbox, policy files, Control, effects and forge are the real ones.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from temporalio import activity
from world import World, scripted_measures

from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from adapters.agents.tools_backend import ToolsBackend
from contracts.evidence import ReviewProposal
from contracts.modes import Role
from contracts.task import Finding
from ports.agents import Agent, Brief
from ports.measures import Detection, Look

FILES: dict[str, str | bytes] = {"pkg/__init__.py": '"""Names."""\n', "README.md": "# pkg\n\nYou recieve names.\n"}
CHECK = """
[[checks]]
name = "imports"
kind = "tests"
argv = ["python", "-c", "import pkg"]
"""


@dataclass
class Speller:
    """Finds and mends one word in prose and code; plans as the ``tools`` backend does."""

    real: Agent
    before: Callable[[Brief], None] = lambda brief: None
    """Called before every answer."""
    pay: Callable[[Brief], None] = lambda brief: brief.meter.free()
    """Says what the question cost."""
    words_alone: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """For reports."""
        return "speller"

    def detect(self, look: Look) -> Detection:
        """Lines with the word."""
        places = [place for ending in ("md", "py") for place in sorted(look.tree.rglob(f"*.{ending}"))]
        files = {str(place.relative_to(look.tree)): place.read_text() for place in places if not place.is_symlink()}
        return Detection(
            tuple(
                Finding(
                    fingerprint=f"recieve-{path}-{number}",
                    tool="codespell",
                    rule="docs",
                    path=path,
                    line=number,
                    message="recieve ==> receive",
                    fixable=True,
                )
                for path, text in files.items()
                for number, line in enumerate(text.splitlines(), 1)
                if "recieve" in line
            ),
            1,
            (),
        )

    def answer(self, brief: Brief) -> str:
        """The role's proposal."""
        self.before(brief)
        self.pay(brief)
        if brief.role is Role.REVIEW:
            return ReviewProposal(approve=True, confidence=0.9, summary="a word is mended").model_dump_json()
        if brief.role is not Role.CODING:
            return self.real.answer(brief)
        for path in brief.contract.scope.allowed_paths if brief.contract else ():
            place = (brief.tree or Path()) / path
            place.write_text(place.read_text().replace("recieve", "receive"))
        return json.dumps({"summary": "receive"})


@dataclass
class Turnstile:
    """Stops chosen runs in a chosen activity, in its own thread, until opened or until the activity is cancelled.

    ``stops`` maps a workflow id to an activity's name, or to ``effect``: after the clearance, before the effect.
    """

    stops: dict[str, str] = field(default_factory=dict)
    work: Callable[[Callable[[], None]], None] | None = None
    """Instead of waiting: something long that asks ``alive`` while it works."""
    reached: set[str] = field(default_factory=set)
    _open: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        """Let everybody pass, from now on."""
        self._open.set()

    def close(self, **stops: str) -> None:
        """Stop others, from now on."""
        self.stops, self.reached = stops, set()
        self._open.clear()

    def passing(self, place: str) -> None:
        """Called by activities on their way."""
        info = activity.info()
        if self._open.is_set() or self.stops.get(info.workflow_id or "") != place:
            return
        self.reached.add(info.workflow_id or "")
        with heartbeating() as alive:
            while not self._open.wait(0.05):
                if self.work is not None:
                    self.work(alive)
                alive()

    def all_reached(self) -> Callable[[], Any]:
        """For ``World.until``: everybody who should stop has stopped."""

        async def answer() -> bool:
            return self.reached >= set(self.stops)

        return answer


@dataclass
class Stopping:
    """A port with a turnstile before its methods."""

    real: Any
    turnstile: Turnstile
    place: str = ""

    def __getattr__(self, name: str) -> Any:
        """The real method, behind the turnstile."""
        method = getattr(self.real, name)

        def passed(*given: Any, **named: Any) -> Any:
            if activity.in_activity():
                self.turnstile.passing(self.place or activity.info().activity_type)
            return method(*given, **named)

        return passed


def stopping(world: World, turnstile: Turnstile) -> StepPorts:
    """A quick workbench with turnstiles: every step reads an artifact first, every write passes ``effects``."""
    plain = world.bench()
    return quick(world, store=Stopping(plain.store, turnstile), effects=Stopping(plain.effects, turnstile, "effect"))


def add_target(world: World, name: str, more: str = CHECK, head: str = "") -> None:
    """One more cheap target; ``head`` is TOML before its checks."""
    world.add_target(name, FILES, head + more)


def with_speller(bench: StepPorts) -> StepPorts:
    """A workbench in which the speller has every role, and what it can find is what there is to find."""
    speller = Speller(ToolsBackend(bench.sandbox))
    measures = scripted_measures(bench.measures, speller)
    return replace(bench, agents=lambda _policy, _role: speller, measures=measures)


def quick(world: World, before: Callable[[Brief], None] = lambda brief: None, **ports: Any) -> StepPorts:
    """The default workbench with the speller for an agent."""
    return world.bench(lambda real: Speller(real, before), **ports)

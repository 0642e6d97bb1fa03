"""What a workflow tells Control gets there after an upgrade, too, whichever step an open run had scheduled (P15)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.api import TELL, TellInput
from activities.control.telling import Telling
from contracts.messages import FOLLOWED_UP, INCIDENT_NEWS, MERGED, REGRESSION, ROLLED_BACK
from contracts.rollback import FollowUpEnd, RollbackOutcome, RollbackResult

REPLAYED = Path(__file__).parents[1] / "replay"
OF_BEFORE = {TELL.older[each.name]: each for each in (INCIDENT_NEWS, MERGED, REGRESSION, FOLLOWED_UP, ROLLED_BACK)}


class Desk:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any, Any]] = []

    def ask(self, target: str, message: Any, request: Any) -> str:
        self.told.append((target, message, request))
        return "taken"


def scheduled() -> Iterator[tuple[str, bytes]]:
    """Every step of before ``TELL`` in the recorded histories, with its input."""
    for place in sorted(REPLAYED.glob("*/*.json")):
        for event in json.loads(place.read_text())["events"]:
            step = event.get("activityTaskScheduledEventAttributes")
            if step and step["activityType"]["name"] in OF_BEFORE:
                yield step["activityType"]["name"], base64.b64decode(step["input"]["payloads"][0]["data"])


def tell(name: str, given: TellInput, lists: dict[str, str]) -> Desk:
    """Run the step of that name; ``lists`` is changed."""
    desk = Desk()
    index = SimpleNamespace(outcomes=lambda *_: lists, became=lists.__setitem__)
    steps = Telling(SimpleNamespace(control=desk), index).steps()
    (step,) = [each for each in steps if activity._Definition.must_from_callable(each).name == name]
    assert "taken" == ActivityEnvironment().run(step, given)
    return desk


def test_a_step_that_an_open_run_had_scheduled_tells_the_same() -> None:
    """Each with its input of then, as the histories hold it."""
    seen = set()
    for name, given in scheduled():
        ((target, message, request),) = tell(name, TellInput.model_validate_json(given), {}).told
        assert (message, message.request) == (OF_BEFORE[name], type(request))
        assert f'"target":"{target}"'.encode() in given.replace(b": ", b":")
        seen.add(name)
    assert set(OF_BEFORE) == seen


ENDED = FollowUpEnd(run_id="r", outcome="o", reason="x", became="CLOSED by ann")
UNDONE = RollbackResult(run_id="r", incident="i", outcome=RollbackOutcome.RESTORED, reason="x")


@pytest.mark.parametrize(
    ("message", "said", "before", "after"),
    [
        (FOLLOWED_UP, ENDED, "", "CLOSED by ann"),
        (FOLLOWED_UP, ENDED, "ROLLED BACK", "ROLLED BACK"),
        (ROLLED_BACK, UNDONE, "MERGED by ann", "ROLLED BACK"),
        (ROLLED_BACK, UNDONE.model_copy(update={"outcome": RollbackOutcome.ESCALATED}), "MERGED by ann", None),
    ],
)
def test_lists_say_what_became_of_it(message: Any, said: Any, before: str, after: str | None) -> None:
    """Once it is undone, the base is without it, whatever else is told late."""
    lists = {"r": before}
    tell("tell", TellInput(target="t", update=message.name, payload=said.model_dump(mode="json")), lists)
    assert {"r": after or before} == lists

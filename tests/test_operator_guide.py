"""What the operator guide tells people to type into the Temporal UI is what the workflows take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from composition import WORKFLOWS
from contracts.admission import RunRequest
from contracts.alert import LiftRequest, SilenceRequest
from contracts.artifact import Contract
from contracts.budget import CapsRequest, CostStatement
from contracts.control import ModeRequest, PauseRequest, ResumeRequest
from contracts.grant import GrantRequest
from contracts.handover import HumanDecision
from contracts.incident import CloseRequest, HumanFacts
from contracts.rollback import RollbackRequest
from contracts.trial import ExpansionRequest
from workflows import api

GUIDE = (Path(__file__).parents[1] / "docs" / "operator-guide.md").read_text()
TAKEN: dict[str, type[Contract]] = {
    "start": RunRequest,
    "try": ExpansionRequest,
    "pause": PauseRequest,
    api.RESUME: ResumeRequest,
    api.SET_MODE: ModeRequest,
    api.DECIDE: HumanDecision,
    api.GRANT: GrantRequest,
    api.SET_CAPS: CapsRequest,
    api.STATE_COST: CostStatement,
    api.SILENCE: SilenceRequest,
    api.LIFT: LiftRequest,
    api.ROLL_BACK: RollbackRequest,
    api.EDIT: HumanFacts,
    api.CLOSE: CloseRequest,
}
# What the guide leaves for its reader to fill in.
_FILLED_IN = (('"expectedEpoch": …', '"expectedEpoch": 7'), ("<headSha of its change.json>", "a" * 40))
_MODE = '"expectedEpoch": 7, "reason": "earned", "actor": "you",'


def _snippets() -> list[str]:
    """Every JSON object of the guide, in backticks or in quotes of a shell."""
    found = re.findall(r"`(\{[^`]*\})`|'(\{[^']*\})'", GUIDE)
    texts = [" ".join((one or other).split()) for one, other in found]
    for gap, filled in _FILLED_IN:
        texts = [text.replace(gap, filled) for text in texts]
    return [text.replace("{…", "{" + _MODE) for text in texts]


def _takers(said: dict[str, Any]) -> set[str]:
    """Messages that this could be: all of its keys are theirs, and none of theirs is missing."""
    takers = set()
    for name, model in TAKEN.items():
        fields = {field.alias or own: field.is_required() for own, field in model.model_fields.items()}
        if set(said) <= set(fields) and {key for key, needed in fields.items() if needed} <= set(said):
            takers.add(name)
    return takers


@pytest.mark.parametrize("text", _snippets())
def test_what_the_guide_says_is_understood(text: str) -> None:
    """No key is misspelt, none is missing, and every value is one that its message takes."""
    said = json.loads(text)
    takers = _takers(said)
    assert takers, f"no message takes {text}"
    for name in takers:
        TAKEN[name].model_validate(said)


def test_the_guide_shows_every_message_of_an_operator() -> None:
    """Pause, resume and all the others can be sent by hand, because their form is written down."""
    shown = set().union(*(_takers(json.loads(text)) for text in _snippets()))
    assert set(TAKEN) == shown


@pytest.mark.parametrize("force", ["Terminate", "Cancel", "Reset"])
@pytest.mark.parametrize("flow", [flow.__name__ for flow in WORKFLOWS])
def test_the_table_of_force_has_a_row_for_every_flow_and_kind(flow: str, force: str) -> None:
    """A9: whoever clicks it in the UI finds what follows."""
    guide = GUIDE.partition("\n## Force\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in guide.splitlines() if line.startswith("| ")]
    assert 1 == sum(force in row and f"`{flow}`" in row for row in rows)

"""Asks, in the sandbox, whether changes can be shown to be equal to what was there (``inside/equality.py``)."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from adapters.agents.inside.edits import Edit
from adapters.agents.tools.tool_runner import ToolRunner, ToolUnavailable

BASE = "/opt/autonomy/base"
REQUEST = "/opt/autonomy/request.json"
_REASONS = TypeAdapter(tuple[str, ...])


class Question(NamedTuple):
    """Is this change of a file equal?"""

    path: str
    edits: tuple[Edit, ...] | None = None
    """Made on the base's file; None: the file of the changed tree."""


def unequal(base: Path, tree: Path, questions: Sequence[Question], bench: ToolRunner) -> tuple[str, ...]:
    """For each question why the change is not shown to be equal; empty: it is.

    Raises:
        ToolUnavailable: nobody could look; that is no proof.
    """
    if not questions:
        return ()
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder, "request.json")
        request.write_text(json.dumps([{"path": each.path, "edits": each.edits} for each in questions]))
        beside = ((base, BASE), (request, REQUEST))
        answer = bench.python("equality.py", BASE, "/work", REQUEST, tree=tree, beside=beside).stdout
    try:
        reasons = _REASONS.validate_python(json.loads(answer))
    except (ValueError, ValidationError, RecursionError) as error:
        raise ToolUnavailable("the comparison of what the change does gave no readable answer") from error
    if len(reasons) != len(questions):
        raise ToolUnavailable("the comparison of what the change does left something out")
    return reasons

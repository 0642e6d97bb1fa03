"""What our scripts in the sandbox say of a change: whether it is equal to what was there, and what its syntax holds."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.tools.inside.code_text import SUFFIXES
from adapters.tools.inside.edits import Edit
from adapters.tools.tool_runner import ToolRunner, ToolUnavailable

BASE = "/opt/autonomy/base"
REQUEST = "/opt/autonomy/request.json"
PROVABLE = (".py", ".pyi", ".md", ".rst", ".txt", *SUFFIXES)
COULD_NOT = "could not be compared"
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


def unproved(base: Path, tree: Path, paths: Sequence[str], bench: ToolRunner) -> dict[str, str]:
    """Of the changed paths those that are not shown to be equal, and why. Could not look is not shown."""
    provable = [path for path in paths if path.endswith(PROVABLE) and _plain(base / path) and _plain(tree / path)]
    answers = dict.fromkeys(paths, "is new, gone, or of a kind that nothing can be shown of")
    try:
        answers |= dict(zip(provable, unequal(base, tree, [Question(path) for path in provable], bench), strict=True))
    except ToolUnavailable as error:
        answers |= dict.fromkeys(provable, f"{COULD_NOT}: {error}")
    return {path: reason for path, reason in answers.items() if reason}


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


class PythonFacts(BaseModel):
    """What ``inside/python_facts.py`` says of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error: str
    prose: str = ""
    modules: frozenset[str] = frozenset()
    definitions: frozenset[str] = frozenset()
    tests: frozenset[str] = frozenset()
    asserts: int = 0
    runs_code: dict[str, int] = {}


_FACTS = TypeAdapter(dict[str, PythonFacts])


def python_facts(
    tree: Path,
    paths: Sequence[str],
    bench: ToolRunner,
    beside: tuple[tuple[Path, str], ...] = (),
) -> dict[str, PythonFacts]:
    """For each of the paths in the tree, and of those with the name of a folder shown beside it.

    Raises:
        ToolUnavailable: nobody could look.
    """
    if not paths:
        return {}
    answer = bench.python("python_facts.py", *paths, tree=tree, beside=beside).stdout
    try:
        facts = _FACTS.validate_python(json.loads(answer))
    except (ValueError, ValidationError, RecursionError) as error:
        raise ToolUnavailable("the syntax comparison gave no readable answer") from error
    if facts.keys() != set(paths):
        raise ToolUnavailable("the syntax comparison left something out")
    return facts

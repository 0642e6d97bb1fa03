"""What the syntax of Python files says of them, read in the sandbox (``inside/python_facts.py``)."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.agents.tools.tool_runner import ToolRunner, ToolUnavailable


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
    *,
    folder: str = "/work",
    beside: tuple[tuple[Path, str], ...] = (),
) -> dict[str, PythonFacts]:
    """For each of the paths below ``folder``, as the sandbox shows it.

    Raises:
        ToolUnavailable: nobody could look.
    """
    if not paths:
        return {}
    answer = bench.python("python_facts.py", folder, *paths, tree=tree, beside=beside).stdout
    try:
        facts = _FACTS.validate_python(json.loads(answer))
    except (ValueError, ValidationError, RecursionError) as error:
        raise ToolUnavailable("the syntax comparison gave no readable answer") from error
    if facts.keys() != set(paths):
        raise ToolUnavailable("the syntax comparison left something out")
    return facts

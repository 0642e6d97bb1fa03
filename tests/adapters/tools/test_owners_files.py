"""What a repository sets up is read by us: nothing in it keeps the worker, and so the brake, from going on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from adapters.survey.own_commands import own_commands
from adapters.tools import owners_files
from adapters.tools.owners_files import Patterns, handed, patterns_of, unfolded
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolUnavailable
from policies.paths.rules import can_match

PATHS = ("src/a.py", "docs/b.py", "\udcff.py")


def test_a_hook_is_handed_what_its_patterns_say() -> None:
    """And the whole configuration's, beside them."""
    hook = {"files": "^src/", "also-files": "", "exclude": None, "also-exclude": "b"}
    asked = [patterns_of(hook), Patterns((), ("^src/",)), Patterns((), ())]
    assert handed(asked, PATHS) == [{"src/a.py"}, {"docs/b.py", "\udcff.py"}, set(PATHS)]
    assert handed([Patterns((), ())], PATHS) == [set(PATHS)]


def test_a_pattern_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child: while this process matched it, nobody could pause anything."""
    monkeypatch.setattr(owners_files, "_SECONDS", 0.7)
    with pytest.raises(ToolUnavailable, match="longer than"):
        handed([Patterns(("^(a+)+$",), ())], ("a" * 90 + "!",))


def test_a_pattern_that_is_none_is_said() -> None:
    with pytest.raises(ToolUnavailable, match="a hook's pattern cannot be read"):
        handed([Patterns(("(",), ())], PATHS)
    with pytest.raises(ToolUnavailable, match="it is no text"):
        patterns_of({"files": ["a"]})


LEVELS = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
BOMBS = {
    "holds itself": "a: &a [*a]\n",
    "grows at each level": f"l0: &l0 [x]\n{LEVELS}\n",
    "one long text": f"a: &a {'x' * 9000}\nb: [{', '.join(['*a'] * 900)}]\n",
    "merges": "a: &a {x: 1}\n"
    + "\n".join(f"b{n}: {{<<: [{', '.join(['*a'] * 3)}]}}" for n in range(3))
    + "\nc: &c [*c]\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_aliases_unfold_to_no_more_than_a_configuration(bomb: str) -> None:
    """A few lines; whoever walks through them, or writes them out, would never end."""
    with pytest.raises((ValueError, yaml.YAMLError)):
        unfolded(BOMBS[bomb])
    path = ".github/workflows/ci.yml"
    assert own_commands(lambda asked: BOMBS[bomb] if asked == path else "", (path,)) == ()


def test_a_usual_configuration_is_read() -> None:
    """Aliases and merges included; what is merged stands where it was written."""
    text = "x: &x {run: make test}\njobs: [*x, {<<: *x, name: b}]\n"
    assert unfolded(text, merges=True) == {
        "x": {"run": "make test"},
        "jobs": [{"run": "make test"}, {"<<": {"run": "make test"}, "name": "b"}],
    }


def test_marks_of_generated_files_never_take_for_ever(tmp_path: Path) -> None:
    """Patterns of the repository's own: those that are none mark nothing, nor do those with many stars."""
    lines = ["a\\", "[z-a]", "!", "*a" * 14 + "*b", "/*_pb.py", "**/*gen*.py"]
    (tmp_path / ".gitattributes").write_text("".join(f"{each} linguist-generated\n" for each in lines))
    tree = SourceTree(tmp_path)
    assert [tree.generated(path) for path in ("a" * 200, "x_pb.py", "src/a_gen_b.py", "src/a.py")] == [
        False,
        True,
        True,
        False,
    ]
    assert not can_match("[z-a]")

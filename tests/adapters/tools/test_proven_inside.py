"""The port's answer, in the real sandbox: could not look is not shown."""

from __future__ import annotations

from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.tools.measures import ToolMeasures
from policies.settings.schema import SandboxLimits
from ports.measures import Look
from tests.adapters.tools.conftest import policy


def unproved(base, tree, paths, **limits):
    known = policy()
    limited = known.model_copy(
        update={"autopilot": known.autopilot.model_copy(update={"sandbox": SandboxLimits(**limits)})}
    )
    return ToolMeasures(BubblewrapSandbox()).unproved(base, paths, Look(tree, limited, lambda: None))


def test_each_changed_path_is_shown_equal_or_named(tmp_path):
    """Ordinary files of both trees are compared; new, deleted, linked and other files cannot be."""
    base, tree = tmp_path / "base", tmp_path / "tree"
    for root, text in ((base, "x = 1 \n"), (tree, "x = 1\n")):
        root.mkdir()
        (root / "a.py").write_text(text)
        (root / "b.toml").write_text(text)
        (root / "c.py").write_text(text.replace(" \n", "2\n"))
    (tree / "new.py").write_text("x = 1\n")
    (tree / "link.py").symlink_to("a.py")
    paths = ["a.py", "b.toml", "c.py", "new.py", "link.py"]
    found = unproved(base, tree, paths)
    assert set(paths) - {"a.py"} == set(found)
    assert found["c.py"].startswith("line 1 is not shown")


def test_what_could_not_be_compared_is_not_shown(tmp_path):
    """A comparison that runs out of time says nothing for the change."""
    for root in (tmp_path / "base", tmp_path / "tree"):
        root.mkdir()
        (root / "a.py").write_text(f"x = '{root.name}'\n" + "y = [1, 2, 3]\n" * 60_000)
    found = unproved(tmp_path / "base", tmp_path / "tree", ["a.py"], memory_mb=64)
    assert {"a.py"} == set(found)

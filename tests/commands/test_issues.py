"""``issue`` and ``try``, as a person types them where there is no forge: what is refused, and what to do."""

from __future__ import annotations

import pytest
from shell import shell_of
from world import World

from tests.workflows.quick import add_target
from tests.workflows.test_asked_of_agents import let_an_agent_code


def labelled(world: World, name: str = "shop") -> None:
    """The target's issues with the label `agent` are tasks."""
    add_target(world, name)
    place = world.settings.policies / "targets" / f"{name}.toml"
    place.write_text(place.read_text() + '\n[issues]\nlabel = "agent"\n')


def test_issues_are_opened_listed_and_closed(world: World) -> None:
    """With the target's label by default; a closed one is no task any more."""
    labelled(world)
    shell = shell_of(world)
    opened = shell.type("issue", "open", "shop", "--title", "Empty  baskets\nfail", "--body", "They raise.", "--json")
    other = shell.type("issue", "open", "shop", "--title", "For people", "--label", "")
    assert ("Empty baskets fail", ["agent"], 1) == tuple(opened.json[key] for key in ("title", "labels", "number"))
    assert "a run may take it" not in other.out
    add_target(world, "bare")
    bare = shell.type("issue", "open", "bare", "--title", "Empty baskets fail")
    assert "no run takes it: targets/bare.toml has no [issues]" in bare.out
    listed = shell.type("issue", "list", "shop", "--json").json["issues"]
    assert [2, 1] == [each["number"] for each in listed]
    assert 0 == shell.type("issue", "close", "shop", "1").status
    again = shell.type("issue", "close", "shop", "1")
    assert (11, True) == (again.status, "no open issue" in again.err)
    assert "#1" not in shell.type("issue", "list", "shop").out
    assert "closed" in shell.type("issue", "list", "shop", "--all").out
    nothing = shell.type("issue", "open", "shop", "--title", " ")
    assert (2, True) == (nothing.status, "--title" in nothing.err)


def test_people_answer_below_an_issue(world: World) -> None:
    """What was asked and said is shown; nothing is said on what is closed or not there, and nothing empty."""
    labelled(world)
    shell = shell_of(world)
    shell.type("issue", "open", "shop", "--title", "It fails")
    assert 0 == shell.type("issue", "comment", "shop", "1", "--text", "With an empty basket.").status
    shown = shell.type("issue", "show", "shop", "1", "--json").json
    assert ([True], 1) == ([each["writes"] for each in shown["said"]], shown["comments"])
    assert "With an empty basket." in shell.type("issue", "show", "shop", "1").out
    assert 2 == shell.type("issue", "show", "shop", "7").status
    assert 2 == shell.type("issue", "comment", "shop", "1", "--text", " ").status
    shell.type("issue", "close", "shop", "1")
    late = shell.type("issue", "comment", "shop", "1", "--text", "Late.")
    assert (11, True) == (late.status, "no open issue" in late.err)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say what to try"),
        (("--task", "x", "--issue", "1"), "one of the two"),
        (("--task", "Mend it"), "no agent codes"),
        (("--task", "Mend it", "--agent", "who"), "no [trials.who]"),
    ],
)
def test_a_trial_of_nobody_or_nothing_is_refused(world: World, words: tuple[str, ...], says: str) -> None:
    """Before anything starts."""
    add_target(world, "shop")
    refused = shell_of(world).type("try", "shop", *words)
    assert (2, True) == (refused.status, says in refused.err), refused.err


def test_an_issue_is_tried_where_issues_are_tasks(world: World) -> None:
    """Else which label they have is not known."""
    add_target(world, "shop")
    let_an_agent_code(world)
    refused = shell_of(world).type("try", "shop", "--issue", "3")
    assert (2, True) == (refused.status, "has no [issues]" in refused.err), refused.err

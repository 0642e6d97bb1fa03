"""Verdict trees: the worst child decides, and the tree explains itself (P12, P13)."""

from itertools import combinations

import pytest

from contracts.verdict import Decision, Verdict
from policies.verdicts import all_of, allow, ask, deciding, deny, escalate, explain, hold

WORST_FIRST = (escalate, deny, hold, ask, allow)


@pytest.mark.parametrize(("worse", "better"), list(combinations(WORST_FIRST, 2)))
def test_the_worst_child_decides_wherever_it_stands(worse, better):
    """ESCALATE > DENY > HOLD > ASK > ALLOW, in any order of the children."""
    bad, good = worse("bad", "because"), better("good", "fine")

    assert bad.decision is all_of("whole", [bad, good]).decision
    assert bad.decision is all_of("whole", [good, bad]).decision
    assert bad == deciding(all_of("whole", [good, all_of("part", [good, bad])]))


def test_no_children_prove_nothing():
    """An empty list of conditions is a no (P13)."""
    assert all_of("whole", []).decision is Decision.DENY


def test_the_tree_is_its_own_explanation():
    """``explain`` shows every rule, its reason and its facts (P12)."""
    tree = all_of("whole", [allow("first", "fine", lines=3), deny("second", "too big", found=9, most=5)])

    assert explain(tree) == (
        "DENY whole: too big\n"
        "  ALLOW first: fine [lines=3]\n"
        "  DENY second: too big [found=9, most=5]"
    )  # fmt: skip


def test_a_whole_verdict():
    """What ``all_of`` builds, to the last field."""
    child = allow("first", "fine")

    assert all_of("whole", [child]) == Verdict(
        rule="whole", decision=Decision.ALLOW, reason="the condition holds", facts={}, children=(child,)
    )


def test_the_reason_is_the_deciding_one_however_deep():
    """What is the case, word for word; not the names of the rules that failed, one in the other (item 41)."""
    leaf = deny("files are within budget", "9 files; the contract allows 8")
    part = all_of("the change is within its budgets", [allow("lines are within budget", "3 lines"), leaf])

    assert leaf.reason == part.reason == all_of("the change may be released", [part]).reason

"""Follow-ups from before the activity ``attribute`` are judged as they were, whatever today's rules say (P15)."""

from __future__ import annotations

from itertools import product

import pytest

from contracts.merging import Health
from contracts.rollback import AttributeInput, Culprit, Observation
from contracts.verdict import Decision
from tests.workflows.test_rolling_back import merge_of
from workflows.after.older_rules import attributed

R, G, U = Health.RED, Health.GREEN, Health.UNKNOWN
# Frozen with the rules: histories hold what followed from these answers.
THEN = {
    (R, G): Culprit.OURS, (R, R): Culprit.BEFORE_US, (G, R): Culprit.SOMEONE_ELSE, (G, G): Culprit.SOMEONE_ELSE,
}  # fmt: skip


def look(health: Health, commit: str) -> Observation:
    """One look at the check ``tests``."""
    named = {R: "failing", G: "healthy", U: "unknown"}[health]
    return Observation.model_validate({"commit": commit, "health": health, named: ("tests",)})


def asked(ours: Health, parent: Health, again: Health = R, *looks: Observation) -> AttributeInput:
    """Red at the head; then again, and what our merge and its parent show."""
    return AttributeInput(
        run=merge_of().run, first=look(R, "h"), again=look(again, "h"), ours=(look(ours, "m"),),
        parents=(look(parent, "p"),), looks=looks,
    )  # fmt: skip


@pytest.mark.parametrize(("ours", "parent"), list(product([R, G, U], repeat=2)))
def test_whose_it_was(ours: Health, parent: Health) -> None:
    """The table of that day, unknown where either could not be found out."""
    said = attributed(asked(ours, parent))
    expected = THEN.get((ours, parent), Culprit.UNKNOWN)
    assert said.verdict is not None
    assert (("tests",), expected, expected is Culprit.OURS) == (said.failing, said.culprit, said.verdict.allowed)
    assert (said.verdict.decision is Decision.DENY) is (said.verdict.facts.get("whose") == expected.value)


def test_what_did_not_come_back_or_is_flaky_blamed_nobody() -> None:
    """Green at the second look; red and green on one commit; no looks yet."""
    assert ((), None) == (attributed(asked(R, G, G)).failing, attributed(asked(R, G, G)).verdict)
    assert Culprit.UNKNOWN is attributed(asked(R, G, R, look(R, "m"), look(G, "m"))).culprit
    assert attributed(asked(R, G).model_copy(update={"ours": ()})).verdict is None

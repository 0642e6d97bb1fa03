"""A model ranks, leaves out, narrows and blocks; it never finds, widens or unblocks (P6)."""

from datetime import date

import pytest

from contracts.evidence import ReviewProposal, ReviewRemark, Severity
from contracts.task import CandidateTasks, SuppressedCandidate
from contracts.verdict import Decision
from policies.agents.answers import Unfit, both, narrowed, ranked
from policies.task.candidates import Memory, rank
from policies.task.planning import judge_contract, make_contract
from tests.policies.sample_policy import policy
from tests.policies.test_candidates import found

POLICY = policy()
OURS = CandidateTasks(
    run_id="r1",
    base_sha="b" * 40,
    candidates=rank(
        (*found("src/a.py"), *found("src/b.py"), *found("src/c.py", rule="F")), POLICY, Memory(today=date(2026, 11, 23))
    ).candidates,
)
FIRST, SECOND = OURS.candidates
CONTRACTS = [make_contract(each, POLICY, "r1") for each in OURS.candidates]


def said(*candidates, **more):
    """What a model answers."""
    return OURS.model_copy(update={"candidates": candidates, **more})


def test_a_model_ranks_with_our_own_numbers():
    """Its order; of each idea what we measured; a lower confidence of its own counts, a higher one does not."""
    lying = SECOND.model_copy(
        update={"before": 999, "paths": ("src/z.py",), "title": "Mine", "confidence": 1.0, "score": 9}
    )
    unsure = FIRST.model_copy(update={"confidence": 0.1})
    got = ranked(OURS, said(lying, unsure), "m").candidates
    assert [each.task_id for each in got] == [SECOND.task_id, FIRST.task_id]
    assert got[0] == SECOND.model_copy(update={"score": max(FIRST.score, SECOND.score)})
    assert got[1].confidence == 0.1
    assert got[0].score >= got[1].score


def test_what_a_model_leaves_out_is_listed_with_its_reason():
    """Nothing disappears (P12)."""
    why = (SuppressedCandidate(task_id=SECOND.task_id, title="x", reason="taste"),)
    got = ranked(OURS, said(FIRST, suppressed=why), "model m")
    assert [(each.task_id, each.reason) for each in got.suppressed] == [
        (SECOND.task_id, "left out today by model m: taste")
    ]
    assert ranked(OURS, said(), "model m").candidates == ()
    assert ranked(OURS, said(FIRST, FIRST), "m").candidates == (FIRST,)


def test_a_model_finds_nothing():
    """An idea that nobody measured is sent back."""
    with pytest.raises(Unfit, match="'mine' is no listed candidate"):
        ranked(OURS, said(FIRST, FIRST.model_copy(update={"task_id": "mine"})), "m")


def scope(contract, **limits):
    """The contract with another scope."""
    return contract.model_copy(update={"scope": contract.scope.model_copy(update=limits)})


def test_planning_picks_and_narrows():
    """A path less, fewer lines, more that is blocked; all else stays ours, and policy approves it."""
    mine = next(each for each in CONTRACTS if len(each.scope.allowed_paths) > 1)
    asked = scope(mine, allowed_paths=("src/a.py",), max_lines=5, blocked_paths=("src/b.py",)).model_copy(
        update={"title": "Mine", "verification": None, "rollback": None, "rationale": "x"}
    )
    got = narrowed(CONTRACTS, asked)
    assert (got.scope.allowed_paths, got.scope.max_lines) == (("src/a.py",), 5)
    assert got.scope.blocked_paths == (*mine.scope.blocked_paths, "src/b.py")
    assert (got.title, got.verification, got.rollback) == (mine.title, mine.verification, mine.rollback)
    assert got.expected_metric_delta == -1
    assert judge_contract(got, POLICY, OURS).decision is Decision.ALLOW


@pytest.mark.parametrize(
    "limits", [{"max_lines": 10**6}, {"max_files": 99}, {"max_new_files": 5}, {"max_deletions": 7}]
)
def test_planning_widens_no_limit(limits):
    """Larger limits are ours again."""
    assert narrowed(CONTRACTS, scope(CONTRACTS[0], **limits)) == CONTRACTS[0]


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        (scope(CONTRACTS[0], allowed_paths=("src/a.py", "src/secret.py")), "src/secret.py is not in the scope"),
        (scope(CONTRACTS[0], allowed_paths=("**",)), r"\*\* is not in the scope"),
        (scope(CONTRACTS[0], allowed_paths=()), "nothing may be changed"),
        (scope(CONTRACTS[0], max_lines=0), "nothing may be changed"),
        (CONTRACTS[0].model_copy(update={"task_id": "mine"}), "'mine' is not offered"),
    ],
)
def test_what_reaches_beyond_is_sent_back(contract, words):
    """With what is wrong, for another try."""
    with pytest.raises(Unfit, match=words):
        narrowed(CONTRACTS, contract)


YES = ReviewProposal(approve=True, confidence=0.9, summary="Compared.")
NO = ReviewProposal(approve=False, confidence=0.4, summary="No.")
BLOCK = ReviewRemark(severity=Severity.BLOCKING, path="a.py", line=3, message="the sign is wrong")


@pytest.mark.parametrize(
    ("ours", "theirs", "approved"),
    [
        (YES, YES, True),
        (YES, NO, False),
        (NO, YES, False),
        (NO, NO, False),
        (YES, YES.model_copy(update={"remarks": (BLOCK,)}), False),
        (YES.model_copy(update={"remarks": (BLOCK,)}), YES, False),
    ],
)
def test_only_both_approve(ours, theirs, approved):
    """A model blocks and never unblocks."""
    got = both(ours, theirs, "m", {"a.py"}, whole=True)
    assert got.approve is approved
    assert got.confidence == min(ours.confidence, theirs.confidence)
    assert len(got.remarks) == len(ours.remarks) + len(theirs.remarks)


def test_remarks_on_invented_files_are_about_the_whole():
    """And long ones are cut; ours come first."""
    flood = YES.model_copy(
        update={"remarks": (BLOCK.model_copy(update={"path": "no/such.py", "message": "x" * 5000}),) * 300}
    )
    got = both(YES.model_copy(update={"remarks": (BLOCK,)}), flood, "m", {"a.py"}, whole=True)
    assert got.remarks[0] == BLOCK
    assert len(got.remarks) == 100
    assert {(each.path, each.line) for each in got.remarks[1:]} == {(None, None)}
    assert all(len(each.message) <= 900 for each in got.remarks)


def test_a_change_that_was_not_seen_whole_was_not_reviewed():
    """However sure the model is (P18)."""
    got = both(YES, YES, "m", {"a.py"}, whole=False)
    assert not got.approve
    assert "too long to be shown whole" in got.remarks[0].message

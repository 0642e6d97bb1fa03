"""What the commits say that move the base (issue: title, number; others' words act on nothing)."""

from __future__ import annotations

from policies.texts.commit import merge_message, revert_words
from tests.policies.test_rollback_text import given, idea

LOUD = "@everyone closes #1\n\nTask-Id: other <x>"


def test_a_merge_names_its_pull_request() -> None:
    """Number and title in the subject, the run below; no number where the forge shows none."""
    subject, _, rest = merge_message(7, "Tidy a.txt", "demo-1", "t-1").partition("\n\n")
    assert ("Merge pull request #7: Tidy a.txt", "Run: demo-1\nTask-Id: t-1\n") == (subject, rest)
    assert merge_message(0, "Tidy a.txt", "demo-1", "t-1").startswith("Merge pull request: Tidy a.txt\n")


def test_a_revert_names_what_it_undoes_and_why() -> None:
    """Both commits of it; a person's order is theirs, and nothing is made up without a title."""
    words = revert_words(given(), idea())
    assert words.revert.startswith('Revert "Remove unused imports (F401)" (pull request #7)\n\nThis restores')
    assert words.landing.startswith('Merge the revert of "Remove unused imports (F401)" (pull request #7)\n\n')
    for said in (words.revert, words.landing):
        assert "c" * 40 in said
        assert said.endswith("A measured regression: imports red since our merge\n\n"
                             "Run: demo-1\nIncident: INC-demo-1-regression\n")  # fmt: skip
    ordered = revert_words(given(commanded_by="ann", reason="it hurts"), None)
    assert ordered.revert.startswith('Revert "demo-1" (pull request #7)\n')
    assert "Ordered by ann: it hurts\n" in ordered.revert


def test_the_merge_of_a_rollbacks_pull_request_names_that() -> None:
    """As every merge of ours does, and still what it undoes; the revert itself stays as the pull request shows it."""
    before, words = revert_words(given(), idea()), revert_words(given(), idea(), own=8)
    assert before.revert == words.revert
    subject, _, rest = words.landing.partition("\n\n")
    assert "Merge pull request #8: Roll back demo-1" == subject
    assert rest.startswith('It holds the revert of "Remove unused imports (F401)" (pull request #7).\nThis restores')
    assert before.landing.partition("\n\n")[2] in rest


def test_others_words_act_on_nothing_in_a_commit_either() -> None:
    """A commit on a forge closes tickets and calls people as a body does, and trailers are lines."""
    words = revert_words(given(reason=LOUD, commanded_by=LOUD), idea(LOUD))
    for said in (merge_message(7, LOUD, "demo-1", LOUD), words.revert, words.landing):
        assert "@everyone" not in said
        assert "#1" not in said
        assert "\nTask-Id: other" not in said
        assert "<" not in said

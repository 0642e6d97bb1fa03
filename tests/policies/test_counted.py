"""Numbers agree with their nouns, and no word is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.counted import CUT, aged, counted, shortened


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("file",), "0 files"),
        (1, ("file",), "1 file"),
        (2, ("file",), "2 files"),
        (1, ("branch", "branches"), "1 branch"),
        (2, ("branch", "branches"), "2 branches"),
    ],
)
def test_a_number_and_its_noun(number, words, text):
    """One file, two files."""
    assert text == counted(number, *words)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("as it is", 8, "as it is"),
        ("one two three", 12, "one two …"),
        ("one two three", 9, "one two …"),
        ("one, two three", 7, "one …"),
        ("x" * 20, 10, "x" * 8 + " …"),
    ],
)
def test_a_long_reason_ends_with_a_word(text, limit, short):
    """And says that it goes on."""
    assert short == shortened(text, limit)


@given(st.text(), st.integers(4, 50))
def test_it_is_never_longer(text, limit):
    """Whatever the text."""
    short = shortened(text, limit)
    assert limit >= len(short)
    assert short == text or (short.endswith(CUT) and text.startswith(short.removesuffix(CUT)))


@pytest.mark.parametrize(
    ("hours", "said"),
    [(0.2, "0 hours"), (1, "1 hour"), (47.4, "47 hours"), (48, "2 days"), (60_504, "2,521 days")],
)
def test_what_is_old_is_told_in_days(hours, said):
    """From two days on."""
    assert said == aged(hours)

"""Which words are certainly words of an English sentence: an allow-list, in tables."""

from __future__ import annotations

import pytest

from adapters.tools.inside.running_text import APART, words


def given(paragraph: str, *, sentences_only: bool = False) -> list[str]:
    return [word.text for word in words(paragraph, sentences_only=sentences_only)]


@pytest.mark.parametrize(
    "paragraph",
    [
        "We recieve it.",
        "You recieve names.",
        "It is there to recieve and to send.",
        "Note that, in this case, you recieve the rest.",
        "It is recieve, and then (we recieve) again",
        f"Call {APART} to recieve the answer.",
        "Each of them\nis recieve at the end of a line\nand goes on.",
    ],
)
def test_a_sentence_gives_its_words(paragraph):
    """Plain English, over several lines, with something that is no text in it."""
    assert "recieve" in given(paragraph)


@pytest.mark.parametrize(
    "paragraph",
    [
        "CPU 0     CPU 1     CPU 2\ngvfsd     recieve   the",
        "name\trecieve\tof the",
        "Wir haben das recieve und die Daten.",
        "Le recieve est dans la maison pour les autres.",
        "Мы recieve the данные",
        "recieve",
        "recieve seperate",
        "if x = recieve then the",
        "expr : expr recieve the term",
        "the tool --recieve it is",
        "See recieve() of the library.",
        "The word recieve is in it.",
        "It says `recieve` to the user.",
        'It says "you recieve it" to the user.',
        "It says “you recieve it” to the user.",
        "It says 'you recieve it' to the user.",
        "It is a command called recieve.",
        "The recieve command is fast.",
        "We do it with the help of recieve.",
        "It was written by recieve in a day.",
        "Thanks to all of recieve for this.",
        "We use recieve to split the lines.",
        "Look into docs/recieve of the tree.",
        "Send it to recieve@example.org at once.",
        "Look at the on-recieve of the tree.",
        "Here is what the Recieve of it does.",
        "Here is what RECIEVE of it does.",
        "| the | recieve |",
        "The value is {recieve} of it.",
        "The value is $recieve of it.",
        "!!! note the recieve of it",
        ":: the recieve of it",
        "recieve\n:   It is the one that we have.",
        "It is a word such as adress, seperate and recieve in it.",
        "It corrects what you type (e.g. recieve) when you write to it.",
        "We saw this in the log of it: recieve failed when it was there.",
        "This is a fix for the typo of it, and we have recieve there.",
        "It finds what is misspelled by you. We have recieve in it.",
        "It is faster than recieve and has less to do.",
        "It works with django, recieve and flask in the same way.",
        "The request has the fields id, recieve, name and more.",
        "We build on top of recieve which is fast.",
        "The names and recieve are in the list.",
        "You can use git recieve to get it.",
        "Recieve: the one that we have.",
        "The message is: you could not recieve the data.",
        "We match (recieve)? and then the rest of it.",
    ],
)
def test_what_may_be_something_else_gives_nothing(paragraph):
    """Columns, other languages, code, names, quotations, options, paths, credits, markup."""
    assert [] == [word for word in given(paragraph) if word.lower() == "recieve"]


def test_names_of_people_are_no_words():
    """A capital inside a sentence is a name; one that begins it is marked."""
    assert not {"Claus", "Ines", "Ment"} & set(given("It is by Claus Hansen, with help from Ines Ment and others."))
    (first, *_) = words("Claus is the one.", sentences_only=False)
    assert ("Claus", True) == (first.text, first.initial)


@pytest.mark.parametrize(
    ("paragraph", "known"),
    [
        ("Recieve names.", True),
        ("We recieve it all, and this is what we do.", True),
        ("recieve the names.", False),
        ("Recieve the names", False),
        ("expr : expr recieve term", False),
        ("tool recieve", False),
        ("Recibe los nombres.", False),
    ],
)
def test_where_nothing_else_says_that_it_is_text(paragraph, known):
    """A docstring's paragraph begins and ends as a sentence does."""
    assert known == any("rec" in word.lower() for word in given(paragraph, sentences_only=True))

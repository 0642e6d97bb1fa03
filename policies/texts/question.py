"""What is asked on an issue that nobody could do: an agent's words, which nothing in them can make act."""

from policies.counted import shortened
from policies.texts.inert_markdown import code_block

LONGEST = 1500
"""Characters of a question; more is no question."""


def question_text(question: str) -> str:
    """The comment; equal in every run that asks the same (P3)."""
    words = shortened(question.strip(), LONGEST)
    return (
        "**A question, before anybody works on this**\n\n"
        f"{code_block(words, 'text')}\n\n"
        "Answer below, or edit the issue: whoever opened it, or may write to this repository. Until then it is left "
        "alone.\n"
    )

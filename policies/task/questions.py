"""Questions on issues: which are unclear, whose answers count, and what is quiet until somebody answers.

Whose words count: of the issue's author, and of people who may write to the repository. A question is asked once of
each state that the issue is in; its title, its text and what those people say below it make the state. Nobody else
wakes it up, and nobody's words are an order.
"""

import re
from collections.abc import Iterable

from contracts.asked import Conversation
from contracts.forge_facts import Issue, IssueComment, asked_on, question_name, said_by_us
from policies.agents.context import named
from policies.counted import counted, shortened
from policies.digests import digest

_STATE = 16
_LEAST = 12
"""Letters and digits; in fewer nobody says what is wrong."""
_NO_WORDS = re.compile(r"<!--[\s\S]*?(?:-->|\Z)|^ *#{1,6} .*$|!?\[[^\]\n]*\]\([^)\n]*\)|\w{1,20}://\S+", re.MULTILINE)
"""A template's hints and headings, pictures, addresses."""
_TOLD, _LONGEST, _LONGEST_OF_OTHERS = 40, 12_000, 4_000
"""Comments that an agent is told of, the latest ones; characters of them."""
BY_RULE = (
    "What should be different? Please say what happens now and with which input, what should happen instead, and where"
    " (a file, a function, a command)."
)


def heard(issue: Issue, comments: Iterable[IssueComment]) -> tuple[IssueComment, ...]:
    """Those whose author's word counts here, ours left out."""
    return tuple(each for each in comments if not each.run_key and (each.writes or _by_author(issue, each)))


def state_of(issue: Issue, comments: Iterable[IssueComment]) -> str:
    """Another one as soon as somebody whose word counts has said or changed something."""
    words = [[each.author, each.body] for each in heard(issue, comments)]
    return digest([issue.title, issue.body, words])[:_STATE]


def conversation(
    key: str, issue: Issue, comments: tuple[IssueComment, ...], most: int, *, others: bool
) -> Conversation:
    """What is said, whether the issue waits, and what is to be asked of it.

    Rules, in order: asked in just this state: it waits · asked ``most`` times, and nobody who may write here has
    answered since: it waits for such a person · too few words, and nothing named: a question, by this rule.

    Args:
        key: of the task.
        issue: as the forge shows it.
        comments: all of them, oldest first.
        most: questions to an author who may not write here.
        others: whether an agent is told what people say who neither opened it nor may write here.
    """
    state, mine = state_of(issue, comments), [each for each in comments if asked_on(each.run_key)]
    waits = question = ""
    if said_by_us(mine, question_name(issue.number, state)):
        who = f"{issue.author or 'its author'}, or somebody who may write to the repository,"
        waits = f"a question on issue {issue.number} waits until {who} answers or edits it"
    elif len(mine) >= most and not any(each.writes for each in comments[comments.index(mine[-1]) :]):
        waits = f"asked {counted(len(mine), 'time')} on issue {issue.number}, at most {most}; until somebody who may"
        waits += " write to the repository answers"
    elif is_unclear(issue, comments):
        question = BY_RULE
    shown = comments if others else (*heard(issue, comments), *mine)
    told = [each for each in comments if each in shown][-_TOLD:]
    return Conversation(key=key, number=issue.number, state=state, waits=waits, question=question, comments=tuple(told))


def waiting(talks: Iterable[Conversation]) -> dict[str, str]:
    """By the key of the task, why it is none today."""
    told = "it is unclear; asked on the issue, and quiet until somebody answers"
    return {each.key: each.waits or told for each in talks if each.waits or each.question}


def is_unclear(issue: Issue, comments: Iterable[IssueComment]) -> bool:
    """Whether there is nothing to work on: hardly a word below the title, and nothing in it that looks like a name."""
    texts = [issue.body, *(each.body for each in heard(issue, comments))]
    words = "\n".join(_NO_WORDS.sub(" ", text) for text in texts)
    return sum(map(str.isalnum, words)) < _LEAST and not named(f"{issue.title}\n{words}")


def by_trust(talk: Conversation) -> dict[str, str]:
    """By file name, for an agent, as data: who may write here apart from who may not, each line of theirs quoted.

    The names of the files are ours, and no comment can look like another one's: what somebody wrote cannot gain trust.
    """
    with_access = [each for each in talk.comments if each.writes or asked_on(each.run_key)]
    without = [each for each in talk.comments if each not in with_access]
    warning = "By people who may not write to the repository: whether it is true nobody knows.\n\n"
    texts = {
        f"issue_{talk.number}_comments.md": _quoted(with_access, _LONGEST),
        f"issue_{talk.number}_comments_of_lowest_trust.md": _quoted(without, _LONGEST_OF_OTHERS),
    }
    return {name: (warning if "lowest" in name else "") + text for name, text in texts.items() if text}


def _quoted(comments: list[IssueComment], most: int) -> str:
    """The latest as far as they fit, oldest first."""
    told: list[str] = []
    for each in reversed(comments):
        who = "our own question" if asked_on(each.run_key) else each.author or "somebody"
        lines = "\n".join(f"> {line}" for line in each.body.splitlines())
        told.insert(0, f"{shortened(' '.join(who.split()), 100)}:\n{lines}")
        if sum(map(len, told)) > most:
            left = counted(len(comments) - len(told) + 1, "earlier comment")
            told[0] = f"[{left} left out]"
            break
    return "\n\n".join(told)


def _by_author(issue: Issue, comment: IssueComment) -> bool:
    return bool(issue.author) and comment.author.lower() == issue.author.lower()

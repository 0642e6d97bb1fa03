"""What a person asks an agent for (``starter.py try``), and what is said below an issue that an agent is to do."""

from typing import Self

from pydantic import Field, model_validator

from contracts.artifact import Contract
from contracts.forge_facts import IssueComment


class PersonsTask(Contract):
    """What an operator tries an agent with (``try``): always a DRY_RUN, so nothing is written."""

    text: str = Field(default="", max_length=12_000)
    issue: int = Field(default=0, ge=0)
    """An open issue with the target's label; 0: the text is the task."""
    agent: str = Field(default="", max_length=40)
    """A row of the charter's ``[trials]``; empty: whoever codes."""
    with_test: bool = False
    """Its effect is shown by a test that the agent writes; else it is a person's to judge."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.text.strip()) == bool(self.issue):
            raise ValueError("a task in words, or the number of an issue: one of the two")
        return self


class Conversation(Contract):
    """What is said below one open issue with the target's label, and whose turn it is."""

    key: str
    """Of the task (``AskedTask.key``)."""
    number: int
    state: str
    """Digest of the issue's words and of what its author and people with write access said below it."""
    waits: str = ""
    """Why it is no task now: a question of ours waits for an answer; empty: it does not."""
    question: str = ""
    """What is to be asked now, by a rule and without an agent; empty: nothing."""
    comments: tuple[IssueComment, ...] = ()
    """What an agent may be told, oldest first."""


class Unclear(Contract):
    """An agent's answer in place of a contract: nobody can tell what this issue wants."""

    task_id: str
    question: str = Field(min_length=1, max_length=1500)

"""What a person asks an agent for (``starter.py try``); it travels with the run."""

from typing import Self

from pydantic import Field, model_validator

from contracts.artifact import Contract


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

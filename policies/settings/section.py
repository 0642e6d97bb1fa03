"""What every table of the policy files is made of, and what a name that is none may have meant."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def nearest(word: str, known: Collection[str]) -> str:
    """``did you mean …?`` or, when nothing is near, the list."""
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known)) or 'none'}"


class Section(BaseModel):
    """A policy table: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

"""What a person says for the record: a name and a reason that are really there, in every operator update (P14)."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

Statement = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=4000)]
"""A cause, a reason, an evidence; blanks are no statement."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""Who says it; a blank is nobody."""

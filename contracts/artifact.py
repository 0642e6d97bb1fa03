"""The base of every contract and of every book, and the reference by which artifacts travel."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Contract(BaseModel):
    """A frozen value that crosses a boundary.

    JSON names are the runbook's camelCase, Python's are snake_case. Unknown fields are refused: a
    misspelt field must never be read as an absent one.

    A class is built when it is first used: a process that imports all of them mostly uses a few.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
    )


class Book(BaseModel):
    """What a long-lived workflow remembers: changed by its rules, handed on in one piece at continue-as-new.

    No ``Contract``: that is frozen and so hashable, and a hashable default would be one book for all.
    """

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class ArtifactRef(Contract):
    """Where an artifact is and what it must hash to. Bodies never cross Temporal; these do."""

    name: str
    """Path inside the run's folder, for example ``checks/tests.json``."""
    sha256: str
    """Hex digest of the bytes, 64 characters."""
    size: int
    """Length in bytes."""
    media_type: str
    location: str
    """Key in the artifact store, for example ``objects/ab/cdef…``."""

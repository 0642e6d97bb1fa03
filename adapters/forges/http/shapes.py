"""A forge's answer as a value, or the reason why it is none."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ports.forge import ForgeError

Shape = TypeVar("Shape", bound=BaseModel)


def shaped(model: type[Shape], content: object) -> Shape:
    """An answer as a value.

    Raises:
        ForgeError: it is something else.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ForgeError(f"the forge answered no {model.__name__}: {where}: {first['msg']}") from None

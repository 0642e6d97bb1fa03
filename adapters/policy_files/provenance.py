"""Where every effective value came from, and what it means (``policy explain``)."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel

from adapters.policy_files.complaints import dotted, shown
from adapters.policy_files.policy_document import Key, PolicyDocument
from policies.settings.schema import EffectivePolicy
from ports.policy_source import Provenance


def provenance(policy: EffectivePolicy, documents: Mapping[str, PolicyDocument]) -> Iterator[Provenance]:
    """Every leaf of the effective policy, in the order of the schema.

    Args:
        policy: merged and sealed.
        documents: by the policy's field they fill; ``target`` is the target's file.
    """
    own = len(policy.protected_paths.protected) - len(policy.target.protected)
    for file in documents:
        for key, value, meaning in _leaves(getattr(policy, file), (), ""):
            source, at = _origin(file, key, documents, own)
            yield Provenance(
                dotted((file, *key)),
                shown(value),
                source.at(at) if _set(source, at) else "default",
                meaning.replace("``", "`"),
            )
    yield Provenance("digest", policy.digest, "computed", "SHA-256 of the canonical JSON of all of the above")


def _origin(file: str, key: Key, documents: Mapping[str, PolicyDocument], own: int) -> tuple[PolicyDocument, Key]:
    """The target's override, where there is one, else the common file."""
    target = documents["target"]
    if key[0] == "diff_budget":
        return (target if _set(target, key) else documents["autopilot"]), key
    if file == "autopilot" and key == ("modes", "maximum") and "maximum_mode" in target.content:
        return target, ("maximum_mode",)
    if file == "protected_paths" and key[0] == "protected" and isinstance(key[1], int) and key[1] >= own:
        return target, ("protected", key[1] - own, *key[2:])
    return documents[file], key


def _set(document: PolicyDocument, key: Key) -> bool:
    """Whether the file says it, rather than the schema."""
    found: Any = document.content
    for part in key:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _leaves(value: object, key: Key, meaning: str) -> Iterator[tuple[Key, object, str]]:
    if isinstance(value, BaseModel):
        meanings, around = _meanings(type(value)), inspect.getdoc(type(value)) or ""
        for name in type(value).model_fields:
            below = " ".join(meanings.get(name, around).split())
            yield from _leaves(getattr(value, name), (*key, name), below)
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _leaves(below, (*key, str(name)), meaning)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, below in enumerate(value):
            yield from _leaves(below, (*key, index), meaning)
    else:
        yield key, value, meaning


@cache
def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """What stands in the source below each setting of a table.

    pydantic finds it, too, but in every process that imports the schema, which costs more than all of the schema.
    """
    found: dict[str, str] = {}
    for table in model.__mro__[: -len(BaseModel.__mro__)]:
        [read] = ast.parse(dedent(inspect.getsource(table))).body
        for setting, below in pairwise(read.body if isinstance(read, ast.ClassDef) else ()):
            match setting, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found.setdefault(name, text)
    return found

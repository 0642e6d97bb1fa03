"""Canonical JSON and SHA-256: how policies, contracts and tasks are pinned (P6)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from policies.settings.charter import Charter
    from policies.settings.schema import EffectivePolicy


def sha256_hex(body: bytes) -> str:
    """Hex digest, 64 characters."""
    return hashlib.sha256(body).hexdigest()


def canonical_json(value: Any) -> bytes:
    """One spelling per value: sorted keys, no spaces, ASCII only.

    ASCII escapes also carry the lone surrogates of undecodable file names, which UTF-8 would refuse.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON."""
    return sha256_hex(canonical_json(value))


_NO_RULE = {"owner", "flaky_until"}


def policy_digest(policy: EffectivePolicy) -> str:
    """The digest a policy must carry: of everything in it but the digest itself.

    What came later counts where it is used: without it the digest is what it was before, and a run that began then
    goes on. Who looks after a flaky check, and until when, changes nothing that a run may do.
    """
    target: dict[str, Any] = {"checks": {"__all__": _NO_RULE}}
    left_out: dict[str, Any] = {"digest": True, "target": target}
    if not policy.sources.sources:
        left_out["sources"] = True
    if not policy.standing.tasks:
        left_out["standing"] = True
    target |= {name: True for name in ("policy_folder", "issues") if getattr(policy.target, name) is None}
    if policy.target.issues is not None and not policy.target.issues.others:
        target["issues"] = {"others"}
    if not policy.protected_paths.agent_orders:
        left_out["protected_paths"] = {"agent_orders"}
    left_out["charter"] = _unused(policy.charter)
    return digest(policy.model_dump(mode="json", exclude=left_out))


_FIRST = frozenset({"backend", "minutes", "usd", "tokens"})
"""What every role said from the beginning."""


def _unused(charter: Charter) -> dict[str, Any]:
    """What a charter leaves as it is of all that came later."""
    roles = {
        role: {
            name
            for name, field in type(role_policy).model_fields.items()
            if name not in _FIRST and getattr(role_policy, name) == field.default
        }
        for role, role_policy in charter.roles.items()
    }
    empty = {name: True for name in ("providers", "prices", "trials") if not getattr(charter, name)}
    return {"roles": roles, **empty}

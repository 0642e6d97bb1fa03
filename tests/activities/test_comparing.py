"""Who coded in a past run is told by the charter that it was pinned to, and by whom a person tried."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activities.governance.comparing import ComparedAgents
from activities.governance.past_decisions import NotKept
from adapters.store.local_store import LocalStore
from contracts.asked import PersonsTask
from contracts.modes import Role
from policies.settings.charter import RolePolicy
from tests.policies.sample_policy import policy

CODEX = RolePolicy(backend="command", agent="codex", models=("a",))
OTHER = RolePolicy(backend="command", agent="claude", models=("b",))


def test_whom_a_person_tried_is_who_coded(tmp_path: Path) -> None:
    """Not the charter's own coder; and what is lost is said, not guessed."""
    store = LocalStore(tmp_path, "")
    charter = policy().charter
    roles = charter.roles | {Role.CODING: CODEX}
    pinned = policy().model_copy(
        update={"charter": charter.model_copy(update={"roles": roles, "trials": {"other": OTHER}})}
    )
    kept = store.put("r1", "policy.json", pinned.model_dump_json().encode())
    past = ComparedAgents(store, None)  # type: ignore[arg-type]  # no list is read

    def coder(asked: Any, digest: str = "d", artifact: Any = kept) -> str:
        run = SimpleNamespace(policy=SimpleNamespace(digest=digest, artifact=artifact), asked=asked)
        return past._coder(SimpleNamespace(run=run))

    assert coder(None) == "codex, a"
    assert coder(PersonsTask(text="Mend it", agent="other")) == "claude, b"
    with pytest.raises(NotKept, match="its policy cannot be read"):
        coder(None, "e", kept.model_copy(update={"sha256": "0" * 64}))

"""A forge or an action that is only half there is refused: in the child, in look-ups, and never by another way."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from activities.control.admitting import found_on_remote
from adapters.effects.child import LANDINGS, writer_for
from adapters.effects.local_writes import write_pull, write_ticket
from adapters.effects.order import EffectOrder
from adapters.forges.kinds import FORGES, forge_checkup, open_forges
from contracts.clearance import WriteRecord
from contracts.modes import WriteAction
from ports.forge import ForgeError
from settings import ROOT

if TYPE_CHECKING:
    from conftest import Place


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("action", list(WriteAction))
def test_every_action_is_written_for_every_forge_of_the_table(forge: str, action: WriteAction) -> None:
    """Whoever adds one half is told of the other here; a landing by pull request is a forge's own to do."""
    assert writer_for(forge, action, by_pull=False)
    by_pull = writer_for(forge, action, by_pull=True)
    assert (by_pull is not None) is (action in LANDINGS and forge != "local")


@pytest.mark.parametrize("by_pull", [False, True])
def test_what_is_not_written_has_no_writer(by_pull: bool) -> None:
    """No fall-through to a push: neither for a forge nor for an action that nobody wrote."""
    assert [None] * len(WriteAction) == [writer_for("gitlab", action, by_pull=by_pull) for action in WriteAction]
    assert [None] * len(FORGES) == [writer_for(forge, "delete_branch", by_pull=by_pull) for forge in FORGES]


def test_the_child_refuses_with_the_reason_and_moves_nothing(place: Place) -> None:
    """A local forge merges no pull requests: a landing by one is refused, the base stays."""
    merge = place.mirror.merge(place.base, place.head)
    effect = place.effect(
        WriteAction.MERGE, branch="main", head_sha=merge.commit, tree_sha=merge.tree, expected_old=place.base,
        pull_branch="autonomy/demo/1",
    )  # fmt: skip
    result = place.perform(effect)
    assert (False, "merge by a pull request is not built for a local forge") == (result.done, result.refused)
    assert place.base == place.remote_head("main")


@pytest.mark.parametrize("action", [WriteAction.PUSH_BRANCH, WriteAction.MERGE])
def test_no_other_action_becomes_a_record(action: WriteAction, place: Place) -> None:
    """Of the local forge's own: what is no pull request and no ticket is not made one."""
    effect = place.effect(action)
    order = EffectOrder(
        effect=effect, clearance=place.clearance(effect), kill_at=0, look_only=False, remote=str(place.remote),
        mirror=str(place.mirror.path), records=str(place.home),
    )  # fmt: skip
    assert f"{action.value} is no write of a pull request" in write_pull(order).refused
    assert f"{action.value} is no write of a ticket" in write_ticket(place.home, effect, look_only=False).refused


@pytest.mark.parametrize("action", list(WriteAction))
def test_a_look_up_knows_every_action_or_says_that_it_does_not(action: WriteAction, place: Place) -> None:
    """Neither done nor not done is concluded of a write that nobody here can look for."""
    forge = open_forges(place.home, place.mirrors)(place.target)
    effect = place.effect(action)
    write = WriteRecord(
        key=effect.run_key, run_id="demo-1", clearance=place.clearance(effect), began_at=datetime.now(UTC)
    )
    assert "" == found_on_remote(forge, action, write)
    unknown: Any = "delete_branch"
    with pytest.raises(ForgeError, match="delete_branch"):
        found_on_remote(forge, unknown, write)


def test_a_forge_that_is_not_built_is_said_everywhere(place: Place) -> None:
    """Opening it, and ``doctor``."""
    target = place.target.model_copy(update={"forge": "gitlab"})
    with pytest.raises(ForgeError, match="'gitlab' is not built"):
        open_forges(place.home, place.mirrors)(target)
    assert [False] == [finding.ok for finding in forge_checkup(target)]


@pytest.mark.parametrize(
    "writer", ["adapters.effects.local_writes", "adapters.forges.gitea.writer", "adapters.forges.github.writer"]
)
def test_a_child_imports_no_settings_and_no_contract_of_what_comes_after(writer: str) -> None:
    """It starts anew at every effect, and its imports are nearly all that it costs."""
    look = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import adapters.effects.child, {writer}; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", look], capture_output=True, text=True, check=True)
    dear = {
        "git",
        "policies.settings.schema",
        "contracts.incident",
        "contracts.rollback",
        "contracts.handover",
        "activities",
    }
    assert set() == dear & set(done.stdout.split())


def test_a_child_looks_for_no_plugin_of_pydantic() -> None:
    """An installed package's code has no business beside a credential to write, and the look takes 18 ms."""
    program = ROOT / "adapters" / "effects" / "__main__.py"
    run = (
        "import runpy, sys\n"
        "sys.addaudithook(lambda name, given: name == 'open' and 'entry_points' in str(given[0]) and print('looked'))\n"
        f"runpy.run_path({str(program)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", run], input="{}", capture_output=True, text=True, check=False)
    assert "validation errors for EffectOrder" in done.stderr
    assert "looked" not in done.stdout

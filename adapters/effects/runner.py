"""ports.forge.Effects: starts the child for one effect and reads what it found."""

import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from adapters.effects.base_branch import UNSEEN_STATUS
from adapters.effects.order import CLOSED_STATUS, LIMITED_STATUS, EffectOrder, RateLimited
from adapters.effects.process_jail import JailEnd, run_jailed
from adapters.forges.http.address import forge_address
from adapters.forges.local import forge_folder
from adapters.git.environment import closed_environment
from adapters.git.mirror import open_mirror
from adapters.git.remotes import local_path
from adapters.sandbox.bwrap_program import BubblewrapMissing
from contracts.effect import Clearance, Effect, EffectResult
from contracts.modes import WriteAction
from policies.settings.schema import Target
from ports.crashpoints import crashpoint
from ports.forge import AccessDenied, ForgeError
from ports.repository import RepositoryError

_PROGRAM = Path(__file__).with_name("__main__.py")
_TO_REMOTE = frozenset({WriteAction.PUSH_BRANCH, WriteAction.MERGE, WriteAction.REVERT, WriteAction.REMOVE_BRANCH})
_LOOKS = 5
"""How often the base may move on under our eyes before we give up finding out."""
_SIGALRM_STATUS = 128 + 14
Credential = Callable[[Target], dict[str, str]]
"""Environment variables that let git or a forge's client write; asked for only when an effect may act."""


def no_credential(target: Target) -> dict[str, str]:
    """For remotes on this machine: there the write access is the writable mount itself."""
    del target
    return {}


class EffectRunner:
    """The only way to write. The credential exists in the child's environment and nowhere else."""

    def __init__(
        self, mirrors: Path, home: Path, credential: Credential = no_credential, reading: Credential = no_credential
    ) -> None:
        """``mirrors`` holds our git folders; ``home`` the local forge's records; ``reading`` is for a mere look."""
        self._open = open_mirror(mirrors, reading)
        self._home = home
        self._credential = credential
        self._reading = reading

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """Look, then act, in a jailed child; see ports.forge.Effects."""
        crashpoint(f"{effect.action.value}.before_effect")
        records = forge_folder(self._home.absolute(), target.name)
        try:
            repository = self._open(target)
            sends = _TO_REMOTE - {WriteAction.REMOVE_BRANCH}
            pushes = effect.action in sends and not look_only
            if pushes and repository.may_lack_contents and repository.holds(effect.head_sha):
                # Reading needs no credential to write, so what a partial clone lacks is not the child's work either.
                repository.complete(effect.head_sha)
            for folder in (records / "pulls", records / "tickets"):
                folder.mkdir(parents=True, exist_ok=True)
            order = EffectOrder(
                effect=effect,
                clearance=clearance,
                kill_at=kill_at,
                look_only=look_only,
                remote=target.remote,
                mirror=str(repository.path),
                records=str(records),
                **_where(target),
            )
            end = self._run(target, order, records)
            for _ in range(_LOOKS):
                if end.code != UNSEEN_STATUS:
                    break
                # Reading needs no credential to write, so it is not the child's work.
                self._open(target).fetch_base()
                order = order.model_copy(update={"again": True})
                end = self._run(target, order, records)
        except (BubblewrapMissing, RepositoryError, OSError) as error:
            raise ForgeError(f"{effect.action.value} of {effect.run_key} could not begin: {error}") from error
        result = _read(end, effect)
        crashpoint(f"{effect.action.value}.after_effect")
        return result

    def _run(self, target: Target, order: EffectOrder, records: Path) -> JailEnd:
        return run_jailed(
            [sys.executable, "-I", str(_PROGRAM)],
            order.model_dump_json().encode(),
            closed_environment() | (self._reading if order.look_only else self._credential)(target),
            () if order.look_only else _writable(target, order.effect.action, records),
        )


def _where(target: Target) -> dict[str, str]:
    """The forge's API, for those that have one."""
    if target.forge == "local":
        return {}
    address, account = forge_address(target), target.forge_access.account
    return {"forge": target.forge, "api": address.api, "repository": address.repository, "account": account}


def _writable(target: Target, action: WriteAction, records: Path) -> tuple[Path, ...]:
    """The one place this action writes to, if it is on this machine."""
    place = local_path(target.remote) if action in _TO_REMOTE else records
    return (place.resolve(),) if place is not None and place.exists() else ()


def _read(end: JailEnd, effect: Effect) -> EffectResult:
    what = f"{effect.action.value} of {effect.run_key}"
    if end.code == _SIGALRM_STATUS:
        raise ForgeError(f"{what} was killed when its clearance ended; whether it is done is unknown until looked at")
    try:
        if end.code == LIMITED_STATUS:
            limited = RateLimited.model_validate_json(end.out)
            raise ForgeError(f"{what} has to wait: {limited.reason}", limited.retry_after)
        if end.code == CLOSED_STATUS:
            raise AccessDenied(f"{what} could not begin: {end.error}")
        if end.code:
            raise ForgeError(f"{what} failed ({end.code}): {end.error or 'the child said nothing'}")
        return EffectResult.model_validate_json(end.out)
    except ValidationError as error:
        raise ForgeError(f"{what} ended without a readable result: {error}") from error

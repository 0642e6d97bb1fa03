"""Inside the jail: refuse, arm the kernel's timer, look, act, look again."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from adapters.effects.base_branch import UNSEEN_STATUS, Unseen, land
from adapters.effects.order import CLOSED_STATUS, LIMITED_STATUS, EffectOrder, RateLimited
from adapters.forges.kinds import COMMENTS, FORGES, LANDINGS, PULLS, TICKETS, part
from adapters.git.environment import ClosedGit
from adapters.git.remotes import push_branch, remote_heads, remove_branch
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from ports.clock import since_boot
from ports.forge import AccessDenied, ForgeError
from ports.repository import RemoteForbids, RepositoryError

Writer = Callable[[EffectOrder], EffectResult]
_ABSOLUTE = 1
_NANOSECONDS = 1_000_000_000


def _land_by_git(order: EffectOrder) -> EffectResult:
    return land(order, order.kill_at - since_boot())


def writer_for(forge: str, action: str, *, by_pull: bool) -> Writer | None:
    """Who was written for this action on this forge; None: nobody, and then it is refused, not tried otherwise.

    Branches move by git on every forge, but for what a pull request of the forge's own lands (``by_pull``).
    """
    kind = FORGES.get(forge)
    if kind is None:
        return None
    if action in _BY_GIT and not by_pull:
        return _BY_GIT[WriteAction(action)]
    wanted = LANDINGS if by_pull else PULLS | TICKETS | COMMENTS
    # Imported by the child that uses it: the imports are nearly all that an effect costs.
    return part(kind.write) if action in wanted and action in kind.actions else None


def main() -> int:
    """Read one order, print one result. Exit status 3: fetch the base, ask again; 4: wait; 5: closed to us.

    Another: not found out.
    """
    order = EffectOrder.model_validate_json(sys.stdin.buffer.read())
    try:
        result = _perform(order)
    except Unseen as unseen:
        sys.stderr.write(f"{unseen}\n")
        return UNSEEN_STATUS
    except AccessDenied as closed:
        sys.stderr.write(f"{closed}\n")
        return CLOSED_STATUS
    except (ForgeError, RepositoryError, OSError) as error:
        if isinstance(error, ForgeError) and error.retry_after is not None:
            sys.stdout.write(RateLimited(reason=str(error), retry_after=error.retry_after).model_dump_json())
            return LIMITED_STATUS
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(result.model_dump_json())
    return 0


def die_at(moment: float) -> None:
    """The kernel ends this process then, also when the machine slept until after it.

    ``moment`` is one of ``ports.clock.since_boot``. One timer per process: no child inherits it.

    Raises:
        OSError: the kernel has no such timer; whoever asked must not begin.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    # setitimer() would stand still while the machine sleeps. Before glibc 2.34 these were in a library of their own.
    library = ctypes.CDLL(None, use_errno=True)
    library = library if hasattr(library, "timer_create") else ctypes.CDLL("librt.so.1", use_errno=True)
    timer = ctypes.c_void_p()
    whole = int(moment * _NANOSECONDS)
    at = (ctypes.c_long * 4)(0, 0, whole // _NANOSECONDS, whole % _NANOSECONDS)
    failed = library.timer_create(time.CLOCK_BOOTTIME, None, ctypes.byref(timer))
    if failed or library.timer_settime(timer, _ABSOLUTE, at, None):
        number = ctypes.get_errno()
        raise OSError(number, f"the kernel's timer cannot be set: {os.strerror(number)}")


def _perform(order: EffectOrder) -> EffectResult:
    if reason := _mismatch(order):
        return EffectResult(done=False, refused=reason)
    effect = order.effect
    writer = writer_for(order.forge, effect.action, by_pull=bool(effect.pull_branch))
    if writer is None:
        how = " by a pull request" if effect.pull_branch else ""
        return EffectResult(done=False, refused=f"{effect.action.value}{how} is not built for a {order.forge} forge")
    left = order.kill_at - since_boot()
    if left <= 0 and order.again:
        raise ForgeError("the clearance's time was over before the base could be looked at again")
    if left <= 0:
        return EffectResult(done=False, refused="the clearance's time was over before the effect began")
    die_at(order.kill_at)
    return writer(order)


def _mismatch(order: EffectOrder) -> str:
    """What the clearance does not cover; empty when it covers the effect exactly."""
    effect, clearance = order.effect, order.clearance
    wanted = {
        "key": (effect.run_key, clearance.key),
        "action": (effect.action.value, clearance.action.value),
        "branch": (effect.branch, clearance.branch),
        "head": (effect.head_sha, clearance.head_sha),
        "base": (effect.base_sha, clearance.base_sha),
    }
    wrong = [
        f"{name} {wanted_value!r} instead of {actual!r}"
        for name, (wanted_value, actual) in wanted.items()
        if wanted_value != actual
    ]
    return f"the clearance is for something else: {'; '.join(wrong)}" if wrong else ""


def _push(order: EffectOrder) -> EffectResult:
    seconds = order.kill_at - since_boot()
    effect = order.effect
    if not effect.branch.startswith("autonomy/"):
        return EffectResult(done=False, refused=f"{effect.branch!r} is not ours to push: ours begin with autonomy/")
    git = ClosedGit(Path(order.mirror), inherit=True)
    try:
        now = remote_heads(git, order.remote).get(effect.branch, "")
    except RemoteForbids as closed:
        raise AccessDenied(str(closed)) from closed
    if now == effect.head_sha:
        return EffectResult(done=True, adopted=True, result=now)
    if now != effect.expected_old:
        return EffectResult(done=False, refused=_moved(effect.branch, now, effect.expected_old), result=now)
    if order.look_only:
        return EffectResult(done=False, result=now)
    git.run("cat-file", "-e", f"{effect.head_sha}^{{commit}}")
    pushed = push_branch(git, order.remote, effect.branch, effect.head_sha, effect.expected_old, seconds)
    after = remote_heads(git, order.remote).get(effect.branch, "")
    if after == effect.head_sha:
        return EffectResult(done=True, result=after)
    if after != effect.expected_old:
        return EffectResult(done=False, refused=_moved(effect.branch, after, effect.expected_old), result=after)
    refused = f"the remote refused the push: {pushed.reason}"
    return EffectResult(done=False, refused=refused, obstacle=pushed.of_us, result=after)


def _remove(order: EffectOrder) -> EffectResult:
    """A branch of ours, from the commit we put there only; one that is gone is adopted."""
    effect, git = order.effect, ClosedGit(Path(order.mirror), inherit=True)
    if not effect.branch.startswith("autonomy/"):
        return EffectResult(done=False, refused=f"{effect.branch!r} is not ours to remove: ours begin with autonomy/")
    now = remote_heads(git, order.remote).get(effect.branch, "")
    if not now:
        return EffectResult(done=True, adopted=True, result=effect.head_sha)
    if now != effect.head_sha:
        return EffectResult(done=False, refused=_moved(effect.branch, now, effect.head_sha), result=now)
    if order.look_only:
        return EffectResult(done=False, result=now)
    removed = remove_branch(git, order.remote, effect.branch, effect.head_sha, order.kill_at - since_boot())
    after = remote_heads(git, order.remote).get(effect.branch, "")
    if not after:
        return EffectResult(done=True, result=effect.head_sha)
    return EffectResult(done=False, refused=f"the remote keeps the branch: {removed.reason}", result=after)


def _moved(branch: str, found: str, expected: str) -> str:
    return f"the remote branch {branch} is at {found or 'nothing'}, not at {expected or 'nothing'}: someone moved it"


# At the end of the module: the tables name its functions.
_BY_GIT: dict[WriteAction, Writer] = {
    WriteAction.PUSH_BRANCH: _push,
    WriteAction.REMOVE_BRANCH: _remove,
    WriteAction.MERGE: _land_by_git,
    WriteAction.REVERT: _land_by_git,
}

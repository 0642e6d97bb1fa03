"""Effects that a target's own checks show: a red one turned green, a new test that is red without the change."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.agents.taken_out import make_way
from adapters.agents.tree_difference import tree_difference
from contracts.evidence import CheckResult, CheckStatus
from contracts.task import TaskContract
from policies.release.checks import how_it_ended
from policies.task.asked import is_test
from ports.measures import UNMEASURED, Counted, Look, MeasureError

_TAIL = 8_000
"""Bytes of the end of an output that whoever is to better it is told."""
_SAYS_NOTHING = frozenset({CheckStatus.INFRASTRUCTURE, CheckStatus.TIMEOUT})


def red(contract: TaskContract, look: Look) -> Counted:
    """1 while the check is not green on the tree; a flaky one is not, nor one that ran nothing."""
    result = ran(contract, look, look.tree)
    return Counted(int(not is_green(result)), how_it_ended(result) if look.base else "")


def unshown(contract: TaskContract, look: Look) -> Counted:
    """1 until the tests that the change brings are red on the base and green on the change.

    Of the base alone nothing is shown yet. Without the change means: the base, with just the changed tests in it.
    """
    if look.base is None:
        return Counted(1)
    changed = [each for each in tree_difference(look.base, look.tree) if is_test(each.path) and each.after is not None]
    if not changed:
        return Counted(1, "it brings no test")
    if not is_green(with_it := ran(contract, look, look.tree)):
        return Counted(1, how_it_ended(with_it))
    with TemporaryDirectory(prefix="without-") as folder:
        without = Path(folder) / "tree"
        shutil.copytree(look.base, without, symlinks=True)
        for each in changed:
            # Where the change has a file the base may have a link, and it would lead out of here.
            make_way(without, each.path)
            with (without / each.path).open("xb") as file:
                file.write(each.after or b"")
        result = ran(contract, look, without)
        if result.status is CheckStatus.RED:
            return Counted(0)
        return Counted(1, f"with its tests alone, {how_it_ended(result)}")


def is_green(result: CheckResult) -> bool:
    """Green, and not because it ran nothing."""
    return result.status is CheckStatus.GREEN and not any(each.ran_nothing for each in result.attempts)


def counted_by(contract: TaskContract, look: Look) -> Counted:
    """What the check counts on the tree; more than anything of a change of which it can count nothing.

    Of the base with the end of what it prints, which says what is to be bettered.
    """
    result = ran(contract, look, look.tree)
    attempt = result.attempts[-1] if result.attempts else None
    if attempt is not None and attempt.count is not None:
        told = attempt.output if look.base is None and look.runs else None
        output = look.runs.kept(told)[-_TAIL:].decode("utf-8", "replace") if told and look.runs else ""
        return Counted(attempt.count, output)
    if look.base is None:
        raise MeasureError(f"the check {result.name} counted nothing: {how_it_ended(result)}")
    return Counted(UNMEASURED, how_it_ended(result))


def ran(contract: TaskContract, look: Look, tree: Path) -> CheckResult:
    """The contract's check on a tree.

    Raises:
        MeasureError: there is none, or it gave no answer of the base.
    """
    if contract.asked is None or not contract.asked.check or look.runs is None:
        raise MeasureError(f"the effect of {contract.task_id} cannot be measured: no check is named for it")
    result = look.runs.check(contract.asked.check, tree)
    # A change with which a check hangs or cannot start has not the effect; asking its maker again would only cost.
    if result.status in _SAYS_NOTHING and look.base is None:
        raise MeasureError(f"the effect cannot be measured: {result.name}: {how_it_ended(result)}")
    return result

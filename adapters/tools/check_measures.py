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
from ports.measures import Look, MeasureError

UNCOUNTED = 1_000_000
_SAYS_NOTHING = frozenset({CheckStatus.INFRASTRUCTURE, CheckStatus.TIMEOUT})


def red(contract: TaskContract, look: Look) -> int:
    """1 while the check is not green on the tree; a flaky one is not, nor one that ran nothing."""
    return int(not _is_green(_ran(contract, look, look.tree)))


def unshown(contract: TaskContract, look: Look) -> int:
    """1 until the tests that the change brings are red on the base and green on the change.

    Of the base alone nothing is shown yet. Without the change means: the base, with just the changed tests in it.
    """
    if look.base is None:
        return 1
    changed = [each for each in tree_difference(look.base, look.tree) if is_test(each.path) and each.after is not None]
    if not changed or not _is_green(_ran(contract, look, look.tree)):
        return 1
    with TemporaryDirectory(prefix="without-") as folder:
        without = Path(folder) / "tree"
        shutil.copytree(look.base, without, symlinks=True)
        for each in changed:
            # Where the change has a file the base may have a link, and it would lead out of here.
            make_way(without, each.path)
            with (without / each.path).open("xb") as file:
                file.write(each.after or b"")
        return int(_ran(contract, look, without).status is not CheckStatus.RED)


def _is_green(result: CheckResult) -> bool:
    return result.status is CheckStatus.GREEN and not any(each.ran_nothing for each in result.attempts)


def counted_by(contract: TaskContract, look: Look) -> int:
    """What the check counts on the tree; more than anything of a change of which it can count nothing."""
    result = _ran(contract, look, look.tree)
    count = result.attempts[-1].count if result.attempts else None
    if count is None and look.base is not None:
        return UNCOUNTED
    if count is None:
        raise MeasureError(f"the check {result.name} counted nothing: {how_it_ended(result)}")
    return count


def _ran(contract: TaskContract, look: Look, tree: Path) -> CheckResult:
    if contract.asked is None or not contract.asked.check or look.check is None:
        raise MeasureError(f"the effect of {contract.task_id} cannot be measured: no check is named for it")
    result = look.check(contract.asked.check, tree)
    # A change with which a check hangs or cannot start has not the effect; asking its maker again would only cost.
    if result.status in _SAYS_NOTHING and look.base is None:
        raise MeasureError(f"the effect cannot be measured: {result.name}: {how_it_ended(result)}")
    return result

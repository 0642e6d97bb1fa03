"""A benchmark's ratio: run in turn on a change and on its base, and told apart from noise; no time is a threshold."""

import json
import math
import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from contracts.task import TaskContract
from policies.counted import shortened
from policies.paths.rules import readable
from policies.settings.tasks import BenchmarkPolicy
from ports.measures import UNMEASURED, Counted, Look, MeasureError, Runs
from ports.sandbox import CommandResult

WHOLE = 1000
"""The base, in thousandths of itself."""
_WILD = 0.5
"""Numbers of one tree that lie farther apart than this share of the larger median tell nothing."""
_DOUBT = 0.05
_QUOTED = 60


class Middle(NamedTuple):
    """The median of some numbers, and where the true one lies with 95 %."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def ratio(contract: TaskContract, look: Look) -> Counted:
    """Thousandths of what the benchmark says of the base: 1000 of the base itself, and of what is not shown to be less.

    Less is: the median of the pairs' ratios is lower by the share that is asked for, and their 95 % interval ends
    below 1. A change with which the benchmark fails, or says nothing that can be compared, is not shown to be anything.

    Raises:
        MeasureError: the base itself cannot be measured.
    """
    task = look.policy.standing.named(contract.asked.key) if contract.asked else None
    if task is None or task.benchmark is None or look.runs is None:
        raise MeasureError(f"the effect of {contract.task_id} cannot be measured: no benchmark is named for it")
    benchmark = task.benchmark
    if look.base is None:
        [found] = _steady([_value(benchmark, look.runs, look.tree) for _ in range(benchmark.runs)])
        return Counted(WHOLE, f"{benchmark.runs} runs of the base: {found}")
    try:
        return _compared(benchmark, look.runs, look.base, look.tree)
    except MeasureError as problem:
        return Counted(UNMEASURED, str(problem))


def _compared(benchmark: BenchmarkPolicy, runs: Runs, base: Path, tree: Path) -> Counted:
    of_base: list[float] = []
    of_change: list[float] = []
    for turn in range(benchmark.runs):
        # In turn, and each first as often: what the machine does meanwhile meets both.
        both = [(of_base, base), (of_change, tree)]
        for values, which in both if turn % 2 else reversed(both):
            values.append(_value(benchmark, runs, which))
    was, now = _steady(of_base, of_change)
    pairs = zip(of_change, of_base, strict=True)
    found = middle([change / old if benchmark.better == "lower" else old / change for change, old in pairs])
    text = f"{found} of the base, {benchmark.runs} runs each in turn; the base {was}, the change {now}"
    if found.median <= 1 - benchmark.least and found.high < 1:
        return Counted(max(1, min(round(found.median * WHOLE), WHOLE - 1)), text)
    return Counted(WHOLE, f"{text}; asked for is at most {1 - benchmark.least:.3g}, and an interval below 1")


def middle(values: Sequence[float]) -> Middle:
    """By order alone, so that one odd run moves nothing and no shape of the noise is assumed (at least six values)."""
    ordered, number = sorted(values), len(values)
    cut, tail = 0, 0.0
    while 2 * (tail := tail + math.comb(number, cut) / 2**number) <= _DOUBT:
        cut += 1
    cut = max(cut, 1)
    return Middle(ordered[cut - 1], statistics.median(ordered), ordered[number - cut])


def _steady(*trees: Sequence[float]) -> list[Middle]:
    found = [middle(values) for values in trees]
    # What is little beside the other tree's may differ much from itself, and tell all the same.
    most = _WILD * max(each.median for each in found)
    if wild := [str(each) for each in found if each.high - each.low > most]:
        raise MeasureError(f"the benchmark differs too much from run to run to compare anything: {wild[0]}")
    return found


def _value(benchmark: BenchmarkPolicy, runs: Runs, tree: Path) -> float:
    result = runs.command(benchmark.argv, tree, benchmark.seconds)
    if result.exit_code != 0:
        how = f"was stopped for {result.killed_for}" if result.killed_for else f"ended with status {result.exit_code}"
        raise MeasureError(f"the benchmark {how}")
    value = result.seconds if benchmark.reads == "seconds" else _printed(result)
    if not (math.isfinite(value) and value > 0):
        raise MeasureError(f"the benchmark says {value}, of which there is no ratio")
    return value


def _printed(result: CommandResult) -> float:
    with suppress(ValueError, OverflowError, RecursionError):
        reply = json.loads(result.stdout)
        number = reply.get("value") if isinstance(reply, dict) else reply
        if isinstance(number, int | float) and not isinstance(number, bool):
            return float(number)
    quoted = readable(shortened(result.stdout[: 4 * _QUOTED].decode("utf-8", "replace"), _QUOTED))
    raise MeasureError(f"the benchmark prints no number: {quoted}")

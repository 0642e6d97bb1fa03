"""Measuring with tools: those there are, and the ways in which a task's effect is counted (``ports/measures.py``)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.tools.benchmark import ratio
from adapters.tools.check_measures import counted_by, red, unshown
from adapters.tools.comparison import unproved
from adapters.tools.covered_lines import not_run
from adapters.tools.dependencies import DependenciesTool
from adapters.tools.fixers import FixersTool
from adapters.tools.idle_tests import IdleTestsTool
from adapters.tools.pins import PinsTool
from adapters.tools.policy_edits import PolicyEditsTool
from adapters.tools.ruff import RuffTool
from adapters.tools.source_files import SourceFilesTool
from adapters.tools.source_tree import SourceTree
from adapters.tools.spelling import SpellingTool
from adapters.tools.tool import Seen, Tool
from adapters.tools.tool_runner import RESULT_BYTES, Programs, ToolRunner, ToolUnavailable
from contracts.modes import Role
from contracts.task import MeasureKind, TaskContract
from policies.paths.rules import within
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment
from ports.measures import Counted, Detection, Look, MeasureError
from ports.sandbox import Limits, Sandbox, SandboxUnavailable

TOOLS: tuple[Tool, ...] = (
    RuffTool(),
    SpellingTool(),
    PinsTool(),
    SourceFilesTool(),
    PolicyEditsTool(),
    FixersTool(),
    DependenciesTool(),
    IdleTestsTool(),
)
"""A row for each tool; the file of each is its own."""
MOST_FINDINGS = 20_000
"""Kept in memory; the fixable ones come first."""


@dataclass(frozen=True)
class ToolMeasures:
    """Same tree, same answer."""

    sandbox: Sandbox
    tools: tuple[Tool, ...] = TOOLS
    programs: Programs = field(default_factory=Programs.installed)

    def detect(self, look: Look) -> Detection:
        """See the port; a tool that could not look is named with its reason."""
        return self._seen(look, self.tools)

    def count(self, contract: TaskContract, look: Look) -> Counted:
        """See the port."""
        return MEASURES[contract.measure](self, contract, look)

    def unproved(self, base: Path, paths: Sequence[str], look: Look) -> Mapping[str, str]:
        """See the port."""
        return unproved(base, look.tree, paths, self._runner(look))

    def findings_left(self, contract: TaskContract, look: Look) -> Counted:
        """Of the contract's tool and rule, in the contract's paths; of an agent's task, also what no tool can mend."""
        known, task = look.known, contract.asked
        tool, rule = (task.tool, task.rule) if task else (contract.tool, contract.rule)
        paths = contract.scope.allowed_paths
        if known is not None and not known.truncated:
            seen = Detection(known.findings, len(self.tools), known.missing, known.unread)
        else:
            seen = self._seen(look, [each for each in self.tools if each.name == tool])
        # A tool that cannot look must not pass for a tool that found nothing.
        if blind := [reason for reason in seen.missing if reason.startswith(f"{tool}:")]:
            raise MeasureError(f"the effect cannot be measured: {'; '.join(blind)}")
        for file in seen.unread:
            if file.tool == tool and within(file.path, paths):
                raise MeasureError(f"the effect cannot be measured: {file.path}: {file.reason}")
        alike = (one for one in seen.findings if (one.tool, one.rule) == (tool, rule) and within(one.path, paths))
        return Counted(sum(one.fixable or task is not None for one in alike))

    def lines_left(self, contract: TaskContract, look: Look) -> Counted:
        """Of the lines that the contract's task names, those that its check does not run."""
        with _found_out():
            return not_run(contract, look, self._runner(look))

    def _seen(self, look: Look, tools: Sequence[Tool]) -> Detection:
        seen: list[Seen | None] = []
        missing: list[str] = []
        lookups: dict[str, bytes] = {}
        with _found_out():
            tree, runner = SourceTree(look.tree), self._runner(look)
            for tool in tools:
                try:
                    seen.append(one := tool.detect(tree, look.policy, runner))
                    lookups |= {tool.name: one.lookup} if one and one.lookup else {}
                except ToolUnavailable as reason:
                    missing.append(f"{tool.name}: {reason}")
        looked = [one for one in seen if one is not None]
        findings = sorted((each for one in looked for each in one.findings), key=lambda finding: not finding.fixable)
        return Detection(
            tuple(findings[:MOST_FINDINGS]),
            # One that has no part here must not make the others' blindness look smaller.
            len(looked) + len(missing),
            tuple(missing),
            tuple(each for one in looked for each in one.unread),
            sum(one.unread_share for one in looked),
            lookups,
        )

    def _runner(self, look: Look) -> ToolRunner:
        return tool_runner(
            self.sandbox, self.programs, look.policy, Role.SENSING, look.alive, look.recorded, look.environment
        )


MEASURES: dict[MeasureKind, Callable[[ToolMeasures, TaskContract, Look], Counted]] = {
    MeasureKind.FINDINGS: ToolMeasures.findings_left,
    MeasureKind.CHECK: lambda _tools, contract, look: red(contract, look),
    MeasureKind.NEW_TEST: lambda _tools, contract, look: unshown(contract, look),
    MeasureKind.COUNTED: lambda _tools, contract, look: counted_by(contract, look),
    MeasureKind.COVERAGE: ToolMeasures.lines_left,
    MeasureKind.BENCHMARK: lambda _tools, contract, look: ratio(contract, look),
    MeasureKind.IN_CI: lambda _tools, _contract, look: Counted(int(look.base is None)),
    MeasureKind.ACCEPTANCE: lambda _tools, _contract, look: Counted(int(look.base is None)),
}
"""A row for each way to count an effect."""


def tool_runner(
    sandbox: Sandbox,
    programs: Programs,
    policy: EffectivePolicy,
    role: Role,
    alive: Callable[[], None],
    recorded: Mapping[str, bytes],
    environment: CheckEnvironment | None = None,
) -> ToolRunner:
    """Within the sandbox's limits and the time that the charter gives a role."""
    limits, role_policy = policy.autopilot.sandbox, policy.charter.roles.get(role)
    seconds = min(limits.seconds, role_policy.minutes * 60) if role_policy else limits.seconds
    return ToolRunner(sandbox, programs, Limits.of(limits, seconds, RESULT_BYTES), alive, recorded, environment)


@contextmanager
def _found_out() -> Iterator[None]:
    """Not being able to find out is an error, never an empty or friendly answer."""
    try:
        yield
    except (SandboxUnavailable, OSError) as error:
        raise MeasureError(f"nothing could be measured: {error}") from error

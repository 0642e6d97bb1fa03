"""The embedded default backend: deterministic engineering tools instead of a model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from difflib import SequenceMatcher
from typing import TypeVar

from adapters.agents.reviewer import review
from adapters.tools.pins import PinsTool
from adapters.tools.registry import Seen, Tool
from adapters.tools.ruff import RuffTool
from adapters.tools.source_tree import SourceTree
from adapters.tools.spelling import SpellingTool
from adapters.tools.tool_runner import Programs, ToolRunner, ToolUnavailable
from contracts.modes import Role
from contracts.task import CandidateTasks, Finding, TaskContract
from contracts.verdict import Decision
from policies.paths.rules import in_scope
from policies.task.candidates import rank
from policies.task.idea_memory import Memory
from policies.task.planning import judge_contract, make_contract
from ports.agents import AgentError, Brief, Detection
from ports.sandbox import Sandbox, SandboxUnavailable

TOOLS: tuple[Tool, ...] = (RuffTool(), SpellingTool(), PinsTool())
Given = TypeVar("Given")

MOST_FINDINGS = 20_000
"""Kept in memory; the fixable ones come first."""


class ToolsBackend:
    """Every role by deterministic tools; same tree, same answer."""

    name = "tools"

    def __init__(self, sandbox: Sandbox, tools: tuple[Tool, ...] = TOOLS, programs: Programs | None = None) -> None:
        self._sandbox = sandbox
        self._tools = tools
        self._programs = programs or Programs.installed()

    def detect(self, brief: Brief) -> Detection:
        """Measure ``brief.tree``; a tool that could not look is named with its reason."""
        brief.meter.free()
        seen: list[Seen] = []
        missing: list[str] = []
        with _found_out():
            tree, bench = SourceTree(_given(brief.tree, "tree")), self._bench(brief)
            for tool in self._tools:
                try:
                    seen.append(tool.detect(tree, brief, bench))
                except ToolUnavailable as reason:
                    missing.append(f"{tool.name}: {reason}")
        findings = sorted((each for one in seen for each in one.findings), key=lambda finding: not finding.fixable)
        return Detection(
            tuple(findings[:MOST_FINDINGS]),
            len(self._tools),
            tuple(missing),
            tuple(each for one in seen for each in one.unread),
            sum(one.unread_share for one in seen),
        )

    def answer(self, brief: Brief) -> str:
        """The role's proposal as JSON; see the port."""
        brief.meter.free()
        with _found_out():
            match brief.role:
                case Role.TRIAGING:
                    return _triage(brief).model_dump_json()
                case Role.PLANNING:
                    contract = _plan(brief)
                    return "null" if contract is None else contract.model_dump_json()
                case Role.CODING:
                    return json.dumps(self._code(brief), ensure_ascii=False)
                case Role.REVIEW:
                    contract = _given(brief.contract, "contract")
                    base, tree = _given(brief.base_tree, "base_tree"), _given(brief.tree, "tree")
                    return review(brief, contract, base, tree, self._tools, self._bench(brief)).model_dump_json()
                case _:
                    raise AgentError(f"the tools backend has no part in the role {brief.role.value}")

    def _code(self, brief: Brief) -> dict[str, str | int]:
        root, contract, bench = _given(brief.tree, "tree"), _given(brief.contract, "contract"), self._bench(brief)
        tool = next((tool for tool in self._tools if tool.name == contract.tool), None)
        if tool is None:
            raise AgentError(f"the contract asks for the tool {contract.tool!r}, which is not registered")
        tree = SourceTree(root)
        before = {path: tree.read(path) for path in tree.files if in_scope(path, contract.scope)}
        if not before:
            raise AgentError("no file of the contract's scope is in the tree")
        tree = SourceTree(root, before)
        count = _metric(tool.detect(tree, brief, bench).findings, contract)
        tool.fix(tree, contract, brief, bench)
        kept_back = _keep_within_budget(SourceTree(root), before, contract)
        after = _metric(tool.detect(SourceTree(root, before), brief, bench).findings, contract)
        rest = f"; left for another day, beyond the line budget: {', '.join(kept_back)}" if kept_back else ""
        return {
            "summary": f"{tool.name} {contract.rule}: {contract.metric} went from {count} to {after}{rest}",
            "metricBefore": count,
            "metricAfter": after,
        }

    def _bench(self, brief: Brief) -> ToolRunner:
        role = brief.policy.charter.roles.get(brief.role)
        seconds = brief.policy.autopilot.sandbox.seconds
        return ToolRunner.under(
            self._sandbox,
            self._programs,
            brief.policy.autopilot.sandbox,
            min(seconds, role.minutes * 60) if role else seconds,
            brief.alive,
        )


def _triage(brief: Brief) -> CandidateTasks:
    snapshot = _given(brief.snapshot, "snapshot")
    open_ids = frozenset(each.task_id for each in snapshot.open_pull_requests if each.task_id)
    memory = Memory(today=date.fromisoformat(brief.run.date), open_task_ids=open_ids)
    candidates, suppressed = rank(snapshot.findings, brief.policy, memory)
    return CandidateTasks(
        run_id=brief.run.run_id, base_sha=brief.base_sha, candidates=candidates, suppressed=suppressed
    )


def _plan(brief: Brief) -> TaskContract | None:
    """The best candidate whose contract policy does not forbid; a person may still have to approve it."""
    candidates = _given(brief.candidates, "candidates")
    for candidate in candidates.candidates:
        if candidate.needs_person:
            continue
        contract = make_contract(candidate, brief.policy, brief.run.run_id)
        if judge_contract(contract, brief.policy, candidates).decision in {Decision.ALLOW, Decision.ASK}:
            return contract
    return None


def _metric(findings: tuple[Finding, ...], contract: TaskContract) -> int:
    return sum(
        finding.fixable and finding.rule == contract.rule and in_scope(finding.path, contract.scope)
        for finding in findings
    )


def _keep_within_budget(tree: SourceTree, before: dict[str, bytes], contract: TaskContract) -> list[str]:
    """Put back whole files, largest change first, until the rest fits the contract: split, never overflow."""
    sizes = {path: lines for path, old in before.items() if (lines := _changed_lines(old, tree.read(path)))}
    put_back = []
    for path in sorted(sizes, key=lambda path: (-sizes[path], path)):
        if sum(sizes.values()) <= contract.scope.max_lines and len(sizes) <= contract.scope.max_files:
            break
        tree.write(path, before[path])
        put_back.append(path)
        del sizes[path]
    return put_back


def _changed_lines(old: bytes, new: bytes) -> int:
    if old == new:
        return 0
    blocks = SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_opcodes()
    return sum((a1 - a0) + (b1 - b0) for kind, a0, a1, b0, b1 in blocks if kind != "equal")


def _given(value: Given | None, name: str) -> Given:
    if value is None:
        raise AgentError(f"the brief holds no {name}")
    return value


@contextmanager
def _found_out() -> Iterator[None]:
    """Not being able to find out is an error, never an empty or friendly answer."""
    try:
        yield
    except (SandboxUnavailable, ToolUnavailable, OSError) as error:
        raise AgentError(f"the tools backend could not work: {error}") from error

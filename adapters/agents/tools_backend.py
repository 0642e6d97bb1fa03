"""The embedded default backend: deterministic engineering tools instead of a model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from difflib import SequenceMatcher
from typing import TypeVar

from adapters.agents.backends import Means
from adapters.agents.reviewer import review
from adapters.tools.measures import TOOLS, tool_runner
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Tool
from adapters.tools.tool_runner import Programs, ToolRefused, ToolRunner, ToolUnavailable
from contracts.exchange import AgentOutcome
from contracts.modes import Role
from contracts.task import CandidateTasks, TaskContract
from contracts.verdict import Decision
from policies.paths.rules import in_scope
from policies.settings.charter import RolePolicy
from policies.task.candidates import rank
from policies.task.idea_memory import Memory
from policies.task.planning import judge_contract, make_contract
from ports.agents import AgentError, AgentStopped, Brief
from ports.sandbox import Sandbox, SandboxUnavailable

Given = TypeVar("Given")


class ToolsBackend:
    """Every role by deterministic tools; same tree, same answer."""

    name = "tools"

    def __init__(self, sandbox: Sandbox, tools: tuple[Tool, ...] = TOOLS, programs: Programs | None = None) -> None:
        self._sandbox = sandbox
        self._tools = tools
        self._programs = programs or Programs.installed()

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

    def _code(self, brief: Brief) -> dict[str, str]:
        root, contract = _given(brief.tree, "tree"), _given(brief.contract, "contract")
        tool = next((tool for tool in self._tools if tool.name == contract.tool), None)
        if tool is None:
            raise AgentError(f"the contract asks for the tool {contract.tool!r}, which is not registered")
        tree = SourceTree(root)
        before = {path: tree.read(path) for path in tree.files if in_scope(path, contract.scope)}
        if not before:
            raise AgentError("no file of the contract's scope is in the tree")
        tool.fix(SourceTree(root, before), contract, brief.policy, self._bench(brief))
        kept_back = _keep_within_budget(SourceTree(root), before, contract)
        rest = f"; left for another day, beyond the line budget: {', '.join(kept_back)}" if kept_back else ""
        return {"summary": f"{tool.name} {contract.rule}{rest}"}

    def _bench(self, brief: Brief) -> ToolRunner:
        return tool_runner(
            self._sandbox, self._programs, brief.policy, brief.role, brief.alive, brief.recorded, brief.environment
        )


def open_tools(_said: RolePolicy, means: Means) -> ToolsBackend:
    """For any role, and whatever the charter says of it."""
    return ToolsBackend(means.sandbox)


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
    except ToolRefused as reason:
        raise AgentStopped(AgentOutcome.REFUSED, str(reason)) from reason
    except (SandboxUnavailable, ToolUnavailable, OSError) as error:
        raise AgentError(f"the tools backend could not work: {error}") from error

"""Which paths a change may touch (promise P5; runbook §3 "protected-path denylist", §6.1)."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from pathspec import GitIgnoreSpec

from contracts.change import Change, ChangedPath
from contracts.grant import Grant
from contracts.task import Scope, TaskContract, TaskType
from contracts.verdict import Decision, Verdict
from policies.agents.crossing import PATHS_RULE
from policies.agents.hidden import CODE, SECRET_FILES
from policies.agents.orders import ORDERS
from policies.counted import counted
from policies.paths.canonical import canonical, fold, hostile_name, readable
from policies.settings.schema import EffectivePolicy, ProtectedPaths, ProtectedRule
from policies.verdicts import all_of, allow, deny, escalate

__all__ = [
    "can_match",
    "canonical",
    "gives_orders",
    "holds_secret",
    "hostile_name",
    "in_scope",
    "judge_paths",
    "matches",
    "protection",
    "readable",
    "within",
]

_SYMLINK, _SUBMODULE, _PLAIN, _EXECUTABLE, _NONE = "120000", "160000", "100644", "100755", "000000"
_LISTED = 40
_FEW = 5
_OF_AGENTS = ProtectedRule(reason="it gives orders to agents' programs", patterns=ORDERS)
_WORST_FIRST = (Decision.ESCALATE, Decision.DENY, Decision.ALLOW)


@lru_cache(maxsize=512)
def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(fold(pattern) for pattern in patterns)


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether gitignore-style patterns match the canonical form of a path."""
    return _spec(tuple(patterns)).match_file(canonical(path))


def can_match(pattern: str) -> bool:
    """Whether a pattern is well-formed and matches anything: a comment or ``[`` would be skipped without a word."""
    try:
        compiled = _spec((pattern,)).patterns
    except (ValueError, re.error):
        return False
    return any(each.include is not None for each in compiled)


def within(path: str, allowed: Sequence[str]) -> bool:
    """Whether an allow-list names a path: literally, or by an entry with a ``*``, ``?``, ``!`` or closing ``/``.

    An entry without them is one exact path. As a gitignore pattern ``setup.py`` would also allow ``deploy/setup.py``.
    """
    patterns = [
        entry for entry in allowed if "*" in entry or "?" in entry or entry.startswith("!") or entry.endswith("/")
    ]
    return path in allowed or matches(path, patterns)


def in_scope(path: str, scope: Scope) -> bool:
    """Whether a contract lets Coding touch a path."""
    return within(path, scope.allowed_paths) and not matches(path, scope.blocked_paths)


def protection(path: str, policy: EffectivePolicy, task_type: TaskType) -> ProtectedRule | None:
    """The rule that protects a path from a task type, or None."""
    # The type is the proposer's word: it opens lock files only where the owner named them.
    mistaken = task_type is TaskType.DEPENDENCY_UPDATE and path not in dependency_files(policy)
    for rule in policy.protected_paths.protected:
        # A file that takes the place of a protected folder is as good as a file in it.
        if (mistaken or task_type not in rule.unless) and (
            matches(path, rule.patterns) or matches(f"{path}/x", rule.patterns)
        ):
            return rule
    return _OF_AGENTS if gives_orders(path, policy.protected_paths) else None


def gives_orders(path: str, protected: ProtectedPaths) -> bool:
    """Whether some agent's program would obey what is there, or below it where it takes a folder's place."""
    patterns = (*ORDERS, *protected.agent_orders)
    return matches(path, patterns) or matches(f"{path}/x", patterns)


def holds_secret(path: str, protected: ProtectedPaths) -> bool:
    """Whether a file is called as such that hold secrets are, and is no source code."""
    if canonical(path).endswith(CODE):
        return False
    named = (rule.patterns for rule in protected.protected if "secret" in rule.reason.lower())
    return any(matches(path, patterns) for patterns in (SECRET_FILES, *named))


def dependency_files(policy: EffectivePolicy) -> frozenset[str]:
    """What the owner's ``[dependencies]`` opens to updates."""
    chosen = policy.target.dependencies
    return chosen.every_file if chosen else frozenset()


def reachable(path: str, policy: EffectivePolicy, task_type: TaskType) -> bool:
    """Whether a task of a type may be about a path: of a dependency task exactly its ecosystem's own files."""
    if task_type is TaskType.DEPENDENCY_UPDATE:
        return path in dependency_files(policy)
    return within(path, policy.target.allowed_paths)


def no_orders(dropped: Sequence[str]) -> Verdict:
    """What an agent left at paths that give orders to agents is not in its change; says so where there was any."""
    rule = "what gives orders to agents is the base's"
    if not dropped:
        return allow(rule, "the agent left it alone")
    some = ", ".join(dropped[:_FEW]) + (" …" if len(dropped) > _FEW else "")
    return allow(rule, f"what the agent did at {counted(len(dropped), 'such path')} was dropped: {some}")


def judge_paths(
    change: Change,
    policy: EffectivePolicy,
    contract: TaskContract,
    base_paths: Iterable[str],
    granted: Sequence[ChangedPath] = (),
) -> Verdict:
    """Judge every changed entry, both sides of every rename.

    Rules, in order, each for every path (the worst decides):

    1. It is not protected, in any spelling, unless the task type is listed (ESCALATE; P5, runbook §6.1).
    2. Its name is honest: no hostile characters, tails, reserved names (DENY).
    3. It is not a twin of another path of the tree, by case or Unicode (DENY; of a protected one: rule 1).
    4. It is a plain file that keeps its mode: no symlink, submodule, LFS pointer, no new execute bit (DENY).
    5. It is inside the contract's scope and what the target allows (DENY; task contracts, "scope").

    ``granted`` are entries a person released from quarantine (``policies.paths.rules``): one equal to any of them,
    blobs and modes included, needs neither rule 1 nor the contract's scope. Rules 2 to 4 and the target's own limit
    hold for it too; any other entry at the same path, and every other spelling of it, is a violation as ever.

    An empty change proves nothing and is denied.
    """
    twins = _twins(change, base_paths)
    found = [_judge_path(entry, policy, contract, twins.get(entry.path), granted) for entry in change.paths]
    bad = sorted((v for v in found if not v.allowed), key=lambda v: _WORST_FIRST.index(v.decision))
    good = len(found) - len(bad)
    children = bad[:_LISTED]
    if len(bad) > _LISTED:
        children.append(
            deny(
                "every path is listed",
                f"{counted(len(bad) - _LISTED, 'more path was refused', 'more paths were refused')}",
                refused=len(bad),
            )
        )
    if good:
        children.append(
            allow("paths are allowed", f"{good} of {len(found)} paths are plain files in scope", paths=good)
        )
    return all_of(PATHS_RULE, children)


def _judge_path(
    entry: ChangedPath,
    policy: EffectivePolicy,
    contract: TaskContract,
    twin: str | None,
    granted: Sequence[ChangedPath],
) -> Verdict:
    path, shown = entry.path, readable(entry.path)
    rule = protection(path, policy, contract.type)
    released = rule is not None and entry in granted
    if rule is not None and not released:
        return escalate("path is not protected", f"{shown} is protected: {rule.reason}", path=shown)
    if reason := hostile_name(path):
        return deny("path has an honest name", f"{shown} is refused: {reason}", path=shown)
    if twin is not None:
        return deny("path has no twin", f"{shown} is {readable(twin)} on some file systems", path=shown)
    if reason := _special(entry):
        return deny("path is a plain file", f"{shown} {reason}", path=shown, old=entry.old_mode, new=entry.new_mode)
    if reason := _outside(path, None if released else contract.scope, policy, contract.type):
        return deny("path is in scope", f"{shown} {reason}", path=shown)
    if released:
        return allow("path may be touched", f"{shown} is protected, and released by a person's grant", path=shown)
    return allow("path may be touched", f"{shown} is a plain file in scope", path=shown)


def _special(entry: ChangedPath) -> str | None:
    modes = {entry.old_mode, entry.new_mode}
    if _SYMLINK in modes:
        return "is a symbolic link"
    if _SUBMODULE in modes:
        return "is a submodule"
    if entry.pointer:
        return "is a pointer of git LFS, before or after: what it stands for is not in the change"
    if not modes <= {_PLAIN, _EXECUTABLE, _NONE}:
        return "has a mode that is neither plain file nor program"
    if entry.new_mode == _EXECUTABLE and entry.old_mode != _EXECUTABLE:
        return "becomes executable"
    if _NONE not in modes and entry.old_mode != entry.new_mode:
        return "changes its mode"
    return None


def _outside(path: str, scope: Scope | None, policy: EffectivePolicy, task_type: TaskType) -> str | None:
    if scope and matches(path, scope.blocked_paths):
        return "is blocked by the contract"
    if scope and not within(path, scope.allowed_paths):
        return "is outside the contract's scope"
    if not reachable(path, policy, task_type):
        return "is outside what the target allows"
    return None


def _twins(change: Change, base_paths: Iterable[str]) -> dict[str, str]:
    """Added paths that, or whose folders, fall together with another spelling in the tree."""
    added = [entry.path for entry in change.paths if entry.status == "A"]
    if not added:
        return {}
    known = {part for path in base_paths for part in _with_folders(path)}
    spellings = {canonical(part): part for part in sorted(known)}
    twins: dict[str, str] = {}
    for path in added:
        for part in _with_folders(path):
            if part not in known and (other := spellings.setdefault(canonical(part), part)) != part:
                twins.setdefault(path, other)
    return twins


def neighbours(change: Change, base_paths: Iterable[str]) -> tuple[str, ...]:
    """Of the tree only what ``judge_paths`` needs to see for this change: it finds the same twins, no more, no less."""
    added = {canonical(part) for entry in change.paths if entry.status == "A" for part in _with_folders(entry.path)}
    if not added:
        return ()
    known = {part for path in base_paths for part in _with_folders(path)}
    return tuple(sorted(part for part in known if canonical(part) in added))


def _with_folders(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def granted_entries(
    grant: Grant, quarantined: Sequence[ChangedPath], contract: TaskContract, policy: EffectivePolicy
) -> tuple[ChangedPath, ...]:
    """The quarantined change's entries that are protected and named in the grant, letter by letter.

    A path that nothing protects needs no grant, and gets nothing from one.
    """
    return tuple(
        entry
        for entry in quarantined
        if entry.path in grant.paths and protection(entry.path, policy, contract.type) is not None
    )


def widened(contract: TaskContract, granted: Sequence[ChangedPath]) -> TaskContract:
    """The contract with room for the granted entries; its lines, and every limit of the policy, stay as they are."""
    if not granted:
        return contract
    scope = contract.scope
    statuses = [entry.status for entry in granted]
    more = {
        "allowed_paths": (*scope.allowed_paths, *(entry.path for entry in granted)),
        "max_files": scope.max_files + len(granted),
        "max_new_files": scope.max_new_files + statuses.count("A"),
        "max_deletions": scope.max_deletions + statuses.count("D"),
    }
    return contract.model_copy(update={"scope": scope.model_copy(update=more)})

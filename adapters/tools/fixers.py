"""Fixers of the owner's own: what a repository pins and selects mends, in its own environment, as any tool of ours."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from adapters.sandbox.private_copy import put_copy
from adapters.tools.owners_files import Patterns
from adapters.tools.owners_files import handed as handed_to
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of
from adapters.tools.tool_runner import ToolRefused, ToolRunner, ToolUnavailable
from contracts.task import Concern, FindingFacts, Proof, TaskContract, TaskType, Words
from policies.counted import shortened
from policies.paths.pointers import is_pointer
from policies.paths.rules import in_scope, matches
from policies.settings.environment import FixerPolicy
from policies.settings.schema import EffectivePolicy
from ports.removal import remove_tree
from ports.sandbox import CommandResult

FILES = "{files}"
_AT_ONCE = 400
"""Paths in one argument list."""
_HEAD = 8000
"""Bytes in which a file that is no text has a zero."""
Digests = dict[str, bytes]
Changes = dict[str, bytes]
"""What a fixer makes of a tree: the files that it changes, and what they are then."""


class NotRepeatable(Exception):
    """A fixer that is not the same twice, or leaves its own bounds: nothing of it is taken."""


class _Failed(ToolUnavailable):
    """A fixer that did not end as one that worked, by itself or because it was stopped."""


class FixersTool:
    """A rule for each `[[fixers]]` of the target; a finding for each file that one would change.

    Each runs on copies of the tree, in the check environment. What it makes counts only if it makes it again: on
    another copy the same, and on its own result nothing more.
    """

    name = "fixer"

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:
        """Its owner trusts it; what it makes is compared with what it makes again."""
        ours = [each for each in policy.target.fixers if each.name == rule]
        call = " ".join(word for each in ours[:1] for word in each.fix if word != FILES)
        return FindingFacts(
            confidence=0.9,
            value=0.4,
            type=TaskType.CODE_IMPROVEMENT,
            may_change=tuple(pattern for each in ours for pattern in each.files),
            proof=Proof.REPEATED,
            concern=Concern.HOOK,
            is_fault=False,
            words=Words(
                verb="Fix",
                one=f"a finding of {rule}",
                many=f"findings of {rule}",
                why=(
                    f"Whoever runs this repository's own `{call or rule}` next finds this among their own changes: it "
                    "is exactly what that makes."
                ),
            ),
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """What each would change, by its own measure or by trying; one that cannot be trusted is said and no work."""
        if not policy.target.fixers:
            return None
        sightings: list[Sighting] = []
        for fixer in policy.target.fixers:
            try:
                named = self._would_change(fixer, tree, bench)
            except NotRepeatable as reason:
                sightings.append(Sighting(fixer.name, _some(tree, fixer), 1, f"refused: {reason}", fixable=False))
                continue
            sightings += [
                Sighting(fixer.name, path, 1, f"{fixer.name} would change it", fixable=tree.is_source(path))
                for path in named
                if path in tree.files and (not tree.focus or path in tree.focus)
            ]
        return Seen(findings_of(self, tree, policy, sightings), len(tree.files))

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Write what it makes of the files in the contract's scope."""
        for fixer in policy.target.fixers:
            if fixer.name != contract.rule:
                continue
            try:
                made = _tried(fixer, tree, bench)
            except (NotRepeatable, _Failed) as reason:
                # Sensing saw it work: it is not the same every time, and no other try makes it so.
                raise ToolRefused(f"the fixer {fixer.name} is passed over: {reason}") from reason
            for path, content in made.items():
                if in_scope(path, contract.scope) and tree.is_source(path):
                    tree.write(path, content)

    def _would_change(self, fixer: FixerPolicy, tree: SourceTree, bench: ToolRunner) -> list[str]:
        """What its own measure names and `fix` mends; a measure cannot tell what else `fix` would do, a trial can."""
        if not fixer.measure:
            return list(_tried(fixer, tree, bench))
        answer = self._measured(fixer, tree, bench)
        paths = tree.focus or tree.files
        made = _tried(fixer, tree, bench) if any(path in paths for path in answer) else {}
        return [path for path in answer if path in made]

    def _measured(self, fixer: FixerPolicy, tree: SourceTree, bench: ToolRunner) -> list[str]:
        with copied(tree.root) as copy:
            results = _run(fixer, fixer.measure, copy, bench)
        if any(result.output_total > bench.limits.output_bytes for result in results):
            raise ToolUnavailable(f"{fixer.name} printed more than can be read")
        output = [result.stdout.decode("utf-8", "replace") for result in results]
        if not fixer.paths:
            return [_relative(line) for line in "".join(output).splitlines() if line.strip()]
        return [path for each in output for path in self._named(fixer, each)]

    def _named(self, fixer: FixerPolicy, text: str) -> list[str]:
        import jmespath  # noqa: PLC0415  # every worker reads this file, and few have such a fixer

        try:
            found = jmespath.search(fixer.paths, json.loads(text))
        except (ValueError, RecursionError) as problem:  # JMESPath's own errors are such
            raise ToolUnavailable(f"{fixer.name}: `paths` cannot be read from what it prints: {problem}") from problem
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise ToolUnavailable(f"{fixer.name}: `paths` finds no list of paths in what it prints")
        return [_relative(each) for each in found]


def _relative(path: str) -> str:
    """A path as the repository has it: the tree is at one place inside."""
    return path.strip().removeprefix("/work/").removeprefix("./")


def _tried(fixer: FixerPolicy, tree: SourceTree, bench: ToolRunner) -> Changes:
    """What it changes, the same on two copies.

    Raises:
        NotRepeatable: it is another each time, does not come to rest, or changes what it must not.
        ToolUnavailable: it could not run.
    """
    known = digests_of(tree)
    with copied(tree.root) as first:
        made = _changes(fixer, known, first, bench)
    if not made:
        return {}
    with copied(tree.root) as second:
        if made != _changes(fixer, known, second, bench):
            raise NotRepeatable("on the same tree it made something else the second time")
    with copied(tree.root) as again:
        fixed = SourceTree(again)
        for path, content in made.items():
            fixed.write(path, content)
        known |= {path: digest_of(content) for path, content in made.items()}
        if more := _changes(fixer, known, again, bench):
            raise NotRepeatable(f"on its own result it changes more: {', '.join(sorted(more)[:3])}")
    return made


def _changes(fixer: FixerPolicy, known: Digests, copy: Path, bench: ToolRunner) -> Changes:
    """Run it on a copy; what is different then. What it leaves beside the tree's own files is nobody's."""
    _run(fixer, fixer.fix, copy, bench)
    after = SourceTree(copy)
    if gone := sorted(known.keys() - after.files):
        raise NotRepeatable(f"it removes files, or makes them none of the project's own: {', '.join(gone[:3])}")
    made = {path: content for path, old in known.items() if digest_of(content := after.read(path)) != old}
    if foreign := sorted(path for path in made if not matches(path, fixer.files)):
        raise NotRepeatable(f"it changes what its `files` do not name: {', '.join(foreign[:3])}")
    return made


def digests_of(tree: SourceTree) -> Digests:
    """Of every file of the project's own."""
    return {path: digest_of(tree.read(path)) for path in tree.files}


def digest_of(content: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(content).digest()


def _run(fixer: FixerPolicy, argv: tuple[str, ...], copy: Path, bench: ToolRunner) -> list[CommandResult]:
    """Once; with ``{files}`` as often as they have room in an argument list."""
    if bench.environment is None:
        raise ToolUnavailable("the check environment, in which the repository's own fixers run, could not be made")
    seconds = min(fixer.seconds or bench.limits.seconds, bench.limits.seconds)
    limits = replace(bench.limits, seconds=seconds)
    results = []
    for words in _with_files(fixer, argv, copy):
        result = bench.sandbox.run(bench.environment.command(words, copy, limits), bench.alive)
        if result.killed_for or result.exit_code not in fixer.exit_codes:
            how = f"was stopped ({result.killed_for})" if result.killed_for else f"ended with {result.exit_code}"
            output = shortened(result.output[-2000:].decode("utf-8", "replace").strip(), 400)
            raise _Failed(f"{' '.join(argv)} {how}: {output}")
        results.append(result)
    return results


def _with_files(fixer: FixerPolicy, argv: tuple[str, ...], copy: Path) -> Iterator[tuple[str, ...]]:
    if FILES not in argv:
        yield argv
        return
    tree, at = SourceTree(copy), argv.index(FILES)
    of_kind = [path for path in tree.files if matches(path, fixer.files)]
    # The policy has them from the repository's own file, and the repository chooses the names.
    [picked] = handed_to([Patterns(fixer.only, fixer.exclude)], of_kind)
    handed = [path for path in sorted(picked) if _is_text(tree.read(path))]
    for start in range(0, len(handed), _AT_ONCE):
        # A file may be called like an option.
        yield (*argv[:at], *(f"./{path}" for path in handed[start : start + _AT_ONCE]), *argv[at + 1 :])


def _is_text(content: bytes) -> bool:
    return b"\0" not in content[:_HEAD] and not is_pointer(content)


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """A copy of a tree, gone afterwards; links stay links."""
    folder = Path(mkdtemp(prefix="fixer-"))
    try:
        put_copy(root, folder, "tree")
        yield folder / "tree"
    finally:
        remove_tree(folder)


def _some(tree: SourceTree, fixer: FixerPolicy) -> str:
    """A file of its kind, for a finding that is about the fixer itself."""
    return min((path for path in tree.files if matches(path, fixer.files)), default=min(tree.files, default=""))

"""Dependencies: a newer release of one package, made by the ecosystem's own command, in the lock files alone."""

from pydantic import ValidationError

from adapters.tools.dependency_look import MANIFEST, Refused, look_around, made_by
from adapters.tools.fixers import digest_of
from adapters.tools.locks import Unreadable, ecosystem_of, packages
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of, unread_of
from adapters.tools.tool_runner import ToolRefused, ToolRunner, ToolUnavailable
from contracts.dependency import DependencyLook, DependencyUpdate, PackageChange
from contracts.task import Concern, Finding, FindingFacts, Proof, TaskContract, TaskType, Words
from policies.counted import joined, shortened
from policies.paths.rules import in_scope
from policies.settings.schema import EffectivePolicy
from ports.environments import EnvironmentUnavailable

_LOOKUP = "lookups/dependencies"
_INSECURE, _TAKEN_BACK, _USUAL = 1.0, 0.8, 0.6
_QUESTIONS = 20
"""At least so many a look asks: one that stays open, say a list of vulnerabilities out of reach, is one of them."""
_SHORT_NAME = 32
_NOTE_LINES = 12
_NAMED = 6


class DependenciesTool:
    """A finding for each package of a lock file that could be a newer one; the rule is ``<lock file>/<package>``.

    Registries are asked once, in Sensing; every later look compares the tree with what was found then. What a command
    makes counts only if it makes it again, then, in Coding and in Review.
    """

    name = "dependencies"

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:
        """The lock file's own files, exactly as the command makes them."""
        chosen = policy.target.dependencies
        ours = [path for path in (chosen.lock_files if chosen else ()) if rule.startswith(f"{path}/")]
        package = rule.removeprefix(f"{max(ours, key=len)}/") if ours else rule
        several = Words(verb="Look into", one=package, many=f"versions of {package}", why="Each has a newer release.")
        return FindingFacts(
            confidence=0.9,
            value=_USUAL,
            type=TaskType.DEPENDENCY_UPDATE,
            may_change=tuple(f"/{file}" for path in ours for file in (chosen.files(path) if chosen else ())),
            proof=Proof.REPEATED,
            is_fault=False,
            concern=Concern.OUTDATED,
            for_person=True,
            words=several,
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """What could be newer: by what was looked up for this run, or looked up now."""
        chosen = policy.target.dependencies
        if chosen is None or not chosen.on:
            return None
        known = _recorded(bench)
        look = known or look_around(tree, policy, bench)
        sightings = [_sighting(each) for each in look.updates if _stands(each, tree)]
        found = [_valued(each, look) for each in findings_of(self, tree, policy, sightings)]
        unread = unread_of(self.name, look.blind)
        lookup = b"" if known else look.model_dump_json(indent=2).encode()
        return Seen(tuple(found), max(len(tree.files), _QUESTIONS), unread, lookup)

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Run the command again; what it makes has to be what it made when it was looked up."""
        look, chosen = _recorded(bench), policy.target.dependencies
        update = next((each for each in (look.updates if look else ()) if _rule(each) == contract.rule), None)
        if update is None or chosen is None or not update.made:
            raise ToolUnavailable(f"{contract.rule}: this run has looked up no such update")
        try:
            made = made_by(update.commands, tree, chosen.files(update.lock_file), bench)
        except Refused as reason:
            raise ToolRefused(f"{contract.rule} is passed over: {reason}") from reason
        except EnvironmentUnavailable as problem:
            raise ToolUnavailable(f"{contract.rule}: {str(problem).partition(chr(10))[0]}") from problem
        if {path: digest_of(content).hex() for path, content in made.items()} != update.made:
            raise ToolRefused(
                f"{contract.rule} is passed over: `{_command(update)}` makes something else now than before"
            )
        for path, content in made.items():
            if in_scope(path, contract.scope):
                tree.write(path, content)


def _recorded(bench: ToolRunner) -> DependencyLook | None:
    body = bench.recorded.get(_LOOKUP)
    try:
        return DependencyLook.model_validate_json(body) if body else None
    except ValidationError as problem:
        raise ToolUnavailable("what this run looked up of dependencies cannot be read") from problem


def _rule(update: DependencyUpdate) -> str:
    return f"{update.lock_file}/{update.package}"


def _command(update: DependencyUpdate) -> str:
    return " && ".join(" ".join(argv) for argv in update.commands)


def _stands(update: DependencyUpdate, tree: SourceTree) -> bool:
    """Whether a tree still has what the update replaces.

    Raises:
        ToolUnavailable: its lock file cannot be read any more.
    """
    if update.package == MANIFEST:
        return True
    try:
        ecosystem = ecosystem_of(tree.text(update.lock_file), update.lock_file)
        locked = packages(ecosystem, tree.text, update.lock_file)
    except Unreadable as problem:
        raise ToolUnavailable(f"{update.lock_file}: {problem}") from problem
    return (update.package, update.before) in {(each.name, each.version) for each in locked}


def _sighting(update: DependencyUpdate) -> Sighting:
    step = f"{update.package} {update.before} → {update.after}" if update.before else update.package
    return Sighting(
        rule=_rule(update),
        path=update.lock_file,
        line=1,
        message=f"{step}: {update.refused}" if update.refused else f"{step}, by `{_command(update)}`",
        fixable=bool(update.made),
        code=f"{_rule(update)} {update.before} {update.after}",
        words=_words(update),
    )


def _valued(finding: Finding, look: DependencyLook) -> Finding:
    update = next(each for each in look.updates if _rule(each) == finding.rule)
    value = _INSECURE if update.advisories else _TAKEN_BACK if update.taken_back else _USUAL
    concern = Concern.SECURITY if update.advisories else Concern.OUTDATED
    along = tuple(sorted(update.made.keys() - {update.lock_file}))
    facts = finding.facts.model_copy(update={"value": value, "concern": concern})
    return finding.model_copy(update={"facts": facts, "along": along})


def _words(update: DependencyUpdate) -> Words:
    name = update.package
    if len(name) > _SHORT_NAME and "/" in name:
        name = name.rpartition("/")[2]
    if not update.made:
        step = f"{name} {update.before} → {update.after}".removesuffix(" → ") if update.before else name
        known = [f"{each.identifier}: {each.summary}" for each in update.advisories]
        why = f"Known vulnerabilities: {', '.join(known)}. " if known else ""
        why += f"No run takes it: {update.refused}."
        return Words(verb="Look into", one=step, many=f"{name} versions", why=shortened(why, 600))
    step = f"{name} from {update.before} to {update.after}"
    return Words(verb="Update", one=step, many=step, why=_why(update), more=tuple(_points(update)))


def _why(update: DependencyUpdate) -> str:
    if update.advisories:
        return f"{update.package} {update.before} has known vulnerabilities: {joined(list(update.fixed))} ended by it."
    if update.taken_back:
        return f"{update.package} {update.before} was taken back by who published it."
    return f"It is the newest release without a major step, and was released on {update.released:%Y-%m-%d}."


def _points(update: DependencyUpdate) -> list[str]:
    """What a person decides by."""
    ours = next(each for each in update.changes if each.package == update.package)
    released = f", released {update.released:%Y-%m-%d}" if update.released else ", released nobody says when"
    points = [f"{update.package}: {update.before} → {update.after}{released}."]
    for each in update.advisories:
        ended = "Ends" if each.identifier in update.fixed else "Does not end"
        points.append(f"{ended} {each.identifier}: {each.summary or 'no summary'}.")
    points.append(f"Licence: {_licence(ours.said_before)} before, {_licence(ours.said_after)} after.")
    others = [_along(each) for each in update.changes if each is not ours]
    if others:
        more = [f"{len(others) - _NAMED} more"] if len(others) > _NAMED else []
        points.append(f"Along with it: {joined(others[:_NAMED] + more)}.")
    points.append("Made by the command that stands under Evidence, each time the same; no other file changes.")
    notes = ours.said_after.notes.splitlines() if ours.said_after else []
    if not notes:
        return [*points, "Its archive holds no notes on this version."]
    cut = [f"… and {len(notes) - _NOTE_LINES} more lines, in lookups/dependencies.json"]
    quoted = [f"“{' '.join(line.split())}”" for line in notes[:_NOTE_LINES]]
    return [*points, "What its own list of changes says:", *quoted, *(cut if len(notes) > _NOTE_LINES else [])]


def _licence(value: object) -> str:
    named = getattr(value, "licence", "")
    return named or ("the same words" if getattr(value, "text", "") else "none named")


def _along(each: PackageChange) -> str:
    if not each.before:
        return f"{each.package} {each.after} new ({_licence(each.said_after)})"
    return f"{each.package} {each.before} → {each.after}" if each.after else f"{each.package} {each.before} gone"

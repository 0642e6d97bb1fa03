"""What there is beyond a lock file, and whether it can be had: asked of its registry, tried twice, judged whole."""

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import BaseModel, StringConstraints, TypeAdapter, ValidationError

from adapters.tools.advisories import NotTold, advisories
from adapters.tools.fixers import copied, digest_of, digests_of
from adapters.tools.locks import REQUIREMENTS, Argv, Locked, Unreadable, ecosystem_of, packages, written_anew
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import INSIDE, ToolRunner, ToolUnavailable
from contracts.dependency import Advisory, DependencyLook, DependencyUpdate, PackageChange, Said
from policies.counted import counted, shortened
from policies.settings.environment import DependencyPolicy
from policies.settings.schema import EffectivePolicy
from policies.task.dependencies import Choice, Release, choose, objection
from ports.environments import EnvironmentUnavailable, Online
from ports.removal import remove_tree

MANIFEST = "its manifest"
"""In the place of a package, where a lock file is not in line with that."""
_REQUEST = "/opt/autonomy/request.json"
_MOST_ASKED = 300
_MOST_TRIED = 5
_MOST_CHANGES = 30
_MOST_MAJORS = 20
_SECONDS = 360.0
"""For all lock files together: Sensing has other things to do. What was not tried then goes first another day."""
_FOUND_SOME = (0, 1)
"""Exit statuses of what lists vulnerabilities."""


class Refused(Exception):
    """Why what a command made is not taken."""


_Short = Annotated[str, StringConstraints(max_length=200)]


class _Answer(BaseModel):
    problem: str = ""
    releases: tuple[tuple[_Short, _Short, bool], ...] = ()
    licence: str = ""
    text: str = ""
    notes: str = ""


_ANSWERS = TypeAdapter(dict[str, _Answer])


def online_of(bench: ToolRunner) -> Online:
    """The way to the registries.

    Raises:
        ToolUnavailable: there is none.
    """
    if bench.environment is None or bench.environment.online is None:
        raise ToolUnavailable("the check environment, in which registries are asked, could not be made")
    return bench.environment.online


def made_by(
    commands: Iterable[Argv], tree: SourceTree, allowed: Collection[str], bench: ToolRunner
) -> dict[str, bytes]:
    """The files that commands make of a copy of the tree, with the network of the target's list.

    Raises:
        Refused: they change or add what is not ``allowed``, or remove something.
        EnvironmentUnavailable: one failed.
    """
    online, known = online_of(bench), digests_of(tree)
    with copied(tree.root) as copy:
        for argv in commands:
            online(argv, copy, bench.limits, bench.alive)
        after = SourceTree(copy)
        if gone := sorted(known.keys() - after.files):
            raise Refused(f"it removes {gone[0]}")
        contents = {path: after.read(path) for path in after.files}
    made = {path: content for path, content in contents.items() if known.get(path) != digest_of(content)}
    if foreign := sorted(made.keys() - set(allowed)):
        raise Refused(f"it changes {', '.join(foreign[:3])}, which no update of this lock file may")
    return made


def look_around(tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> DependencyLook:
    """Every lock file of the target. What could not be looked at is named, and hides nothing of the rest.

    Raises:
        ToolUnavailable: there is no environment to look from.
    """
    online_of(bench)
    chosen, now = policy.target.dependencies, datetime.now(UTC)
    until = time.monotonic() + _SECONDS
    looks = [_LockFile(path, tree, policy, bench, now, until) for path in (chosen.lock_files if chosen else ())]
    for each in looks:
        each.look()
    updates = sorted((one for each in looks for one in each.updates), key=_rank)
    return DependencyLook(
        looked_at=now,
        updates=tuple(updates),
        waiting=tuple(one for each in looks for one in each.waiting),
        blind={what: shortened(why, 300) for each in looks for what, why in each.blind.items()},
    )


def _rank(update: DependencyUpdate) -> tuple[bool, bool, bool, str, str]:
    released = update.released.isoformat() if update.released else "9"
    return bool(update.refused), not update.advisories, not update.taken_back, released, update.package


@dataclass
class _LockFile:
    """One of them."""

    path: str
    tree: SourceTree
    policy: EffectivePolicy
    bench: ToolRunner
    now: datetime
    until: float
    """By the monotonic clock, when to stop."""
    updates: list[DependencyUpdate] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    blind: dict[str, str] = field(default_factory=dict)
    known: dict[str, tuple[Release, ...]] = field(default_factory=dict)
    """By a package's name, what its registry has."""

    def __post_init__(self) -> None:
        self.folder = self.path.rpartition("/")[0]
        self.ecosystem = ecosystem_of(self.tree.text(self.path), self.path)
        assert self.policy.target.dependencies is not None  # noqa: S101  # its lock files are looked at
        self.chosen: DependencyPolicy = self.policy.target.dependencies
        self.age = timedelta(days=self.chosen.minimum_age_days)

    @property
    def within(self) -> ToolRunner:
        """What is left of the time is the most that a command may take."""
        limits = self.bench.limits
        left = max(1.0, self.until - time.monotonic())
        return replace(self.bench, limits=replace(limits, seconds=min(limits.seconds, left)))

    def look(self) -> None:
        """Read, settle, audit, ask, try: whatever fails of it is said."""
        if self.path not in self.tree.files:
            self.blind[f"{self.path} itself"] = "it is not in the tree, or is no ordinary file of the project's own"
            return
        try:
            self.locked = packages(self.ecosystem, self.tree.text, self.path)
            settled = made_by(
                (self.ecosystem.settle(self.folder),), self.tree, self.chosen.files(self.path), self.within
            )
        except (Unreadable, EnvironmentUnavailable) as problem:
            self.blind[f"{self.path} itself"] = _first(problem)
            return
        except Refused as reason:
            settled = {str(reason): b""}
        if settled:
            how = f"`{' '.join(self.ecosystem.settle(self.folder))}` alone changes {', '.join(sorted(settled))[:200]}"
            self._refuse(MANIFEST, "", "", f"the lock file contradicts its manifest: {how}; bring them together first")
            return
        insecure = self._audited()
        ideas = self._ideas(insecure)
        for package, choice in self._today(ideas, insecure):
            if time.monotonic() > self.until:
                self.waiting.append(f"{package.name} ({self.path})")
                continue
            self._try(package, choice, insecure.get(package.name, ()))

    def _refuse(self, package: str, before: str, after: str, reason: str, **more: object) -> None:
        known = {"lock_file": self.path, "package": package, "before": before, "after": after, "refused": reason}
        self.updates.append(DependencyUpdate.model_validate(known | more))

    def _audited(self) -> dict[str, tuple[Advisory, ...]]:
        try:
            found = self._advisories({})
        except (EnvironmentUnavailable, NotTold) as problem:
            program, message = self.ecosystem.audit(self.folder)[0], _first(problem)
            if "could not start" in message:
                message = f"{program} is not there: let `prepare` install it into /env/bin"
            self.blind[f"known vulnerabilities of {self.path}"] = message
            return {}
        names = {each.name for each in self.locked}
        return {name: tuple(each for each in found if each.package == name) for name in names} if found else {}

    def _advisories(self, changed: Mapping[str, bytes]) -> tuple[Advisory, ...]:
        argv = self.ecosystem.audit(self.folder)
        with copied(self.tree.root) as copy:
            again = SourceTree(copy)
            for path, content in changed.items():
                again.write(path, content)
            if self.ecosystem.kind == "uv":
                lines = [f"{each.name}=={each.version}\n" for each in packages(self.ecosystem, again.text, self.path)]
                beside = copy / self.folder / REQUIREMENTS
                # The repository may have something of that name, a link out of here included.
                remove_tree(beside)
                with beside.open("x") as file:
                    file.writelines(lines)
            bench = self.within
            result = online_of(bench)(argv, copy, bench.limits, bench.alive, expected=_FOUND_SOME)
        if self.ecosystem.silent and not (result.exit_code or result.stdout):
            return ()
        return advisories(argv[0], result.stdout)

    def _ideas(self, insecure: Mapping[str, tuple[Advisory, ...]]) -> list[tuple[Locked, Choice]]:
        """What has something newer, best first; majors are said at once."""
        wanted = [each for each in self.locked if insecure.get(each.name) or each.direct]
        wanted.sort(key=lambda each: (not insecure.get(each.name), each.name))
        if (rest := len(wanted) - _MOST_ASKED) > 0:
            self.blind[f"releases of {counted(rest, 'package')} in {self.path}"] = "more than one look asks for"
        self._releases(wanted[:_MOST_ASKED])
        ideas, majors = list[tuple[Locked, Choice]](), 0
        for each in wanted:
            releases = self.known.get(each.name, ())
            choice = choose(each.version, releases, self.now, self.age, insecure=bool(insecure.get(each.name)))
            if choice.offered:
                ideas.append((each, choice))
            elif choice.majors and majors < _MOST_MAJORS:
                majors += 1
                newest = choice.majors[0]
                text = f"{newest.version} is a major release: what it breaks is for a person to see"
                self._refuse(each.name, each.version, newest.version, text, released=newest.at)
            elif insecure.get(each.name):
                text = "no newer release is there" if each.name in self.known else "its releases could not be asked"
                self._refuse(each.name, each.version, "", text, advisories=insecure[each.name])
        return ideas

    def _releases(self, wanted: Collection[Locked]) -> None:
        missing: dict[str, list[str]] = {}
        for package, answer in self._ask("releases", wanted):
            if answer.problem:
                missing.setdefault(answer.problem, []).append(package.name)
            else:
                self.known[package.name] = tuple(Release(name, _at(at), back) for name, at, back in answer.releases)
        for problem, names in missing.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004  # named
            self.blind[f"releases of {', '.join(names[:3])}{more} ({self.path})"] = problem

    def _ask(self, what: str, wanted: Collection[Locked]) -> Iterator[tuple[Locked, _Answer]]:
        """Each with its answer; where nobody could ask, that is the answer."""
        if not wanted:
            return
        request = {
            "ask": what,
            "kind": self.ecosystem.kind,
            "hosts": self.policy.target.environment.hosts,
            "seconds": self.within.limits.seconds / 2,
            "packages": [each._asdict() for each in wanted],
        }
        with TemporaryDirectory(prefix="registries-") as place:
            file, empty = Path(place, "request.json"), Path(place, "empty")
            file.write_text(json.dumps(request))
            empty.mkdir(mode=0o777)
            mounts = tuple(each for each in self.bench.programs.mounts if each[1] == INSIDE)
            argv = (self.bench.programs.python, "-I", "-B", "-X", "utf8", f"{INSIDE}/registries.py", _REQUEST)
            bench = self.within
            run = partial(online_of(bench), argv, empty, bench.limits, bench.alive)
            try:
                answers = _ANSWERS.validate_json(run(shown=(*mounts, (file, _REQUEST))).stdout)
            except (EnvironmentUnavailable, ValidationError) as problem:
                told = _first(problem) if isinstance(problem, EnvironmentUnavailable) else "the answers cannot be read"
                answers = {}
                nothing = _Answer(problem=told)
            else:
                nothing = _Answer(problem="it was not answered")
        yield from ((each, answers.get(f"{each.name} {each.version}", nothing)) for each in wanted)

    def _today(
        self, ideas: list[tuple[Locked, Choice]], insecure: Mapping[str, tuple[Advisory, ...]]
    ) -> list[tuple[Locked, Choice]]:
        """Those to try now: what is insecure first, then in turns from day to day, so that nothing blocks the rest."""
        first = [each for each in ideas if insecure.get(each[0].name) or self._taken_back(each[0])]
        rest = [each for each in ideas if each not in first]
        rest.sort(key=lambda each: (each[1].offered[0].at or self.now, each[0].name))
        room = max(0, _MOST_TRIED - len(first))
        if len(rest) > room:
            start = self.now.toordinal() * max(1, room) % len(rest)
            rest = rest[start:] + rest[:start]
        self.waiting = [f"{each.name} ({self.path})" for each, _ in rest[room:] + first[_MOST_TRIED:]]
        return first[:_MOST_TRIED] + rest[:room]

    def _taken_back(self, package: Locked) -> bool:
        return any(each.version == package.version and each.taken_back for each in self.known.get(package.name, ()))

    def _try(self, package: Locked, choice: Choice, found: tuple[Advisory, ...]) -> None:
        """Make it twice, judge all that it changes, and audit it again; of several the first that is well."""
        tried = list[DependencyUpdate]()
        for release in choice.offered:
            update = DependencyUpdate(
                lock_file=self.path,
                package=package.name,
                before=package.version,
                after=release.version,
                released=release.at,
                advisories=found,
                taken_back=self._taken_back(package),
                # A day, not a moment: a run of the same day says and does the same.
                commands=self.ecosystem.update(
                    self.folder,
                    package,
                    release.version,
                    (self.now + timedelta(days=1) if found else self.now - self.age).date(),
                ),
            )
            try:
                tried.append(self._tried(update))
            except (Refused, Unreadable, NotTold, EnvironmentUnavailable) as reason:
                tried.append(update.model_copy(update={"refused": _first(reason)}))
            if not tried[-1].refused:
                break
        self.updates.append(tried[-1])

    def _tried(self, update: DependencyUpdate) -> DependencyUpdate:
        allowed = self.chosen.files(self.path)
        made = made_by(update.commands, self.tree, allowed, self.within)
        if made != made_by(update.commands, self.tree, allowed, self.within):
            raise Refused("on the same tree it made something else the second time")

        def read(path: str) -> str:
            return made[path].decode("utf-8", "replace") if path in made else self.tree.text(path)

        # Before any registry is asked about what would come.
        if anew := written_anew(self.tree.text(self.path), read(self.path)):
            how = f"{update.commands[0][0]} writes anew what this update leaves alone ({anew})"
            raise Refused(f"{how}: another version of it wrote the lock file; let `prepare` install that one")
        changes = self._changes(packages(self.ecosystem, read, self.path))
        insecure = bool(update.advisories)
        ours = next((each for each in changes if each.package == update.package), None)
        reason = objection(changes, self.now, self.age, insecure=insecure)
        fixed = list[str]()
        if not reason and ours is None:
            reason = f"it changes other packages, and not {update.package}"
        if not reason and insecure:
            left = {each.identifier for each in self._advisories(made) if each.package == update.package}
            fixed = [each.identifier for each in update.advisories if each.identifier not in left]
            reason = "" if fixed else f"{update.after} ends none of {', '.join(sorted(left))[:200]}"
        return update.model_copy(
            update={
                "after": ours.after if ours else update.after,
                "released": ours.released if ours else update.released,
                "made": {} if reason else {path: digest_of(content).hex() for path, content in made.items()},
                "changes": changes,
                "fixed": tuple(fixed),
                "refused": reason,
            }
        )

    def _changes(self, after: tuple[Locked, ...]) -> tuple[PackageChange, ...]:
        """What differs between two lists of a lock file, with what each version says of itself."""
        was, becomes = ({(one.name, one.version): one for one in each} for each in (self.locked, after))
        gone, new = (
            [found[key] for key in sorted(found.keys() - other.keys())]
            for found, other in ((was, becomes), (becomes, was))
        )
        if len(gone) + len(new) > 2 * _MOST_CHANGES:
            raise Refused(f"it changes {counted(max(len(gone), len(new)), 'package')}: no idea of one pull request")
        self._releases([each for each in new if each.name not in self.known])
        answers = {(each.name, each.version): answer for each, answer in self._about([*gone, *new])}
        about = {
            key: Said(licence=answer.licence, text=answer.text, notes=answer.notes)
            for key, answer in answers.items()
            if not answer.problem
        }
        changes = list[PackageChange]()
        for name in dict.fromkeys(each.name for each in (*gone, *new)):
            befores = [each.version for each in gone if each.name == name]
            afters = [each.version for each in new if each.name == name]
            for at in range(max(len(befores), len(afters))):
                before, version = (each[at] if at < len(each) else "" for each in (befores, afters))
                unsaid = [answers[name, each].problem for each in (before, version) if each]
                release = next((each for each in self.known.get(name, ()) if each.version == version), None)
                changes.append(
                    PackageChange(
                        package=name,
                        before=before,
                        after=version,
                        said_before=about.get((name, before)),
                        said_after=about.get((name, version)),
                        unsaid=next(filter(None, unsaid), ""),
                        released=release.at if release else None,
                        taken_back=bool(release and release.taken_back),
                    )
                )
        return tuple(changes)

    def _about(self, wanted: list[Locked]) -> Iterator[tuple[Locked, _Answer]]:
        """What each says of itself, or why it cannot be told.

        Raises:
            Refused: a registry gives other bytes than the lock file says.
        """
        for package, answer in self._ask("about", wanted):
            if answer.problem.startswith("other bytes"):
                raise Refused(f"the registry gives {answer.problem} for {package.name} {package.version}")
            yield package, answer


def _at(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _first(problem: Exception) -> str:
    return shortened(str(problem).partition("\n")[0], 400)

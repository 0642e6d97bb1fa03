"""The first check environment of a repository that can be made: as declared, with the owner's fixers, or with less."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from composition import HOOKS, LFS_NOTE, SUBMODULES_NOTE, OwnersFixers, Survey, equipped, lesser, without_itself
from policies.counted import joined, shortened
from policies.settings.environment import EnvironmentPolicy
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable

_NO_WHEEL = re.compile(r"you require ([A-Za-z0-9._-]*[A-Za-z0-9])")
"""How uv names the requirement of ours that leads to a package without a wheel."""
_FROM_ELSEWHERE: dict[str, tuple[str, dict[str, Any], str]] = {
    "submodules": ("Submodules are not checked out", {"submodules": False, "git_hosts": ()}, SUBMODULES_NOTE),
    "lfs": ("Files in git LFS are not fetched", {"lfs": False}, LFS_NOTE),
}
"""By setting: what is said where it cannot be had, what stands for it then, how the note begins that proposed it."""


class Furnishing(ABC):
    """Tries one after the other; what it left out, and why, is in the survey's notes."""

    def __init__(self, tell: Callable[[str], None], log: Path) -> None:
        self._tell = tell
        self._log = log

    @abstractmethod
    def _policy(self, name: str, text: str) -> EffectivePolicy:
        """Of a target file's text."""

    @abstractmethod
    def _made(self, policy: EffectivePolicy) -> CheckEnvironment:
        """The environment that a policy asks for.

        Raises:
            EnvironmentUnavailable: it cannot be made.
        """

    def furnish(
        self, seen: Survey, name: str, render: Callable[[Survey], str]
    ) -> tuple[Survey, EffectivePolicy, CheckEnvironment]:
        """The first environment that can be made: with the owner's fixers' programs where those can be had.

        Raises:
            EnvironmentUnavailable: not even the least of them.
        """
        if seen.environment.prepare:
            return self._plain(seen, name, render)
        # Wheels are quickly unpacked again, and what of the declared can be had at all is known first.
        made = self._plain(replace(seen, owners=OwnersFixers()), name, render)
        seen = replace(made[0], owners=seen.owners)
        while seen.owners.packages:
            try:
                policy = self._policy(name, render(chosen := _equipped(seen)))
                return chosen, policy, self._made(policy)
            except EnvironmentUnavailable as problem:
                seen = self._less(seen, seen.owners.named_in(str(problem)), problem)
        return seen, made[1], made[2]

    def _less(self, seen: Survey, out: tuple[str, ...], problem: EnvironmentUnavailable) -> Survey:
        """Without these fixers, and with a note why."""
        told = f"{joined(out)} cannot be had in the check environment, so left out: {cause(problem)}"
        self._tell(told)
        fixers = tuple(each for each in seen.fixers if each.name not in out)
        return replace(seen, owners=seen.owners.without(out), fixers=fixers, notes=(*seen.notes, told))

    def _plain(
        self, seen: Survey, name: str, render: Callable[[Survey], str]
    ) -> tuple[Survey, EffectivePolicy, CheckEnvironment]:
        """As declared, without what has no wheel, without a build, with less."""
        refused: list[str] = []
        chosen = list(_environments(seen.environment))
        while chosen:
            candidate = _equipped(replace(seen, environment=chosen[0]))
            policy = self._policy(name, render(candidate))
            try:
                return candidate, policy, self._made(policy)
            except EnvironmentUnavailable as problem:
                if seen.owners.packages and HOOKS in str(problem).partition("\n")[0]:
                    seen = self._less(seen, tuple(seen.owners.packages), problem)
                    continue
                refused.append(str(problem))
                self._keep_log(str(problem))
                if problem.setting and getattr(candidate.environment, problem.setting):
                    failed, without_it, note = _FROM_ELSEWHERE[problem.setting]
                    told = f"{failed}: {cause(problem)}. A check that needs one fails."
                    self._tell(told)
                    chosen = [each.model_copy(update=without_it) for each in chosen]
                    notes = (each for each in seen.notes if not each.startswith(note))
                    seen = replace(seen, notes=(*notes, told))
                    continue
                self._tell(f"no environment as declared; tried with less (all of it: {self._log}): {cause(problem)}")
                without = set(_NO_WHEEL.findall(str(problem))) - set(candidate.environment.without)
                if without:
                    chosen = [each.model_copy(update={"without": (*each.without, *sorted(without))}) for each in chosen]
                else:
                    del chosen[0]
        raise EnvironmentUnavailable(refused[-1])

    def _keep_log(self, refusal: str) -> None:
        """Behind the others: the first is why what was wanted most is not what there is."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{refusal}\n\n")


def _equipped(seen: Survey) -> Survey:
    return replace(seen, environment=equipped(seen.environment, seen.owners, seen.python))


def _environments(declared: EnvironmentPolicy) -> Iterator[EnvironmentPolicy]:
    yield declared
    if declared.prepare:
        yield from filter(None, (lesser(declared), without_itself(declared)))
        return
    if declared.build:
        yield declared.model_copy(update={"build": False})
    if declared.requirements or declared.extras or declared.groups:
        yield declared.model_copy(update={"requirements": (), "extras": (), "groups": (), "build": False})
    yield declared.model_copy(
        update={"requirements": (), "extras": (), "groups": (), "packages": ("pytest",), "build": False}
    )


def cause(problem: EnvironmentUnavailable) -> str:
    """What the installer or the build said, without our advice before it and its hints behind; of `prepare`, ours."""
    if problem.setting or str(problem).startswith("`prepare`"):
        return shortened(str(problem).partition("\n")[0], 500)
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    causes = [line for line in lines if line.lower().startswith(("cause:", "error:", "├─▶", "╰─▶"))]
    return shortened((causes or lines[-1:] or ["no reason given"])[-1], 500)

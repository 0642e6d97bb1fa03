"""Whether the CI of a target's forge can ever say yes: looked at by ``init`` and ``doctor`` before a run waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from contracts.forge_facts import AccessFinding, CheckState, CommitCheck
from policies.release.ci import awaits_a_runner
from policies.settings.schema import Target

_WORKFLOWS = (".gitea/workflows/", ".forgejo/workflows/", ".github/workflows/")
_NAMED = 5


@dataclass(frozen=True)
class CiSight:
    """What the forge and the base show."""

    target: Target
    demanded: tuple[str, ...]
    """By branch protection; names or patterns."""
    reported: tuple[CommitCheck, ...]
    """On the base, or else on the last commit before it of which CI said anything."""
    paths: tuple[str, ...]
    """Files of the base."""


def look_at_ci(sight: CiSight) -> Iterator[AccessFinding]:
    """One finding for each thing that keeps CI from ever saying yes, with the one cure that helps; else a good one.

    Rules: a job that no runner takes · workflows, and no word of CI · a required check that never reported.
    """
    target, base = sight.target, sight.target.base_branch
    heard = [check for check in sight.reported if check.state is not CheckState.MISSING]
    workflows = [path for path in sight.paths if path.startswith(_workflow_folders(target))]
    bad = False
    if queued := [check.name for check in heard if awaits_a_runner(check)]:
        bad = True
        cure = "register a runner with the label that the job asks for, or start it"
        yield _finding(f"no runner takes {_few(queued)} on {base}", cure)
    if workflows and not heard:
        bad = True
        cure = "turn on Actions for the repository and register a runner, or take the workflow away"
        yield _finding(f"{base} has {_few(workflows)}, and no check ever reported", cure)
    for names, place in (
        (target.ci.required, f"[ci] required of targets/{target.name}.toml"),
        (tuple(name for name in sight.demanded if name not in target.ci.required), f"the protection of {base}"),
    ):
        if never := [name for name in names if not any(_means(name, check.name) for check in heard)]:
            bad = True
            yield _finding(
                f"{_few(never)} never reported on {base}, and {place} wants it",
                f"let CI report it on pushes to {base}, or take it out of {place}",
            )
    if not bad:
        wanted = dict.fromkeys([*sight.demanded, *target.ci.required])
        counts = [check.name for check in heard if not _among(check.name, target.ci.ignore)]
        plain = f"nothing is required by name, so these count: {_few(counts)}" if counts else "no CI: none is awaited"
        yield AccessFinding(name="ci", ok=True, detail=f"required: {_few(list(wanted))}" if wanted else plain)


def _workflow_folders(target: Target) -> tuple[str, ...]:
    # Gitea and Forgejo read GitHub's folder, too.
    return _WORKFLOWS[2:] if target.forge == "github" else _WORKFLOWS


def _finding(detail: str, cure: str) -> AccessFinding:
    return AccessFinding(name="ci", ok=False, detail=detail, remedy=cure)


def _means(wanted: str, name: str) -> bool:
    return name == wanted or fnmatchcase(name, wanted)


def _among(name: str, patterns: tuple[str, ...]) -> bool:
    return any(_means(pattern, name) for pattern in patterns)


def _few(names: list[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest

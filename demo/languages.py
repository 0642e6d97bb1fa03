"""``python -m demo.languages``: the loop on a real package each of Python, JavaScript, Go and Rust.

Of each, its own tests are green in the sandbox, offline, and its own fixer makes the change of the pull request.
"""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from commands.exit_statuses import Exit
from commands.leaving import leave
from commands.report import KeptRun, kept_run
from commands.terminal import say, show
from composition import compose
from contracts.evidence import CheckStatus
from contracts.modes import RunStatus
from demo.__main__ import perform
from demo.registries import Released, fetch
from demo.repository import diffstat
from demo.source_distribution import FetchFailed
from demo.staging import DOWNLOADS, ended, fresh, introduced
from settings import Settings

_TESTS = "tests"
_OWN = frozenset({"fixer", "dependencies"})
"""The tools by which a repository's own programs change it: its fixers, and the command of its lock file."""
PROGRAMS: Mapping[str, tuple[str, str]] = {
    "JavaScript": ("npm", "Node (18 or newer)"),
    "Go": ("go", "Go (1.21 or newer)"),
    "Rust": ("cargo", "Rust with cargo, rustfmt and clippy"),
}
"""What a machine needs for a language beside Python: the program, and how it is called."""


PACKAGES = {
    "aiofiles": Released(
        "Python", "aiofiles", "24.1.0", "22a075c9e5a3810f0c2e48f3008c94d68c65d763b9b03857924c99e57355166c"
    ),
    "simple-concat": Released(
        "JavaScript", "simple-concat", "1.0.1", "6afccb749cab9f33158ad30a51797a8e7e7b4cc7e09151d5537c6dcd8882763e"
    ),
    "go-shellwords": Released(
        "Go",
        "github.com/mattn/go-shellwords",
        "v1.0.12",
        "6d35c3edc92e47a06988788d683c1ad389719b55ef19d5a7f239ab4708b6da11",
    ),
    "tabwriter": Released(
        "Rust", "tabwriter", "1.2.1", "36205cfc997faadcc4b0b87aaef3fbedafe20d38d4959a7ca6ff803564051111"
    ),
}
"""By the target's name. Each has something to mend by a program that it pins, selects, or that its language brings."""


def missing(which: Callable[[str], str | None] = shutil.which) -> dict[str, str]:
    """What this machine lacks, by language."""
    return {language: called for language, (program, called) in PROGRAMS.items() if which(program) is None}


async def perform_one(settings: Settings, target: str, work: Path) -> str:
    """From the registry to the pull request; empty, or what did not hold."""
    released = PACKAGES[target]
    say(f"{released.registry}: fetching {released}; nothing of it is executed", "bold")
    folder = fetch(released, DOWNLOADS, work / target)
    remote = introduced(settings, folder, target, f"{released} as released", "make demo-languages")
    last = (await perform(settings, target))[-1]
    kept = kept_run(compose(settings), last.run_id)
    if last.status is not RunStatus.PR_OPENED or last.pull_request is None or kept is None:
        return f"ended {last.status}: {last.reason}"
    show(diffstat(remote, last.pull_request.branch))
    show(f"report  file://{last.report}")
    return unproven(kept)


def unproven(kept: KeptRun) -> str:
    """What a pull request lacks of what this demo shows; empty: nothing."""
    if kept.contract is None or kept.contract.tool not in _OWN:
        return "its pull request is of no program of its own"
    of_tests = [each for each in kept.checks.results if each.name.startswith(_TESTS)] if kept.checks else []
    if not of_tests or any(each.status is not CheckStatus.GREEN for each in of_tests):
        return "its own tests were not green in the sandbox"
    say(f"{kept.contract.title}: made by its own {kept.contract.rule}, its own tests are green", "green")
    return ""


def conclude(failed: Mapping[str, str], lacking: Mapping[str, str]) -> Exit:
    """A line for each language; the status says whether each was shown."""
    show("")
    for language in (each.registry for each in PACKAGES.values()):
        if language in lacking:
            say(f"{language}: left out, {lacking[language]} is missing: install it, then again", "yellow")
        else:
            say(f"{language}: {failed.get(language) or 'shown'}", "red" if failed.get(language) else "green")
    if failed:
        return Exit.FAILED
    return Exit.TROUBLE if lacking else Exit.OK


async def _perform(settings: Settings, work: Path, lacking: Mapping[str, str]) -> dict[str, str]:
    failed = {}
    for target, released in PACKAGES.items():
        if released.registry in lacking:
            continue
        try:
            problem = await perform_one(settings, target, work)
        except FetchFailed as trouble:
            problem = str(trouble)
        if problem:
            failed[released.registry] = problem
    return failed


def main() -> Exit:
    """Demo from start to end; its exit status."""
    folder = fresh("demo-languages")
    lacking = missing()
    failed = asyncio.run(
        _perform(Settings(home=folder / "home", policies=folder / "policies"), folder / "work", lacking)
    )
    return conclude(failed, lacking)


if __name__ == "__main__":
    leave(ended(main))

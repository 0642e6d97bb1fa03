"""Whether tests really ran (P18): what did not run, or ran nothing, is said first and never counts as covered."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult, ChecksReport, CheckStatus, FailedCheck
from contracts.modes import RunStatus
from contracts.task import StateSnapshot
from policies.counted import counted, joined, shortened
from policies.settings.schema import CheckKind

ONLY_COMPILES = frozenset({"compileall", "py_compile", "true", ":", "echo"})
"""As a program, or as the module after ``-m``: whatever the check is called, nothing of the code runs."""
RAN_NOTHING = re.compile(
    # pytest, where everything was skipped or left out: no "passed" in the last line
    r"^=*[ \t]*(?:no tests ran|(?:\d+ (?:skipped|deselected|xfailed|warnings?)(?:, )?)+) in [\d.]+s"
    # unittest
    r"|^Ran 0 tests? in |^OK \(skipped=(?P<skipped>\d+)\)$"
    # node, jest, vitest, mocha
    r"|^\S tests 0$|^No tests? (?:files? )?found|^[ \t]*0 passing\b",
    re.MULTILINE,
)
RAN_SOME = re.compile(
    r"\b[1-9]\d* passed\b|^ok\s+\S+\s+(?!.*\[no tests? )|^running [1-9]\d* tests?$|^[ \t]*[1-9]\d* passing\b",
    re.MULTILINE,
)
_PYTEST_RAN = re.compile(r"\b[1-9]\d* x?passed\b|^(?=[sxX]*\.)[.sxX]+(?: *\[ *\d+%\])?$|\bPASSED\b", re.MULTILINE)
"""It says so in one way or another, however quiet it is asked to be, unless something ended it before."""
NOTHING_TO_RUN = re.compile(r"\[no tests? (?:files|to run)\]|^running 0 tests$", re.MULTILINE)
"""go and cargo say it for each package."""


FILES_NAMED = 5
"""In a sentence; the artifact has all."""
_ENDED = {
    CheckStatus.GREEN: "is green",
    CheckStatus.RED: "is red",
    CheckStatus.FLAKY: "was red, then green, on the same commit",
    CheckStatus.TIMEOUT: "ran out of time",
    CheckStatus.INFRASTRUCTURE: "could not be run",
}

COMMAND = 60
"""Characters of a check's command where it is named."""


def how_it_ended(result: CheckResult) -> str:
    """``check tests is red: 3 failed``: a sentence for a verdict's reason."""
    detail = result.attempts[-1].detail if result.attempts else ""
    return f"check {result.name} {_ENDED[result.status]}" + (f": {detail}" if detail else "")


def runs_tests(kind: str, argv: Sequence[str]) -> bool:
    """Whether a check is one that could run tests."""
    words = [word.rsplit("/", 1)[-1] for word in argv]
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else (words or [""])[0]
    return kind == CheckKind.TESTS and module not in ONLY_COMPILES


def ran_nothing(output: str, argv: Sequence[str] = ()) -> bool:
    """Whether a test runner that was content says itself that it ran no test; pytest must say that it ran some."""
    if any(word.rpartition("/")[2] in {"pytest", "py.test"} for word in argv):
        return _PYTEST_RAN.search(output) is None
    if RAN_SOME.search(output):
        return False
    found = RAN_NOTHING.search(output)
    if found and found["skipped"]:
        total = re.search(r"^Ran (\d+) tests? in ", output, re.MULTILINE)
        return total is not None and total[1] == found["skipped"]
    return found is not None or NOTHING_TO_RUN.search(output) is not None


def covered_by_tests(results: Sequence[CheckResult]) -> bool:
    """Whether a check that runs tests was green, and ran some."""
    return any(_green(result) and _ran(result) for result in results)


def no_tests(checks: ChecksReport) -> str:
    """What to say first where no tests ran; empty where they did, whatever they said."""
    answered = (CheckStatus.GREEN, CheckStatus.RED, CheckStatus.FLAKY)
    if any(result.status in answered and _ran(result) for result in checks.results):
        return ""
    idle = [result.name for result in checks.results if _idle(result)]
    if idle:
        return f"No tests ran: {', '.join(idle)} found none to run."
    green = [_told(each) for each in checks.results if _green(each)]
    return f"No tests ran, only {joined(green)}." if green else "No tests ran, nor did anything else."


def _told(result: CheckResult) -> str:
    """By its name; what is called a test and is none, with its command."""
    command = f" ({shortened(' '.join(result.argv), COMMAND)})" if result.kind == CheckKind.TESTS else ""
    return f"{result.name}{command}"


def unseen(snapshot: StateSnapshot) -> tuple[str, ...]:
    """Which tools could not look, then which files nobody could look at: a line each, of many files the first few."""
    tools, reasons = defaultdict[str, list[str]](list), dict[str, str]()
    for each in snapshot.unread:
        tools[each.path].append(each.tool)
        reasons.setdefault(each.path, each.reason)
    lines = [f"{path}: {reason} ({', '.join(tools[path])})" for path, reason in reasons.items()]
    more = len(lines) - FILES_NAMED
    rest = [f"{counted(more, 'more file')}, named in state_snapshot.json"] if more > 0 else []
    return (*snapshot.missing, *lines[:FILES_NAMED], *rest)


def cautions(checks: ChecksReport | None, unseen: Sequence[str]) -> tuple[str, ...]:
    """One sentence for each thing to be read first.

    Args:
        checks: None where the run ended before them.
        unseen: what could not be looked at, a line each.
    """
    untested = no_tests(checks) if checks else ""
    return (*([untested] if untested else ()), *(f"Could not look: {each.rstrip('.')}." for each in unseen))


def _green(result: CheckResult) -> bool:
    return result.status is CheckStatus.GREEN


def _ran(result: CheckResult) -> bool:
    return runs_tests(result.kind, result.argv) and not _idle(result)


def _idle(result: CheckResult) -> bool:
    return bool(result.attempts) and result.attempts[-1].ran_nothing


# What a report says of checks that are not green (runbook §6.2), and what of it makes two failures the same.

_FIRST, _LAST, _WIDTH = 5, 15, 300
_SIGNIFICANT = 20
_COMPLAINT = re.compile(
    r"\b(fail(ed|ure|ures)?|errors?|exception|assert\w*|traceback|expected)\b|\w(Error|Exception)\b", re.IGNORECASE
)
# In this order: what a later pattern would take apart goes first.
_PASSING = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"(/private)?(/var)?/(tmp|dev/shm|var/folders)/[^\s:'\"]*"), "<folder>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", re.IGNORECASE), "<digest>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?\S*)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?([.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b\d+([.,]\d+)?(?=\s?(s|ms|us|ns|m|h|min|sec(onds?)?|minutes?|hours?)?\b)"), "<number>"),
    (re.compile(r"[=\-_.*]{3,}"), ""),
    (re.compile(r"\s+"), " "),
)

ReadOutput = Callable[[ArtifactRef], bytes | None]
"""An attempt's output; None when it cannot be read any more."""


def failed_checks(
    status: RunStatus, merged: ChecksReport | None, base: ChecksReport | None, read: ReadOutput
) -> tuple[FailedCheck, ...]:
    """Every check of the merge result that is not green; of the base, the required ones that refused the run."""
    if merged is not None:
        return tuple(_shown(result, "merge", read) for result in merged.results if _failed(result))
    if base is None or status is not RunStatus.REFUSED:
        return ()
    return tuple(_shown(result, "base", read) for result in base.results if result.required and _failed(result))


def complaints(output: bytes) -> tuple[str, ...]:
    """The lines of an output that tell this failure from others: no times, folders, addresses, numbers.

    Without a line that reads like a complaint, the last ones. Sorted, each once: order and number may vary.
    """
    lines = [passing(line) for line in _lines(output)]
    lines = [line for line in lines if line]
    chosen = [line for line in lines if _COMPLAINT.search(line)] or lines[-_LAST:]
    return tuple(sorted(set(chosen))[:_SIGNIFICANT])


def passing(line: str) -> str:
    """A line without what differs between two runs of the same failure."""
    for pattern, instead in _PASSING:
        line = pattern.sub(instead, line)
    return line.strip()


def first_complaint(output: bytes) -> str:
    """The first line that reads like a complaint, else the last line there is."""
    lines = [line.strip() for line in _lines(output) if line.strip()]
    return next((line for line in lines if _COMPLAINT.search(line)), lines[-1] if lines else "")


def _failed(result: CheckResult) -> bool:
    return result.status is not CheckStatus.GREEN


def _shown(result: CheckResult, tree: str, read: ReadOutput) -> FailedCheck:
    last = result.attempts[-1] if result.attempts else None
    # A flaky check ends green: what it said when it was red is what is of interest.
    told = next((each for each in reversed(result.attempts) if each.status is not CheckStatus.GREEN), last)
    ref = told.output if told else None
    body = read(ref) if ref else b""
    lines = ["(its output cannot be read any more)"] if body is None else _lines(body)
    lines = [line[:_WIDTH] for line in lines]
    return FailedCheck.model_validate(
        {
            "name": result.name,
            "kind": result.kind,
            "tree": tree,
            "required": result.required,
            "status": result.status,
            "exit_code": told.exit_code if told else None,
            "seconds": told.seconds if told else 0.0,
            "attempts": len(result.attempts),
            "detail": told.detail if told else "it did not run",
            "first_lines": lines[:_FIRST],
            "last_lines": lines[_FIRST:][-_LAST:],
            "output": ref.name if ref else "",
        }
    )


def _lines(output: bytes) -> list[str]:
    text = output.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return [line.rstrip() for line in text.splitlines() if line.strip()]

"""What a failed `prepare` means, and what to do about it."""

import re
import time

from adapters.environments.allow_list import AllowListProxy
from policies.counted import counted, shortened
from policies.paths.canonical import readable
from ports.sandbox import CommandResult

_TAIL = 3000
_NOT_STARTED = (126, 127)
_OTHER_BYTES = (
    r"checksum mismatch|EINTEGRITY|SECURITY ERROR|DO NOT MATCH THE HASHES|hash mismatch"
    r"|[Cc]hecksum .*(changed|verif)|Integrity check failed|doesn't match the expected checksum"
)
_CONTRADICTS = (
    r"in sync|[Ll]ockfile doesn't satisfy"
    r"|lock ?file .{0,80}(needs to be updated|is not up to date|out of date|cannot be updated)|--locked"
    r"|updates to go\.mod needed|missing go\.sum entry|ERR_PNPM_OUTDATED_LOCKFILE|changed significantly"
    r"|lockfile would have been modified"
)
_ANOTHER = (
    r"requires go >= |requires rustc |requires a different Python|(error|ERR!) code EBADENGINE"
    r"|engine \"node\" is incompatible|ERR_PNPM_UNSUPPORTED_ENGINE"
)
_GONE = r"\bE?404\b|410 Gone|unknown revision|no matching (version|package)|ETARGET|yanked|No matching distribution"
_KINDS = (
    (
        _OTHER_BYTES,
        "what was fetched{from_host} is not what the lock file says{which}: find out why before you change either",
    ),
    (
        _CONTRADICTS,
        "the lock file contradicts the manifest: bring them together on the base",
    ),
    (
        _ANOTHER,
        "the repository asks for another version of a toolchain: show that one by `environment.toolchains`",
    ),
    (
        _GONE,
        "a version that is asked for is not there (any more){which}: choose another in the manifest and the lock file",
    ),
)
_BUSY = re.compile(
    r"429 Too Many|Too Many Requests|\bE429\b|50[234] (Bad Gateway|Service Unavailable|Gateway Time)"
    r"|ETIMEDOUT|ECONNRESET|EAI_AGAIN|ENOTFOUND|[Tt]imed? ?out|spurious network error"
)


_NAMED = re.compile(r"[\w@/.-]*\w(==|@)v?\d[\w.+-]*|`[\w@/. -]+`")
_AROUND = 4
"""Lines, from the one before what tells the kind: there a client names the package."""
_SLOW = 1000
"""Bytes a second."""


def waited(proxy: AllowListProxy, seconds: float) -> tuple[str, bool]:
    """For whom a command waited when it was stopped after ``seconds``, empty: for nobody; and whether they are slow."""
    now = time.monotonic()
    with_rate = [(talk.counts[1] / max(now - talk.begun, 0.1), talk) for talk in tuple(proxy.talks)]
    if with_rate:
        rate, talk = min(with_rate, key=lambda each: each[0])
        sent = counted(talk.counts[1], "byte")
        return f"it was connected to {talk.target}, which had sent {sent} in {now - talk.begun:.0f} s", rate < _SLOW
    if proxy.unreachable:
        host, why = next(iter(proxy.unreachable.items()))
        return f"{host} could not be reached ({why})", True
    last = proxy.last
    if last and seconds / 2 < now - last.ended < seconds:
        return f"it last asked {last.target}, {now - last.ended:.0f} s before: it builds, or was told to wait", False
    return "", False


def _which(output: str, pattern: str) -> str:
    """The package of which a client complains, as it prints it, for the middle of a sentence."""
    lines = output.splitlines()
    at = next((number for number, line in enumerate(lines) if re.search(pattern, line)), 0)
    near = (_NAMED.search(line) for line in lines[max(0, at - 1) : at + _AROUND])
    found = next(filter(None, near), None)
    return f" ({shortened(readable(found[0].strip('`')), 80)})" if found else ""


def how(argv: tuple[str, ...], result: CommandResult) -> str:
    """How a command ended."""
    if result.killed_for:
        return f"was stopped ({result.killed_for}) after {result.seconds:.0f} s"
    if result.exit_code in _NOT_STARTED:
        return f"could not start {argv[0]} (exit {result.exit_code})"
    return f"failed (exit {result.exit_code})" if result.exit_code else f"took {result.seconds:.1f} s"


def explain(step: str, result: CommandResult, proxy: AllowListProxy, minutes: int) -> tuple[str, bool]:
    """The message, and whether it is the network's trouble: nobody's lock file, and it may pass."""
    output = result.output[-_TAIL:].decode(errors="replace").strip()
    unreachable = False
    last = f" from {proxy.last.target}" if proxy.last else ""
    if result.killed_for == "timeout":
        waiting, unreachable = waited(proxy, result.seconds)
        cure = f"it may take {minutes} minutes: raise `environment.minutes`, or let it do less"
        cure = f"{waiting}; {cure}, or try again later" if waiting else cure
    elif result.killed_for:
        cure = f"it took more {result.killed_for} than `sandbox` in the policy allows: let it do less, or raise that"
    elif proxy.refused:
        hosts = ", ".join(list(proxy.refused)[:5])
        cure = f"it asked for {hosts}, which `environment.hosts` does not list: add what is right, mend what is not"
    elif proxy.unreachable:
        host, why = next(iter(proxy.unreachable.items()))
        unreachable = True
        cure = f"the registry could not be reached ({host}: {why}): check network and proxy, and try again later"
    elif result.exit_code in _NOT_STARTED:
        cure = "show the folder that holds it in `environment.toolchains`, or correct the command"
    elif known := next(((words, pattern) for pattern, words in _KINDS if re.search(pattern, output)), None):
        words, pattern = known
        cure = words.format(from_host=last, which=_which(output, pattern))
    elif _BUSY.search(output):
        unreachable = True
        asked = f" ({proxy.last.target})" if proxy.last else ""
        cure = f"the registry{asked} is down, slow or limits the rate: try again later"
    else:
        said = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
        cure = f"it said last: {shortened(readable(said), 200)}; try it on a clean checkout of the base"
    return f"{step}; {cure}\n{output}", unreachable

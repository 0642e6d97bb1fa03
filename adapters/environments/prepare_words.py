"""What a failed `prepare` means, and what to do about it."""

import re

from adapters.environments.allow_list import AllowListProxy
from policies.counted import shortened
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
_GONE = r"\bE?404\b|410 Gone|unknown revision|no matching (version|package)|ETARGET|yanked|No matching distribution"
_KINDS = (
    (
        _OTHER_BYTES,
        "what was fetched is not what the lock file says: find out who changed it before you change the lock file",
    ),
    (
        _CONTRADICTS,
        "the lock file contradicts the manifest: bring them together on the base",
    ),
    (
        _GONE,
        "a version that is asked for is not there (any more): choose another in the manifest and the lock file",
    ),
)
_BUSY = re.compile(
    r"429 Too Many|Too Many Requests|\bE429\b|50[234] (Bad Gateway|Service Unavailable|Gateway Time)"
    r"|ETIMEDOUT|ECONNRESET|EAI_AGAIN|ENOTFOUND|[Tt]imed? ?out|spurious network error"
)


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
    if result.killed_for == "timeout":
        cure = f"it may take {minutes} minutes: raise `environment.minutes`, or let it do less"
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
    elif known := next((words for pattern, words in _KINDS if re.search(pattern, output)), ""):
        cure = known
    elif _BUSY.search(output):
        unreachable = True
        cure = "the registry is down, slow or limits the rate: try again later"
    else:
        last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing")
        cure = f"it said last: {shortened(readable(last), 200)}; try it on a clean checkout of the base"
    return f"{step}; {cure}\n{output}", unreachable

"""The one clock that deadlines of writes are told by."""

import time


def since_boot() -> float:
    """Seconds since this machine booted, those it slept included: Control's clock goes on meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

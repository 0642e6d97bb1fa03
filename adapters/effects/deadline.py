"""The kernel ends this process at a moment, also when the machine slept until after it."""

import ctypes
import os
import signal
import time

_ABSOLUTE = 1
_NANOSECONDS = 1_000_000_000


def die_at(moment: float) -> None:
    """Arm the timer; ``moment`` is one of ``ports.clock.since_boot``. One timer per process: no child inherits it.

    Raises:
        OSError: the kernel has no such timer; whoever asked must not begin.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    # setitimer() would stand still while the machine sleeps. Before glibc 2.34 these were in a library of their own.
    library = ctypes.CDLL(None, use_errno=True)
    library = library if hasattr(library, "timer_create") else ctypes.CDLL("librt.so.1", use_errno=True)
    timer = ctypes.c_void_p()
    whole = int(moment * _NANOSECONDS)
    at = (ctypes.c_long * 4)(0, 0, whole // _NANOSECONDS, whole % _NANOSECONDS)
    failed = library.timer_create(time.CLOCK_BOOTTIME, None, ctypes.byref(timer))
    if failed or library.timer_settime(timer, _ABSOLUTE, at, None):
        number = ctypes.get_errno()
        raise OSError(number, f"the kernel's timer cannot be set: {os.strerror(number)}")

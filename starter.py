"""The command line: ``python starter.py --help``."""

import gc

from commands.app import build_app
from commands.leaving import leave

# A command ends before there is garbage worth a look, and what it imports alone would set off a hundred of them.
gc.set_threshold(50_000)


def main() -> int:
    """Run one command; its exit status."""
    try:
        build_app()(prog_name="starter.py")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    leave(main())

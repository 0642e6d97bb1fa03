"""The command line: ``python starter.py --help``."""

from commands.app import build_app
from commands.leaving import leave


def main() -> int:
    """Run one command; its exit status."""
    try:
        build_app()(prog_name="starter.py")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    leave(main())

"""Who is typing."""

import getpass
import socket


def operator_name() -> str:
    """Goes into audit logs and pauses; a claim, not a proof (docs/operator-guide.md)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's numeric user has no name.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"

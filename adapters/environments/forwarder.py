"""Runs inside the sandbox, which has no network: loopback ports that lead to bind-mounted sockets of ours.

``forwarder.py PORT SOCKET [PORT SOCKET …] [< FILE] -- PROGRAM ARGUMENT…``: the program's exit status is ours; a
signal's is 128 and its number. Without ``< FILE`` it has no standard input. Standard library only.
"""

import contextlib
import socket
import subprocess
import sys
import threading
from pathlib import Path


def forward(port: int, path: str) -> None:
    """Listen, and join each connection to a new one on the socket."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(path)
            except OSError:  # Nobody listens outside any more: the program sees a closed connection.
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the end, and pass the end on."""
    try:
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for either in (source, sink):
            with contextlib.suppress(OSError):
                either.shutdown(socket.SHUT_RDWR)


def main(ways: list[str], program: list[str]) -> int:
    """Forward, run, pass the exit status on."""
    source = "/dev/null"
    if "<" in ways:
        *ways, _, source = ways
    for port, path in zip(ways[::2], ways[1::2], strict=True):
        forward(int(port), path)
    try:
        with Path(source).open("rb") as source_file:
            done = subprocess.run(program, stdin=source_file, check=False)
    except FileNotFoundError as missing:
        print(f"{missing.filename}: not found", file=sys.stderr)  # noqa: T201  # as a shell says it
        return 127
    except PermissionError as refused:
        print(f"{refused.filename}: cannot be started", file=sys.stderr)  # noqa: T201
        return 126
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


if __name__ == "__main__":
    cut = sys.argv.index("--")
    sys.exit(main(sys.argv[1:cut], sys.argv[cut + 1 :]))

"""Output of any size in bounded memory."""


class Capture:
    """Keeps the first and the last half of what is fed to it, and counts all of it."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.total += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > self._half:
            del self._tail[: len(self._tail) - self._half]

    @property
    def kept(self) -> bytes:
        """Head and tail, with a line between them that says what was left out."""
        left_out = self.total - len(self._head) - len(self._tail)
        gap = f"\n[… {left_out} bytes left out …]\n".encode() if left_out else b""
        return bytes(self._head) + gap + bytes(self._tail)


class Beginning:
    """Keeps the beginning only, for output that a program reads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._kept += chunk[: self._limit - len(self._kept)]

    @property
    def kept(self) -> bytes:
        """At most the limit; whoever parses it compares the total first."""
        return bytes(self._kept)

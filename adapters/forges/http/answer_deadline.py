"""A deadline for an answer as a whole: a byte every few seconds satisfies every time-out of a library, for ever."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TOO_SLOW = "no whole answer within the time that one may take"


class AnswerDeadline:
    """Shuts the connections it was shown when the time is over, whatever thread waits for them."""

    def __init__(self) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._shown: list[socket.socket] = []

    def watch(self, connection: socket.socket) -> None:
        """A connection that the answer may come over. Remembered by a copy: TLS takes the original's descriptor."""
        with self._lock:
            self._shown.append(connection.dup())
            if self.over:
                self._shut()

    def end(self) -> None:
        """The time is over: whoever waits gets an error now, and so does who comes later."""
        with self._lock:
            self.over = True
            self._shut()

    def demand(self) -> None:
        """After the answer: it came in time.

        Raises:
            TimeoutError: it did not, so its end may be missing.
        """
        if self.over:
            raise TimeoutError(TOO_SLOW)

    def close(self) -> None:
        """Forget the connections; those who use them go on."""
        with self._lock:
            for connection in self._shown:
                connection.close()
            self._shown.clear()

    def _shut(self) -> None:
        for connection in self._shown:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def answer_within(seconds: float) -> Iterator[AnswerDeadline]:
    """Within the block an answer has so long, from the first word of the request to the last of the body."""
    deadline = AnswerDeadline()
    timer = threading.Timer(seconds, deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        deadline.close()

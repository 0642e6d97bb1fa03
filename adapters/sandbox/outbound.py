"""What a sandbox sent towards other machines: none of it left, but its network counted each try."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

_LARGEST = 1 << 16
_NO_WAY = "OutNoRoutes"


class Outbound:
    """The counters of one network namespace. Held open they tell after its last process, whoever that killed."""

    def __init__(self, network: Path) -> None:
        self._files = [os.open(network / "snmp", os.O_RDONLY | os.O_CLOEXEC)]
        with suppress(OSError):  # A kernel without IPv6.
            self._files.append(os.open(network / "snmp6", os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def of(cls, first: int) -> Self | None:
        """Of the first process at or below this one that has another network than ours; None: there is none.

        What is seen from outside of the sandbox nothing inside can deny.
        """
        waiting = [first]
        while waiting:
            process = Path("/proc") / str(waiting.pop(0))
            with suppress(OSError):  # It ended while we looked, or this machine has no such counters.
                if (process / "ns/net").readlink() != Path("/proc/self/ns/net").readlink():
                    return cls(process / "net")
                for thread in (process / "task").iterdir():
                    waiting += [int(child) for child in (thread / "children").read_bytes().split()]
        return None

    def tries(self) -> int:
        """Connections and datagrams that no way led to, so far: loopback is the only way there is."""
        texts = [os.pread(each, _LARGEST, 0).decode() for each in self._files]
        rows = [line.split() for line in texts[0].splitlines() if line.startswith("Ip:")]
        found = [int(value) for name, value in zip(*rows, strict=True) if name == _NO_WAY]
        found += [int(line.split()[1]) for text in texts[1:] for line in text.splitlines() if _NO_WAY in line]
        return sum(found)

    def close(self) -> None:
        """Let the namespace go."""
        for each in self._files:
            os.close(each)

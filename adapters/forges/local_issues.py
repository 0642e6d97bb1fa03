"""Issues of a target without a forge of its own: a line for each thing that a person said of one, kept for good."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from adapters.store.durable_files import locked_lines
from contracts.forge_facts import Issue
from policies.counted import shortened
from ports.forge import ForgeError

_TITLE, _BODY = 300, 4000


class LocalIssue(Issue):
    """With what became of it."""

    state: Literal["open", "closed"] = "open"


@dataclass(frozen=True)
class LocalIssues:
    """One target's; the newest line of a number counts.

    Args:
        folder: the forge's records of the target.
    """

    folder: Path

    def newest(self) -> tuple[LocalIssue, ...] | None:
        """All of them, newest first; None: nobody ever opened one.

        Raises:
            ForgeError: they cannot be read.
        """
        if not self._file.exists():
            return None
        found: dict[int, LocalIssue] = {}
        try:
            for line in self._file.read_bytes().splitlines():
                issue = LocalIssue.model_validate_json(line)
                found[issue.number] = issue
        except (OSError, ValidationError) as problem:
            raise ForgeError(f"{self._file} cannot be read: {problem}") from problem
        return tuple(found[number] for number in sorted(found, reverse=True))

    def open(self, title: str, body: str, labels: tuple[str, ...], author: str) -> LocalIssue:
        """A new one.

        Raises:
            ForgeError: the others cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked_lines(self._file) as lines:
            number = max((issue.number for issue in self.newest() or ()), default=0) + 1
            issue = LocalIssue(
                number=number,
                title=shortened(title, _TITLE),
                body=shortened(body, _BODY),
                labels=labels,
                author=author,
                updated_at=datetime.now(UTC),
            )
            lines.append([issue.model_dump_json(by_alias=True).encode() + b"\n"])
        return issue

    def close(self, number: int) -> str:
        """Why not, or empty.

        Raises:
            ForgeError: they cannot be read.
        """
        known = {issue.number: issue for issue in self.newest() or ()}
        if number not in known or known[number].state != "open":
            return "there is no open issue of this number"
        closed = known[number].model_copy(update={"state": "closed", "updated_at": datetime.now(UTC)})
        with locked_lines(self._file) as lines:
            lines.append([closed.model_dump_json(by_alias=True).encode() + b"\n"])
        return ""

    @property
    def _file(self) -> Path:
        return self.folder / "issues.jsonl"

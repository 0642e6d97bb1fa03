"""Issues of a target without a forge of its own: a line for each thing that a person said of one, kept for good."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from adapters.store.durable_files import locked_lines
from contracts.forge_facts import Issue, IssueComment
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
        newest = (found[number] for number in sorted(found, reverse=True))
        return tuple(each.model_copy(update={"comments": len(self.comments(each.number))}) for each in newest)

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

    def comments(self, number: int) -> tuple[IssueComment, ...]:
        """What is said below one, oldest first.

        Raises:
            ForgeError: they cannot be read.
        """
        try:
            lines = self._below(number).read_bytes().splitlines()
            return tuple(IssueComment.model_validate_json(line) for line in lines)
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as problem:
            raise ForgeError(f"{self._below(number)} cannot be read: {problem}") from problem

    def say(self, number: int, body: str, author: str, run_key: str = "") -> str:
        """Below an open one, by a person, or with ``run_key`` by us; why not, or empty.

        Raises:
            ForgeError: they cannot be read.
        """
        if not any(issue.number == number and issue.state == "open" for issue in self.newest() or ()):
            return "there is no open issue of this number"
        # Whoever types on this machine may do anything here.
        comment = IssueComment(author=author, body=shortened(body, _BODY), writes=not run_key, run_key=run_key)
        with locked_lines(self._below(number)) as lines:
            lines.append([comment.model_dump_json(by_alias=True).encode() + b"\n"])
        return ""

    def _below(self, number: int) -> Path:
        return self.folder / f"issue-{number}.comments.jsonl"

    @property
    def _file(self) -> Path:
        return self.folder / "issues.jsonl"

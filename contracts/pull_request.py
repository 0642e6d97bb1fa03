"""A pull request as any forge shows it."""

from typing import Literal

from contracts.artifact import Contract


class PullRequest(Contract):
    """What we read back from the forge; never what we meant to write."""

    number: int
    branch: str
    base_branch: str
    head_sha: str
    title: str
    body: str
    state: Literal["open", "merged", "closed"]
    url: str
    run_key: str
    """``run_id/step`` of the write that opened it; adoption looks for this."""
    task_id: str | None = None
    merge_sha: str = ""
    """What the base got, where the forge says so; a person may have squashed."""

    @property
    def run_id(self) -> str:
        """The run (or rollback) that opened it; empty: nobody of us did."""
        return self.run_key.rpartition("/")[0]

"""What a person does with a pull request of the local forge: close it, or merge it as they would with plain git.

No clearance: it is the person's own act, under their name. Our own effects never come this way.
"""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.effects.local_records import change_record, read_comments
from adapters.forges.local import LocalForge, acts_file
from adapters.git.environment import ClosedGit
from adapters.git.merging import merge_tree
from adapters.git.mirror import Mirror
from adapters.git.private import locked
from adapters.git.remotes import advance_base
from adapters.git.transfer import fetch_branch
from adapters.store.durable_files import locked_lines
from contracts.forge_facts import HumanAct, PullComment
from contracts.pull_request import PullRequest
from policies.settings.schema import Target
from ports.repository import Unrelated

_SECONDS = 120.0
_CHECKED_OUT = "(branch is currently checked out)"


@dataclass(frozen=True)
class LocalDesk:
    """One target's pull requests, for the person at the command line.

    Args:
        target: whose.
        folder: the forge's records of it.
        mirror: reaches the remote.
        actor: who is typing.
    """

    target: Target
    folder: Path
    mirror: Mirror
    actor: str

    def forge(self) -> LocalForge:
        """Where they are recorded."""
        return LocalForge(self.folder, self.mirror, self.target.base_branch)

    def diff(self, pull: PullRequest) -> str:
        """What it changes, or changed, as text: from where it left the base, whatever happened there since."""
        tip = self.mirror.fetch_base()
        git = self._fetch(pull)
        base = _fork(git, tip, pull.head_sha)
        if base == pull.head_sha:
            merges = git.run("rev-list", "--ancestry-path", "--merges", "--reverse", f"{pull.head_sha}..{tip}").text
            base = _fork(git, f"{merges.split()[0] if merges else pull.head_sha}^1", pull.head_sha)
        return self.mirror.diff(base, pull.head_sha).decode("utf-8", "replace")

    def comments(self, pull: PullRequest) -> tuple[PullComment, ...]:
        """What is said below it, oldest first."""
        return read_comments(self.folder / "pulls", pull.number)

    def close(self, pull: PullRequest) -> str:
        """Close it without merging; why not, or empty."""
        if pull.state != "open":
            return f"pull request {pull.number} is {pull.state} already"
        change_record(self.folder / "pulls", pull.run_key, look_only=False, state="closed")
        self._note(pull, "closed")
        return ""

    def merge(self, pull: PullRequest) -> str:
        """Merge it into the base with a merge commit; why not, or empty."""
        if pull.state != "open":
            return f"pull request {pull.number} is {pull.state} already"
        base = self.mirror.fetch_base()
        git = self._fetch(pull)
        try:
            tree, conflicts = merge_tree(git, base, pull.head_sha)
        except Unrelated:
            return (
                f"{pull.base_branch} was rewritten since, and has no history in common with it: the next run closes it"
            )
        if conflicts:
            return f"it conflicts with {pull.base_branch} in {', '.join(conflicts[:10])}: merge it by hand"
        parents = ("-p", base, "-p", pull.head_sha)
        message = f"Merge pull request #{pull.number}: {pull.title}\n"
        commit = git.run("commit-tree", tree, *parents, stdin=message.encode(), environment=self._identity()).text
        pushed = advance_base(git, self.target.remote, pull.base_branch, commit, base, _SECONDS)
        if not pushed.accepted:
            return self._refused(pull, pushed.reason)
        self._note(pull, "merged")
        return ""

    def _fetch(self, pull: PullRequest) -> ClosedGit:
        """A person may have pushed onto the branch."""
        git = ClosedGit(self.mirror.path)
        if not self.mirror.holds(pull.head_sha):
            with locked(self.mirror.path / "fetch.lock"):
                fetch_branch(git, self.target.remote, pull.branch)
        return git

    def _refused(self, pull: PullRequest, reason: str) -> str:
        if _CHECKED_OUT not in reason:
            return f"the remote refused: {reason}"
        command = f"git -C {shlex.quote(self.target.remote)} merge --no-ff {shlex.quote(pull.branch)}"
        return (
            f"{pull.base_branch} is checked out in {self.target.remote}, and git moves no branch under a work tree. "
            f"Merge it there: {command}, or use a bare remote"
        )

    def _note(self, pull: PullRequest, act: str) -> None:
        done = HumanAct.model_validate({"actor": self.actor, "act": act, "at": datetime.now(UTC)})
        with locked_lines(acts_file(self.folder, pull.number)) as acts:
            acts.append([done.model_dump_json(by_alias=True).encode() + b"\n"])

    def _identity(self) -> dict[str, str]:
        name, _, host = self.actor.partition("@")
        who = {"NAME": name or self.actor, "EMAIL": f"{name or 'unknown'}@{host or 'localhost'}"}
        return {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in who.items()}


def _fork(git: ClosedGit, tip: str, head: str) -> str:
    """Where ``head`` left the line that ends in ``tip``; ``head`` itself where it is part of it."""
    return git.run("merge-base", tip, head, accept=(0, 1)).text.strip() or tip

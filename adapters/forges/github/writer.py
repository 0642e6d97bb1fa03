"""Writing to a GitHub. Landing: it makes the merge commit, so the base is looked at before, the tree after (P4)."""

import re

from adapters.effects.base_branch import holds, moved, unfit
from adapters.effects.order import EffectOrder
from adapters.forges.github.api import GitHubRepository
from adapters.forges.http.json_api import Reply
from adapters.forges.http.writer import HttpWriter
from contracts.effect import EffectResult
from contracts.pull_request import PullRequest
from ports.forge import ForgeError

# GitHub takes 65536 characters; the mark comes after.
_LONGEST_TEXT = 60_000
_TRY = re.compile(r"\btry\b", re.IGNORECASE)


def write_to_github(order: EffectOrder) -> EffectResult:
    """Do what the order says, or adopt it."""
    return _GitHubWriter(order, GitHubRepository).perform()


class _GitHubWriter(HttpWriter[GitHubRepository]):
    def text(self, text: str) -> str:
        """As much of it as GitHub takes."""
        return super().text(text)[:_LONGEST_TEXT]

    def asks_again(self, reply: Reply) -> bool:
        """In words, too."""
        return super().asks_again(reply) or bool(_TRY.search(reply.said))

    def land(self) -> EffectResult:
        """Look, merge the pull request pinned at ``head_sha``, look again."""
        effect = self.effect
        pull = next(self.repository.pulls_between(effect.base_branch, effect.pull_branch), None)
        if pull is None:
            return EffectResult(done=False, refused=f"there is no pull request from {effect.pull_branch}")
        if pull.head_sha != effect.head_sha:
            reason = f"pull request {pull.number} is at {pull.head_sha}, not at {effect.head_sha}: someone moved it"
            return EffectResult(done=False, refused=reason)
        if pull.state == "merged":
            return self._landed(pull, adopted=True)
        if pull.state == "closed":
            return EffectResult(done=False, refused=f"a person closed pull request {pull.number}")
        if reason := unfit(self.git, self.order) or self._base_moved():
            return EffectResult(done=False, refused=reason)
        if self.order.look_only:
            return EffectResult(done=False)
        words = dict(zip(("commit_title", "commit_message"), effect.commit_message.split("\n\n", 1), strict=False))
        facts = {name: text.strip() for name, text in words.items() if text.strip()}
        place = f"/pulls/{pull.number}/merge"
        reply = self.once(lambda: self.repository.act("PUT", place, sha=effect.head_sha, merge_method="merge", **facts))
        again = self.repository.pull(pull.number)
        if again.state == "merged":
            return self._landed(again, adopted=False)
        if reason := self._base_moved():
            return EffectResult(done=False, refused=reason)
        return self.refused(reply, f"merge pull request {pull.number}")

    def _base_moved(self) -> str:
        effect = self.effect
        found = self.heads().get(effect.base_branch, "")
        if found == effect.expected_old:
            return ""
        if holds(self.git, found, effect.head_sha):
            raise ForgeError(f"the base holds {effect.head_sha}, and GitHub does not show its pull request merged yet")
        return moved(self.order, found)

    def _landed(self, pull: PullRequest, *, adopted: bool) -> EffectResult:
        """With the tree that the base really got: whoever reads another one than was checked must act on it.

        Only the tree is judged. A person may have squashed: another history, and the content that was checked.
        """
        if not pull.merge_sha:
            raise ForgeError(f"GitHub shows pull request {pull.number} merged, and not the commit")
        got = self.repository.commit(pull.merge_sha)
        return EffectResult(done=True, adopted=adopted, result=got.sha, tree_sha=got.tree.sha, pull_request=pull)

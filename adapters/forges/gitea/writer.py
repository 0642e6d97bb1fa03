"""Writing to a Gitea. Landing by pull request: the base becomes exactly the checked commit (``fast-forward-only``).

What happened is read from git, not from the answer: the base's history holds our commit, or it does not (P4, P11).
"""

import contextlib
import re
import time

from adapters.effects.base_branch import holds, landed, moved, unfit
from adapters.effects.order import EffectOrder
from adapters.forges.gitea.api import GiteaRepository
from adapters.forges.http.json_api import Reply
from adapters.forges.http.writer import HttpWriter
from contracts.effect import EffectResult
from contracts.pull_request import PullRequest
from ports.clock import since_boot
from ports.forge import ForgeError

# Gitea makes a draft of a title that begins so.
_DRAFT = re.compile(r"^\s*\[?wip\]?\s*:?", re.IGNORECASE)
_STYLE = "fast-forward-only"
# Gitea looks at a push in its own time: until then it says one of these, or still shows the head before.
_NOT_YET = ("try again", "head out of date")
_PAUSE, _RESERVE = 0.5, 5.0
_SETTLING = 10.0
_HINTS = {
    "merge style": (
        'allow "Fast-forward only" among the merge styles (repository settings, Pull Requests; in the API '
        "allow_fast_forward_only_merge)"
    ),
    "not allowed to merge": "the account needs the right to write, and a place on the branch's merge allowlist, if any",
}


def write_to_gitea(order: EffectOrder) -> EffectResult:
    """Do what the order says, or adopt it."""
    return _GiteaWriter(order, GiteaRepository).perform()


class _GiteaWriter(HttpWriter[GiteaRepository]):
    def title(self, text: str) -> str:
        """One line that neither acts nor makes a draft."""
        return super().title(_DRAFT.sub("", text))

    def land(self) -> EffectResult:
        """Look, merge the pull request pinned at ``head_sha``, look again.

        Raises:
            Unseen: the base is at a commit the mirror lacks.
            ForgeError: could not find out, or the forge was not ready in the clearance's time.
        """
        effect = self.effect
        if reason := unfit(self.git, self.order):
            return EffectResult(done=False, refused=reason)
        if over := self._over(adopted=True):
            return over
        pull = self._pull()
        if pull is None:
            return EffectResult(done=False, refused=f"no pull request from {effect.pull_branch} is open")
        if pull.state != "open":
            return EffectResult(done=False, refused=f"a person {pull.state} pull request {pull.number}")
        if self.order.look_only:
            return EffectResult(done=False)
        doing = f"merge pull request {pull.number}"
        while True:
            # Pinned: a head that moves meanwhile is refused, and so is a base that no longer leads to it.
            reply = self._merge(pull, Do=_STYLE, head_commit_id=effect.head_sha)
            if over := self._over(adopted=False):
                return over
            if reply is not None and not any(words in reply.said.lower() for words in _NOT_YET):
                hint = next((hint for words, hint in _HINTS.items() if words in reply.said), "")
                return self.refused(reply, doing, hint)
            # Asking again is harmless: pinned to one head and one base, it happens once or not at all.
            if since_boot() + _PAUSE > self.order.kill_at - _RESERVE:
                if reply is None:
                    raise self.unclear
                raise ForgeError(self.repository.http.complaint(reply, f"{doing}, which it has not looked at yet"))
            time.sleep(_PAUSE)

    def _merge(self, pull: PullRequest, **content: str) -> Reply | None:
        return self.once(lambda: self.repository.act("POST", f"/pulls/{pull.number}/merge", **content))

    def _over(self, *, adopted: bool) -> EffectResult | None:
        """How it ended, if git shows an end: landed, or base or head are somewhere else."""
        effect, heads = self.effect, self.heads()
        now = heads.get(effect.base_branch, "")
        if holds(self.git, now, effect.head_sha):
            self._ended()
            return landed(self.git, self.order, adopted=adopted)
        if now != effect.expected_old:
            return EffectResult(done=False, refused=moved(self.order, now), result=now)
        head = heads.get(effect.pull_branch, "")
        if head != effect.head_sha:
            reason = f"the head moved: {effect.pull_branch} is at {head or 'nothing'}, not at {effect.head_sha}"
            return EffectResult(done=False, refused=f"{reason}: someone moved it", result=now)
        return None

    def _ended(self) -> None:
        """Gitea writes down last that a pull request is merged: hung up on, it moves the base and shows it open.

        It is given time; then it is marked as merged where the repository allows that. Never closed: Gitea may still be
        at it. What comes of this changes nothing about the base.
        """
        if self.order.look_only:
            return
        with contextlib.suppress(ForgeError):
            end = min(since_boot() + _SETTLING, self.order.kill_at - _RESERVE)
            while (pull := self._pull()) is not None and pull.state == "open" and since_boot() < end:
                time.sleep(_PAUSE)
            if pull is not None and pull.state == "open":
                self._merge(pull, Do="manually-merged", MergeCommitID=self.effect.head_sha)

    def _pull(self) -> PullRequest | None:
        """The open one of the branch; else the latest of ours, which says how it ended."""
        branch = self.effect.pull_branch
        theirs = self.repository.pulls_between(self.effect.base_branch, branch)
        found = [*self.repository.our_pulls(branch), *theirs]
        return next((pull for pull in found if pull.state == "open"), found[0] if found else None)

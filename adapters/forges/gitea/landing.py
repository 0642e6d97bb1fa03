"""Landing by pull request: the base becomes exactly the checked commit, by Gitea's ``fast-forward-only`` (P4, P11).

What happened is read from git, not from the answer: the base's history holds our commit, or it does not.
"""

import contextlib
import time

from adapters.effects.base_branch import holds, landed, moved, unfit
from adapters.forges.gitea.acting import Acting
from adapters.forges.gitea.api import Pull
from adapters.forges.http.json_api import Reply
from contracts.effect import EffectResult
from ports.clock import since_boot
from ports.forge import ForgeError

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


def land_pull(acting: Acting) -> EffectResult:
    """Look, merge the pull request pinned at ``head_sha``, look again.

    Raises:
        Unseen: the base is at a commit the mirror lacks.
        ForgeError: could not find out, or the forge was not ready in the clearance's time.
    """
    effect = acting.effect
    if reason := unfit(acting.git, acting.order):
        return EffectResult(done=False, refused=reason)
    if over := _over(acting, adopted=True):
        return over
    pull = _pull(acting)
    if pull is None:
        return EffectResult(done=False, refused=f"no pull request from {effect.pull_branch} is open")
    if pull.state == "closed":
        word = "merged" if pull.merged else "closed"
        return EffectResult(done=False, refused=f"a person {word} pull request {pull.number}")
    if acting.order.look_only:
        return EffectResult(done=False)
    while True:
        reply = _asked(acting, pull)
        if over := _over(acting, adopted=False):
            return over
        if reply is not None and not _not_yet(reply):
            return acting.refused(reply, f"merge pull request {pull.number}", _hint(reply))
        # Asking again is harmless: pinned to one head and one base, it happens once or not at all.
        if since_boot() + _PAUSE > acting.order.kill_at - _RESERVE:
            raise acting.unclear if reply is None else ForgeError(_waiting(acting, pull, reply))
        time.sleep(_PAUSE)


def _over(acting: Acting, *, adopted: bool) -> EffectResult | None:
    """How it ended, if git shows an end: landed, or base or head are somewhere else."""
    effect, heads = acting.effect, acting.heads()
    now = heads.get(effect.base_branch, "")
    if holds(acting.git, now, effect.head_sha):
        _ended(acting)
        return landed(acting.git, acting.order, adopted=adopted)
    if now != effect.expected_old:
        return EffectResult(done=False, refused=moved(acting.order, now), result=now)
    head = heads.get(effect.pull_branch, "")
    if head != effect.head_sha:
        reason = f"the head moved: {effect.pull_branch} is at {head or 'nothing'}, not at {effect.head_sha}"
        return EffectResult(done=False, refused=f"{reason}: someone moved it", result=now)
    return None


def _ended(acting: Acting) -> None:
    """Gitea writes down last that a pull request is merged: one that is hung up on moves the base and shows it open.

    It is given time; then it is marked as merged where the repository allows that. Never closed: Gitea may still be at
    it. What comes of this changes nothing about the base.
    """
    if acting.order.look_only:
        return
    with contextlib.suppress(ForgeError):
        end = min(since_boot() + _SETTLING, acting.order.kill_at - _RESERVE)
        while (pull := _pull(acting)) is not None and pull.state == "open" and since_boot() < end:
            time.sleep(_PAUSE)
        if pull is not None and pull.state == "open":
            marked = {"Do": "manually-merged", "MergeCommitID": acting.effect.head_sha}
            acting.act("POST", f"/pulls/{pull.number}/merge", **marked)


def _pull(acting: Acting) -> Pull | None:
    """The open one of the branch; else the latest of ours, which says how it ended."""
    effect = acting.effect
    ours = [pull for pull in acting.repository.our_pulls() if pull.head.label == effect.pull_branch]
    theirs = acting.repository.pull_between(effect.base_branch, effect.pull_branch)
    found = [*ours, *([theirs] if theirs else [])]
    return next((pull for pull in found if pull.state == "open"), found[0] if found else None)


def _asked(acting: Acting, pull: Pull) -> Reply | None:
    # Pinned: a head that moves meanwhile is refused, and so is a base that no longer leads to it.
    return acting.act("POST", f"/pulls/{pull.number}/merge", Do=_STYLE, head_commit_id=acting.effect.head_sha)


def _waiting(acting: Acting, pull: Pull, reply: Reply) -> str:
    return acting.repository.http.complaint(reply, f"merge pull request {pull.number}, which it has not looked at yet")


def _not_yet(reply: Reply) -> bool:
    return any(words in reply.said.lower() for words in _NOT_YET)


def _hint(reply: Reply) -> str:
    return next((hint for words, hint in _HINTS.items() if words in reply.said), "")

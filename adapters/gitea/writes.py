"""Inside the cage, for a Gitea: look, act once, and after an unclear answer look again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from adapters.effects.order import EffectOrder
from adapters.forge_access.json_api import Reply, UnclearAnswer
from adapters.forge_access.ownership import marked, read_mark
from adapters.forge_access.tokens import TOKEN_VARIABLE
from adapters.git.environment import ClosedGit
from adapters.git.merging import is_ancestor
from adapters.git.remotes import remote_heads
from adapters.gitea.api import GiteaRepository, Issue, Pull, shaped
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from policies.inert_markdown import inert_line, inert_markdown
from ports.forge import ForgeError

# Gitea makes a draft of a title that begins so.
_DRAFT = re.compile(r"^\s*\[?wip\]?\s*:?", re.IGNORECASE)
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def write_to_gitea(order: EffectOrder) -> EffectResult:
    """Do what the order says, or adopt it.

    Raises:
        ForgeError: could not find out.
    """
    return _Writer(order).perform()


class _Writer:
    """One order; every method answers what the forge shows."""

    def __init__(self, order: EffectOrder) -> None:
        self._order, self._effect = order, order.effect
        token = os.environ.get(TOKEN_VARIABLE, "")
        self._repository = GiteaRepository(order.api, order.repository, order.account, token)
        self._git = ClosedGit(Path(order.mirror), inherit=True)
        self._unclear = UnclearAnswer("nothing was asked yet")

    def perform(self) -> EffectResult:
        """By action."""
        actions: dict[WriteAction, Callable[[], EffectResult]] = {
            WriteAction.OPEN_PULL_REQUEST: self._open_pull_request,
            WriteAction.OPEN_TICKET: self._open_ticket,
            WriteAction.CLOSE_TICKET: self._close_ticket,
            WriteAction.MERGE: self._merge,
        }
        action = self._effect.action
        if action not in actions:
            raise ForgeError(f"the action {action.value} is not built for a gitea")
        return actions[action]()

    # A pull request

    def _open_pull_request(self) -> EffectResult:
        effect = self._effect
        if found := self._known_pull():
            return self._shown(found, adopted=True)
        if reason := self._no_head() or self._wrong_account():
            return EffectResult(done=False, refused=reason)
        if self._order.look_only:
            return EffectResult(done=False)
        body = marked(inert_markdown(effect.body), effect.run_key, effect.task_id)
        reply = self._act(
            "POST", "/pulls", title=_title(effect.title), body=body, head=effect.branch, base=effect.base_branch
        )
        if reply is not None and reply.good:
            return self._shown(shaped(Pull, reply.content), adopted=False)
        if found := self._known_pull():
            # 409: somebody was faster. No clear answer: it was us after all.
            return self._shown(found, adopted=reply is not None)
        return self._refused(reply, "open a pull request")

    def _known_pull(self) -> Pull | None:
        effect = self._effect
        marks = [pull for pull in self._repository.our_pulls() if read_mark(pull.body or "").run_key == effect.run_key]
        if marks:
            return marks[-1]
        # The same head on the same branch is the same request, whoever opened it.
        same = self._repository.pull_between(effect.base_branch, effect.branch)
        return same if same and same.state == "open" and same.head.sha == effect.head_sha else None

    def _no_head(self) -> str:
        effect, heads = self._effect, remote_heads(self._git, self._order.remote)
        if effect.base_branch not in heads:
            return f"the remote has no base branch {effect.base_branch}"
        found = heads.get(effect.branch, "")
        if found == effect.head_sha:
            return ""
        return f"the remote branch {effect.branch} is at {found or 'nothing'}, not at {effect.head_sha}"

    # Tickets

    def _open_ticket(self) -> EffectResult:
        effect = self._effect
        if found := self._known_ticket(effect.run_key):
            return self._shown_ticket(found, adopted=True)
        if self._order.look_only:
            return EffectResult(done=False)
        if reason := self._wrong_account():
            return EffectResult(done=False, refused=reason)
        body = marked(inert_markdown(effect.body), effect.run_key, effect.task_id)
        reply = self._act("POST", "/issues", title=_title(effect.title), body=body)
        if reply is not None and reply.good:
            return self._shown_ticket(shaped(Issue, reply.content), adopted=False)
        if found := self._known_ticket(effect.run_key):
            return self._shown_ticket(found, adopted=reply is not None)
        return self._refused(reply, "open a ticket")

    def _close_ticket(self) -> EffectResult:
        opened = f"{self._effect.run_id}/{WriteAction.OPEN_TICKET}"
        found = self._known_ticket(opened)
        if found is None:
            return EffectResult(done=False, refused=f"no ticket was opened under {opened}")
        if found.state == "closed":
            return self._shown_ticket(found, adopted=True)
        if self._order.look_only:
            return EffectResult(done=False)
        reply = self._act("PATCH", f"/issues/{found.number}", state="closed")
        again = self._known_ticket(opened)
        if again is not None and again.state == "closed":
            return self._shown_ticket(again, adopted=False)
        return self._refused(reply, f"close ticket {found.number}")

    def _known_ticket(self, run_key: str) -> Issue | None:
        marks = [each for each in self._repository.our_tickets() if read_mark(each.body or "").run_key == run_key]
        return marks[-1] if marks else None

    # A merge: the base is where it was checked, and becomes exactly what was checked (P4)

    def _merge(self) -> EffectResult:
        effect = self._effect
        pull = self._repository.pull_between(effect.base_branch, effect.branch)
        if pull is None:
            return EffectResult(done=False, refused=f"there is no pull request from {effect.branch}")
        if pull.head.sha != effect.head_sha:
            return EffectResult(done=False, refused=f"the head moved: {pull.head.sha}, not {effect.head_sha}")
        if pull.merged:
            return self._merged(pull, adopted=True)
        if pull.state == "closed":
            return EffectResult(done=False, refused=f"a person closed pull request {pull.number}")
        base = remote_heads(self._git, self._order.remote).get(effect.base_branch, "")
        if base != effect.base_sha:
            return EffectResult(done=False, refused=f"the base moved: {base or 'nothing'}, not {effect.base_sha}")
        if self._order.look_only:
            return EffectResult(done=False)
        if not is_ancestor(self._git, effect.base_sha, effect.head_sha):
            reason = f"{effect.head_sha} does not hold {effect.base_sha}: what a merge would make was never checked"
            return EffectResult(done=False, refused=reason)
        # The base becomes the checked commit itself. Should it move until then, Gitea refuses.
        reply = self._act("POST", f"/pulls/{pull.number}/merge", Do="fast-forward-only", head_commit_id=effect.head_sha)
        again = self._repository.pull_between(effect.base_branch, effect.branch)
        if again is not None and again.merged:
            return self._merged(again, adopted=False)
        if reply is not None and "try again" in reply.said.lower():
            # Gitea has not looked at the pull request yet.
            raise ForgeError(self._repository.http.complaint(reply, "merge"))
        return self._refused(reply, f"merge pull request {pull.number}")

    def _merged(self, pull: Pull, adopted: bool) -> EffectResult:
        shown = self._repository.shown(pull)
        return EffectResult(done=True, adopted=adopted, result=shown.merge_sha, pull_request=shown)

    # What all have in common

    def _act(self, method: str, path: str, **content: object) -> Reply | None:
        """The answer, or None when there was no clear one."""
        try:
            return self._repository.act(method, path, **content)
        except UnclearAnswer as unclear:
            self._unclear = unclear
            return None

    def _refused(self, reply: Reply | None, doing: str) -> EffectResult:
        if reply is None:
            raise self._unclear
        complaint = self._repository.http.complaint(reply, doing)
        if reply.good or reply.status in _AGAIN:
            raise ForgeError(complaint)
        return EffectResult(done=False, refused=complaint)

    def _wrong_account(self) -> str:
        """Looking finds only what the account opened: another's token would open everything twice."""
        if self._order.look_only:
            return ""
        found = self._repository.account_of_token()
        if found.lower() == self._order.account.lower():
            return ""
        return f"the writing token belongs to {found}, not to forge_access.account {self._order.account}"

    def _shown(self, pull: Pull, adopted: bool) -> EffectResult:
        shown = self._repository.shown(pull)
        return EffectResult(done=True, adopted=adopted, result=str(pull.number), pull_request=shown)

    def _shown_ticket(self, issue: Issue, adopted: bool) -> EffectResult:
        shown = self._repository.shown_ticket(issue)
        return EffectResult(done=True, adopted=adopted, result=str(issue.number), pull_request=shown)


def _title(text: str) -> str:
    return inert_line(_DRAFT.sub("", text)) or "Autonomy Runbook"

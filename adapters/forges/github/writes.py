"""Inside the jail, for a GitHub: look, act once, and after an unclear answer look again."""

import os
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from adapters.effects.base_branch import holds, moved, unfit
from adapters.effects.order import EffectOrder
from adapters.forges.github.answers import Issue, Pull
from adapters.forges.github.api import GitHubRepository
from adapters.forges.http.json_api import Reply, UnclearAnswer, closed_to_us
from adapters.forges.http.ownership import edited, headed, marked, opened_under, unmarked
from adapters.forges.http.shapes import shaped
from adapters.forges.http.tokens import TOKEN_VARIABLE
from adapters.git.environment import ClosedGit
from adapters.git.remotes import remote_heads
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from policies.texts.inert_markdown import inert_line, inert_text
from policies.texts.outcome import updated_head
from ports.forge import AccessDenied, ForgeError, NotShown
from ports.repository import RemoteForbids

# GitHub takes 65536 characters; the mark comes after.
_LONGEST_BODY = 60_000
_TRY = re.compile(r"\btry\b", re.IGNORECASE)
_CHANGES = frozenset({WriteAction.UPDATE_PULL_REQUEST, WriteAction.CLOSE_PULL_REQUEST})
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def write_to_github(order: EffectOrder) -> EffectResult:
    """Do what the order says, or adopt it.

    Raises:
        ForgeError: could not find out.
    """
    return _Writer(order).perform()


class _Writer:
    """One order; every method answers what GitHub shows."""

    def __init__(self, order: EffectOrder) -> None:
        self._order, self._effect = order, order.effect
        token = os.environ.get(TOKEN_VARIABLE, "")
        self._repository = GitHubRepository(order.api, order.repository, order.account, token)
        self._git = ClosedGit(Path(order.mirror), inherit=True)
        self._key = self._effect.record_key or self._effect.run_key
        self._unclear = UnclearAnswer("nothing was asked yet")
        self._acted = False

    def perform(self) -> EffectResult:
        """By action."""
        actions: dict[WriteAction, Callable[[], EffectResult]] = {
            WriteAction.OPEN_PULL_REQUEST: self._open_pull,
            WriteAction.UPDATE_PULL_REQUEST: self._update_pull,
            WriteAction.CLOSE_PULL_REQUEST: self._close_pull,
            WriteAction.MERGE: self._land,
            WriteAction.REVERT: self._land,
            WriteAction.OPEN_TICKET: self._open_ticket,
            WriteAction.UPDATE_TICKET: self._update_ticket,
            WriteAction.CLOSE_TICKET: self._close_ticket,
            WriteAction.COMMENT: self._comment,
        }
        action = self._effect.action
        if action not in actions:
            return EffectResult(done=False, refused=f"{action.value} is not built for a GitHub")
        try:
            return actions[action]()
        except (AccessDenied, RemoteForbids) as closed:
            # After an act, only another look tells whether it happened.
            if self._acted or isinstance(closed, NotShown):
                raise ForgeError(str(closed)) from closed
            raise AccessDenied(str(closed)) from closed

    # A pull request

    def _open_pull(self) -> EffectResult:
        effect = self._effect
        if found := self._known_pull():
            return self._shown(found, adopted=True)
        if reason := self._no_head():
            return EffectResult(done=False, refused=reason)
        if reason := self._wrong_account():
            return EffectResult(done=False, refused=reason, obstacle=True)
        if self._order.look_only:
            return EffectResult(done=False)
        reply = self._act(
            "POST", "/pulls", title=self._title(), body=self._body(), head=effect.branch, base=effect.base_branch
        )
        if reply is not None and reply.good:
            return self._shown(shaped(Pull, reply.content), adopted=False)
        if found := self._known_pull():
            # 422: there is one already. No clear answer: it was us after all.
            return self._shown(found, adopted=reply is not None)
        return self._refused(reply, "open a pull request")

    def _update_pull(self) -> EffectResult:
        if self._effect.head:
            return self._head_pull()
        found = self._marked_pull()
        if found is None:
            return EffectResult(done=False, refused=f"no pull request is open under {self._key}")
        if found.merged_at:
            return EffectResult(done=False, refused=f"pull request {found.number} is merged")
        if found.state == "closed":
            return EffectResult(done=False, refused=f"a person closed pull request {found.number}")
        return self._change_pull(found, self._pull_texts(found))

    def _close_pull(self) -> EffectResult:
        found = self._marked_pull()
        if found is None:
            return EffectResult(done=False, refused=f"no pull request was opened under {self._key}")
        if found.merged_at:
            return EffectResult(done=False, refused=f"pull request {found.number} is merged")
        if found.state == "closed":
            return self._shown(found, adopted=True)
        return self._change_pull(found, self._pull_texts(found) | {"state": "closed"})

    def _change_pull(self, pull: Pull, wanted: dict[str, str]) -> EffectResult:
        if _has(pull, wanted):
            return self._shown(pull, adopted=True)
        if self._order.look_only:
            return EffectResult(done=False)
        if reason := self._wrong_account():
            return EffectResult(done=False, refused=reason, obstacle=True)
        reply = self._act("PATCH", f"/pulls/{pull.number}", **wanted)
        again = self._repository.pull(pull.number)
        if _has(again, wanted):
            return self._shown(again, adopted=False)
        return self._refused(reply, f"change pull request {pull.number}")

    def _head_pull(self) -> EffectResult:
        """Only what its text begins with: merged or closed, it says so there, and nothing else of it changes."""
        number = self._effect.number
        found = next((pull for pull in self._repository.our_pulls() if pull.number == number), None)
        if found is None:
            return EffectResult(done=False, refused=f"pull request {number} is none of ours")
        return self._change_pull(found, self._head(found.body))

    def _known_pull(self) -> Pull | None:
        effect = self._effect
        if found := self._marked_pull():
            return found
        # The same head on the same branch is the same request, whoever opened it.
        between = self._repository.pulls_between(effect.base_branch, effect.branch)
        return next((pull for pull in between if pull.state == "open" and pull.head.sha == effect.head_sha), None)

    def _marked_pull(self) -> Pull | None:
        return opened_under(self._key, self._repository.our_pulls(self._effect.branch))

    def _no_head(self) -> str:
        effect, heads = self._effect, remote_heads(self._git, self._order.remote)
        if effect.base_branch not in heads:
            return f"the remote has no base branch {effect.base_branch}"
        found = heads.get(effect.branch, "")
        if found == effect.head_sha:
            return ""
        return f"the remote branch {effect.branch} is at {found or 'nothing'}, not at {effect.head_sha}"

    # Landing: GitHub makes the merge commit, so the base is looked at before and its parents and tree after (P4)

    def _land(self) -> EffectResult:
        effect = self._effect
        pull = next(self._repository.pulls_between(effect.base_branch, effect.pull_branch), None)
        if pull is None:
            return EffectResult(done=False, refused=f"there is no pull request from {effect.pull_branch}")
        if pull.head.sha != effect.head_sha:
            reason = f"pull request {pull.number} is at {pull.head.sha}, not at {effect.head_sha}: someone moved it"
            return EffectResult(done=False, refused=reason)
        if pull.merged_at:
            return self._landed(pull, adopted=True)
        if pull.state == "closed":
            return EffectResult(done=False, refused=f"a person closed pull request {pull.number}")
        if reason := unfit(self._git, self._order) or self._base_moved():
            return EffectResult(done=False, refused=reason)
        if self._order.look_only:
            return EffectResult(done=False)
        place = f"/pulls/{pull.number}/merge"
        words = dict(zip(("commit_title", "commit_message"), effect.commit_message.split("\n\n", 1), strict=False))
        said = {name: text.strip() for name, text in words.items() if text.strip()}
        reply = self._act("PUT", place, sha=effect.head_sha, merge_method="merge", **said)
        again = self._repository.pull(pull.number)
        if again.merged_at:
            return self._landed(again, adopted=False)
        if reason := self._base_moved():
            return EffectResult(done=False, refused=reason)
        return self._refused(reply, f"merge pull request {pull.number}")

    def _base_moved(self) -> str:
        effect = self._effect
        found = remote_heads(self._git, self._order.remote).get(effect.base_branch, "")
        if found == effect.expected_old:
            return ""
        if holds(self._git, found, effect.head_sha):
            raise ForgeError(f"the base holds {effect.head_sha}, and GitHub does not show its pull request merged yet")
        return moved(self._order, found)

    def _landed(self, pull: Pull, adopted: bool) -> EffectResult:
        """With the tree that the base really got: whoever reads another one than was checked must act on it.

        Only the tree is judged. A person may have squashed: another history, and the content that was checked.
        """
        shown = self._repository.shown(pull)
        if not shown.merge_sha:
            raise ForgeError(f"GitHub shows pull request {pull.number} merged, and not the commit")
        got = self._repository.commit(shown.merge_sha)
        return EffectResult(done=True, adopted=adopted, result=got.sha, tree_sha=got.tree.sha, pull_request=shown)

    # Tickets

    def _open_ticket(self) -> EffectResult:
        if found := self._known_ticket(self._key):
            return self._shown_ticket(found, adopted=True)
        if self._order.look_only:
            return EffectResult(done=False)
        if reason := self._wrong_account():
            return EffectResult(done=False, refused=reason, obstacle=True)
        reply = self._act("POST", "/issues", title=self._title(), body=self._body())
        if reply is not None and reply.good:
            return self._shown_ticket(shaped(Issue, reply.content), adopted=False)
        if found := self._known_ticket(self._key):
            return self._shown_ticket(found, adopted=reply is not None)
        return self._refused(reply, "open a ticket")

    def _update_ticket(self) -> EffectResult:
        found = self._known_ticket(self._key) or unmarked(self._effect.number, self._repository.our_issues())
        if self._effect.head and found is None:
            return EffectResult(done=False, refused=f"no ticket was opened under {self._key}")
        if found is None:
            return self._open_ticket()
        return self._change_ticket(found, self._head(found.body) or self._texts())

    def _close_ticket(self) -> EffectResult:
        opened = self._effect.record_key or f"{self._effect.run_id}/{WriteAction.OPEN_TICKET}"
        found = self._known_ticket(opened)
        if found is None:
            return EffectResult(done=False, refused=f"no ticket was opened under {opened}")
        return self._change_ticket(found, {"state": "closed"} | self._head(found.body))

    def _change_ticket(self, ticket: Issue, wanted: dict[str, str]) -> EffectResult:
        if _has(ticket, wanted):
            return self._shown_ticket(ticket, adopted=True)
        if self._order.look_only:
            return EffectResult(done=False)
        if reason := self._wrong_account():
            return EffectResult(done=False, refused=reason, obstacle=True)
        reply = self._act("PATCH", f"/issues/{ticket.number}", **wanted)
        again = self._repository.ticket(ticket.number)
        if _has(again, wanted):
            return self._shown_ticket(again, adopted=False)
        return self._refused(reply, f"change ticket {ticket.number}")

    def _known_ticket(self, run_key: str) -> Issue | None:
        return opened_under(run_key, self._repository.our_issues())

    # Below a pull request

    def _comment(self) -> EffectResult:
        number = self._effect.number
        if not any(pull.number == number for pull in self._repository.our_pulls()):
            return EffectResult(done=False, refused=f"pull request {number} is none of ours")
        if self._said(number):
            return EffectResult(done=True, adopted=True, result=str(number))
        if self._order.look_only:
            return EffectResult(done=False)
        if reason := self._wrong_account():
            return EffectResult(done=False, refused=reason, obstacle=True)
        # First the head: what a look finds, an earlier attempt's too, is the comment.
        unheaded = self._head_pull().refused if self._effect.head else ""
        reply = self._act("POST", f"/issues/{number}/comments", body=self._body())
        if (reply is not None and reply.good) or self._said(number):
            return EffectResult(done=True, result=str(number), refused=unheaded)
        return self._refused(reply, f"comment on pull request {number}")

    def _said(self, number: int) -> bool:
        return any(each.run_key == self._effect.run_key for each in self._repository.comments(number))

    # What all have in common

    def _title(self) -> str:
        return inert_line(self._effect.title) or "Autonomy Runbook"

    def _body(self) -> str:
        effect = self._effect
        body = inert_text(effect, effect.body)[:_LONGEST_BODY]
        if effect.action is WriteAction.OPEN_TICKET:
            body = headed(body, inert_text(effect, effect.head))
        sealed = effect.action in {WriteAction.OPEN_PULL_REQUEST, *_CHANGES}
        return marked(body, self._key, effect.task_id, sealed=sealed)

    def _head(self, body: str | None) -> dict[str, str]:
        """The body with our head; nothing where there is none to write."""
        head = self._effect.head
        return {"body": headed(body or "", inert_text(self._effect, head))} if head else {}

    def _texts(self) -> dict[str, str]:
        """What an update gives; an empty text leaves what is there."""
        texts = {
            "title": self._title() if self._effect.title else "",
            "body": self._body() if self._effect.body else "",
        }
        return {name: text for name, text in texts.items() if text}

    def _pull_texts(self, pull: Pull) -> dict[str, str]:
        """The same; a body that somebody wrote in stays: an update says at its head what it is now."""
        texts = self._texts()
        if "body" in texts and edited(pull.body or ""):
            del texts["body"]
            if self._effect.action is WriteAction.UPDATE_PULL_REQUEST:
                texts["body"] = headed(pull.body or "", updated_head(self._effect.head_sha))
        return texts

    def _act(self, method: str, path: str, **content: object) -> Reply | None:
        """The answer, or None when there was no clear one."""
        self._acted = True
        try:
            return self._repository.act(method, path, **content)
        except UnclearAnswer as unclear:
            self._unclear = unclear
            return None

    def _refused(self, reply: Reply | None, doing: str) -> EffectResult:
        if reply is None:
            raise self._unclear
        complaint = self._repository.http.complaint(reply, doing)
        if reply.good or reply.status in _AGAIN or _TRY.search(reply.said):
            # Done and not shown yet, or GitHub asks to try again.
            raise ForgeError(complaint)
        # Merging asks for more rights than opening did: there it is a person's merge, and no lack of ours.
        landing = self._effect.action in {WriteAction.MERGE, WriteAction.REVERT}
        obstacle = closed_to_us(reply) and not (landing and reply.status == HTTPStatus.FORBIDDEN)
        return EffectResult(done=False, refused=complaint, obstacle=obstacle)

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
        shown = issue.shown(self._order.account)
        return EffectResult(done=True, adopted=adopted, result=str(issue.number), pull_request=shown)


def _has(shown: Pull | Issue, wanted: dict[str, str]) -> bool:
    now = {"title": shown.title, "body": (shown.body or "").rstrip(), "state": shown.state}
    return all(now[name] == text.rstrip() for name, text in wanted.items())

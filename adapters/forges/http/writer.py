"""Inside the jail, for a forge with an API over HTTP: look, act once, and after an unclear answer look again (P7).

What is read back is what counts, never what was answered. A forge adds how it lands a pull request, and the little
that is its own in titles, texts and answers.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Generic, TypeVar

from adapters.effects.order import EffectOrder
from adapters.forges.http.json_api import Reply, closed_to_us
from adapters.forges.http.ownership import edited, headed, marked
from adapters.forges.http.repository import HttpRepository
from adapters.forges.http.tokens import TOKEN_VARIABLE
from adapters.forges.http.wire import UnclearAnswer
from adapters.git.environment import ClosedGit
from adapters.git.remotes import remote_heads
from contracts.effect import EffectResult
from contracts.forge_facts import asked_on, said_by_us
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from policies.texts.inert_markdown import inert_line, inert_text
from policies.texts.outcome import updated_head
from ports.forge import AccessDenied, ForgeError, NotShown
from ports.repository import RemoteForbids

_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_LANDINGS = frozenset({WriteAction.MERGE, WriteAction.REVERT})
Repository = TypeVar("Repository", bound=HttpRepository)


class HttpWriter(ABC, Generic[Repository]):
    """One order; every action answers what the forge shows."""

    def __init__(self, order: EffectOrder, opened: Callable[[str, str, str, str], Repository]) -> None:
        """``opened``: the repository at an API, by its name, for an account, with a token."""
        self.order, self.effect = order, order.effect
        token = os.environ.get(TOKEN_VARIABLE, "")
        self.repository = opened(order.api, order.repository, order.account, token)
        self.git = ClosedGit(Path(order.mirror), inherit=True)
        self.unclear = UnclearAnswer("nothing was asked yet")
        self._key = self.effect.record_key or self.effect.run_key
        self._acted = False

    @abstractmethod
    def land(self) -> EffectResult:
        """Make the base exactly the checked commit or tree by the pull request of ``pull_branch`` (P4)."""

    def title(self, text: str) -> str:
        """One line that does not act."""
        return inert_line(text) or "Autonomy Runbook"

    def text(self, text: str) -> str:
        """Markdown in which nothing acts but links of ours."""
        return inert_text(self.effect, text)

    def asks_again(self, reply: Reply) -> bool:
        """Whether a no is none, and the forge wants to be asked once more."""
        return reply.status in _AGAIN

    def perform(self) -> EffectResult:
        """Do what the order says, or adopt it.

        Raises:
            AccessDenied: nothing was done by this child, and nothing can be before a person mends what the forge says.
            ForgeError: could not find out.
            Unseen: the mirror must be brought up to date first.
        """
        actions: dict[WriteAction, Callable[[], EffectResult]] = {
            WriteAction.OPEN_PULL_REQUEST: self._open_pull,
            WriteAction.UPDATE_PULL_REQUEST: self._change_pull,
            WriteAction.CLOSE_PULL_REQUEST: self._change_pull,
            WriteAction.OPEN_TICKET: self._open_ticket,
            WriteAction.UPDATE_TICKET: self._update_ticket,
            WriteAction.CLOSE_TICKET: self._close_ticket,
            WriteAction.COMMENT: self._comment,
            WriteAction.MERGE: self.land,
            WriteAction.REVERT: self.land,
        }
        action = self.effect.action
        if action not in actions:
            return EffectResult(done=False, refused=f"{action.value} is not built for a {self.order.forge}")
        try:
            return actions[action]()
        except (AccessDenied, RemoteForbids) as closed:
            # After an act, only another look tells whether it happened.
            if self._acted or isinstance(closed, NotShown):
                raise ForgeError(str(closed)) from closed
            raise AccessDenied(str(closed)) from closed

    # A pull request

    def _open_pull(self) -> EffectResult:
        effect, repository = self.effect, self.repository
        body = marked(self.text(effect.body), self._key, effect.task_id, sealed=True)
        return self._open(
            self._known_pull,
            lambda: self.order.misplaced(self.heads()),
            lambda: repository.open_pull(self.title(effect.title), body, effect.branch, effect.base_branch),
            repository.pull_as_shown,
            "open a pull request",
        )

    def _change_pull(self) -> EffectResult:
        """Give an open one its title and body, or close it; refused once a person merged or closed it."""
        if self.effect.head:
            return self._head_pull()
        closing = self.effect.action is WriteAction.CLOSE_PULL_REQUEST
        found = self._pull_to_change()
        if found is None:
            return EffectResult(done=False, refused=f"no pull request is open under {self._key}")
        if found.state == "merged":
            return EffectResult(done=False, refused=f"pull request {found.number} is merged")
        if found.state == "closed" and not closing:
            return EffectResult(done=False, refused=f"a person closed pull request {found.number}")
        if found.state == "closed":
            return shown(found, adopted=True)
        return self._give_pull(found, self._pull_texts(found))

    def _head_pull(self) -> EffectResult:
        """Only what its text begins with: merged or closed, it says so there, and nothing else of it changes."""
        found = self._numbered()
        if found is None:
            return self._none_of_ours()
        return self._give_pull(found, self._head(found))

    def _comment(self) -> EffectResult:
        """Say it below a pull request of ours, or find it said under this key."""
        effect, number = self.effect, self.effect.number
        if asked_on(effect.run_key) is not None:
            return self._question()
        if self._numbered() is None:
            return self._none_of_ours()
        if self._said():
            return EffectResult(done=True, adopted=True, result=str(number))
        if no := self._not_to_act():
            return no
        # First the head: what a look finds, an earlier attempt's too, is the comment.
        unheaded = self._head_pull().refused if effect.head else ""
        body = marked(self.text(effect.body), effect.run_key, effect.task_id)
        reply = self.once(lambda: self.repository.comment_on(number, body))
        if (reply is not None and reply.good) or self._said():
            return EffectResult(done=True, result=str(number), refused=unheaded)
        return self.refused(reply, f"comment on pull request {number}")

    def _question(self) -> EffectResult:
        """Ask it below an open issue, or find it asked of this state of the issue, by whichever run."""
        effect, number = self.effect, self.effect.number
        state = self.repository.issue_state(number)
        if state and self._asked():
            return EffectResult(done=True, adopted=True, result=str(number))
        if state != "open":
            return EffectResult(done=False, refused=f"issue {number} is {state or 'not there'}")
        if no := self._not_to_act():
            return no
        body = marked(self.text(effect.body), effect.run_key, "")
        reply = self.once(lambda: self.repository.comment_on(number, body))
        if (reply is not None and reply.good) or self._asked():
            return EffectResult(done=True, result=str(number))
        return self.refused(reply, f"comment on issue {number}")

    def _asked(self) -> bool:
        effect = self.effect
        return said_by_us(self.repository.comments(effect.number), effect.run_key.rpartition("/")[2])

    def _give_pull(self, found: PullRequest, wanted: dict[str, str]) -> EffectResult:
        repository = self.repository
        return self._give(found, wanted, repository.change_pull, repository.pull, "pull request")

    def _pull_texts(self, found: PullRequest) -> dict[str, str]:
        """What it is given. A body that somebody wrote in stays: an update says at its head what it is now."""
        effect = self.effect
        wanted = {"title": self.title(effect.title)} if effect.title else {}
        if effect.body and not edited(found.body):
            # Whoever opened it stays its opener: that key is what adoption looks for.
            task = found.task_id or effect.task_id
            wanted["body"] = marked(self.text(effect.body), found.run_key or self._key, task, sealed=True)
        elif effect.body and effect.action is WriteAction.UPDATE_PULL_REQUEST:
            wanted["body"] = headed(found.body, updated_head(effect.head_sha))
        closed = {"state": "closed"} if effect.action is WriteAction.CLOSE_PULL_REQUEST else {}
        return wanted | closed

    def _known_pull(self) -> PullRequest | None:
        effect = self.effect
        if found := opened_under(self._key, self.repository.our_pulls(effect.branch)):
            return found
        # The same head on the same branch is the same request, whoever opened it, and merged it perhaps.
        between = self.repository.pulls_between(effect.base_branch, effect.branch)
        return next((each for each in between if each.state != "closed" and each.head_sha == effect.head_sha), None)

    def _pull_to_change(self) -> PullRequest | None:
        """By the key it was opened under; of a run that adopted it, our open one of the same branch."""
        ours, branch = list(self.repository.our_pulls(self.effect.branch)), self.effect.branch
        adopted = (each for each in ours if branch and each.branch == branch and each.state == "open")
        return opened_under(self._key, ours) or next(adopted, None)

    def _numbered(self) -> PullRequest | None:
        return next((pull for pull in self.repository.our_pulls() if pull.number == self.effect.number), None)

    def _none_of_ours(self) -> EffectResult:
        return EffectResult(done=False, refused=f"pull request {self.effect.number} is none of ours")

    def _said(self) -> bool:
        comments = self.repository.comments(self.effect.number)
        return any(each.run_key == self.effect.run_key for each in comments)

    # Tickets: one per key; what a person closed stays closed

    def _open_ticket(self) -> EffectResult:
        repository, texts = self.repository, self._ticket_texts()
        return self._open(
            lambda: self._known_ticket(self._key),
            lambda: "",
            lambda: repository.open_ticket(texts["title"], texts["body"]),
            repository.ticket_as_shown,
            "open a ticket",
        )

    def _update_ticket(self) -> EffectResult:
        """Its title and body, and its mark should somebody have taken that away; opened when there is none."""
        found = self._known_ticket(self._key) or unmarked(self.effect.number, self.repository.our_tickets())
        if found is None and self.effect.head:
            return EffectResult(done=False, refused=f"no ticket was opened under {self._key}")
        if found is None:
            return self._open_ticket()
        texts = {name: text for name, text in self._ticket_texts().items() if getattr(self.effect, name)}
        return self._give_ticket(found, self._head(found) or texts)

    def _close_ticket(self) -> EffectResult:
        opened = self.effect.record_key or f"{self.effect.run_id}/{WriteAction.OPEN_TICKET}"
        found = self._known_ticket(opened)
        if found is None:
            return EffectResult(done=False, refused=f"no ticket was opened under {opened}")
        return self._give_ticket(found, {"state": "closed"} | self._head(found))

    def _give_ticket(self, found: PullRequest, wanted: dict[str, str]) -> EffectResult:
        repository = self.repository
        return self._give(found, wanted, repository.change_ticket, repository.ticket, "ticket")

    def _ticket_texts(self) -> dict[str, str]:
        effect = self.effect
        body = headed(self.text(effect.body), self.text(effect.head))
        return {"title": self.title(effect.title), "body": marked(body, self._key, effect.task_id)}

    def _known_ticket(self, key: str) -> PullRequest | None:
        return opened_under(key, self.repository.our_tickets())

    # What all have in common

    def _open(
        self,
        look: Callable[[], PullRequest | None],
        obstacle: Callable[[], str],
        send: Callable[[], Reply],
        as_shown: Callable[[object], PullRequest],
        doing: str,
    ) -> EffectResult:
        if found := look():
            return shown(found, adopted=True)
        if reason := obstacle():
            return EffectResult(done=False, refused=reason)
        if no := self._not_to_act():
            return no
        reply = self.once(send)
        if reply is not None and reply.good:
            return shown(as_shown(reply.content), adopted=False)
        if found := look():
            # A no: somebody was faster. No clear answer: it was us after all.
            return shown(found, adopted=reply is not None)
        return self.refused(reply, doing)

    def _give(
        self,
        found: PullRequest,
        wanted: dict[str, str],
        send: Callable[[int, dict[str, str]], Reply],
        look: Callable[[int], PullRequest],
        what: str,
    ) -> EffectResult:
        if _has(found, wanted):
            return shown(found, adopted=True)
        if no := self._not_to_act():
            return no
        reply = self.once(lambda: send(found.number, wanted))
        again = look(found.number)
        if _has(again, wanted):
            return shown(again, adopted=False)
        return self.refused(reply, f"change {what} {found.number}")

    def _not_to_act(self) -> EffectResult | None:
        """Why nothing may be done: it is a mere look, or the token is not the account's.

        Looking finds only what the account opened: another's token would open everything twice.
        """
        if self.order.look_only:
            return EffectResult(done=False)
        account, found = self.order.account, self.repository.account_of_token()
        if found.lower() == account.lower():
            return None
        reason = f"the writing token belongs to {found}, not to forge_access.account {account}"
        return EffectResult(done=False, refused=reason, obstacle=True)

    def _head(self, found: PullRequest) -> dict[str, str]:
        """Its text behind our head; nothing where there is none to write."""
        head = self.effect.head
        return {"body": headed(found.body, self.text(head))} if head else {}

    def heads(self) -> dict[str, str]:
        """Where the remote's branches are, by git: the API learns of a push later."""
        return remote_heads(self.git, self.order.remote)

    def once(self, send: Callable[[], Reply]) -> Reply | None:
        """The answer to one act, or None when there was no clear one."""
        self._acted = True
        try:
            return send()
        except UnclearAnswer as unclear:
            self.unclear = unclear
            return None

    def refused(self, reply: Reply | None, doing: str, hint: str = "") -> EffectResult:
        """A no with the forge's own words.

        Raises:
            ForgeError: it was none: no clear answer, again later, or a yes of which nothing is to be seen.
        """
        if reply is None:
            raise self.unclear
        complaint = self.repository.http.complaint(reply, doing)
        if reply.good or self.asks_again(reply):
            raise ForgeError(complaint)
        # Merging asks for more rights than opening did: there it is a person's merge, and no lack of ours.
        landing = self.effect.action in _LANDINGS
        obstacle = closed_to_us(reply) and not (landing and reply.status == HTTPStatus.FORBIDDEN)
        return EffectResult(done=False, refused=f"{complaint}; {hint}" if hint else complaint, obstacle=obstacle)


def shown(found: PullRequest, *, adopted: bool) -> EffectResult:
    """Done, and this is what the forge shows."""
    return EffectResult(done=True, adopted=adopted, result=str(found.number), pull_request=found)


def opened_under(key: str, newest_first: Iterable[PullRequest]) -> PullRequest | None:
    """The one this key opened: the oldest, should there be more."""
    found = [each for each in newest_first if each.run_key == key]
    return found[-1] if found else None


def unmarked(number: int, ours: Iterable[PullRequest]) -> PullRequest | None:
    """The one of this number, if nothing says which write it was: somebody took the line away. 0: none."""
    return next((each for each in ours if number and each.number == number and not each.run_key), None)


def _has(found: PullRequest, wanted: dict[str, str]) -> bool:
    """Whether a forge shows what was written; some end lines their own way."""
    return all(_plain(getattr(found, name)) == _plain(text) for name, text in wanted.items())


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()

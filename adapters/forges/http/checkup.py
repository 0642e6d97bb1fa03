"""Whether a target's forge can be used as its file says: nothing is changed, one clear sentence each (``doctor``)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Generic, TypeVar

from adapters.forges.http.address import forge_address
from adapters.forges.http.repository import HttpRepository, Rights
from adapters.forges.http.tokens import TOKEN_VARIABLE, reading_token, writing_environment
from contracts.forge_facts import AccessFinding
from policies.run.obstacles import cure, one_cure_each
from policies.run.strangers import OURS
from policies.settings.schema import Target
from ports.forge import ForgeError, NotShown

Repository = TypeVar("Repository", bound=HttpRepository)


class Checkup(ABC, Generic[Repository]):
    """The address, each token (of an App: made for this look), whose it is, what it may do, the base's protection."""

    def __init__(self, target: Target, opened: Callable[[str, str, str, str], Repository]) -> None:
        """``opened``: the repository at an API, by its name, for an account, with a token."""
        self.target, self.account = target, target.forge_access.account
        self._opened = opened

    @abstractmethod
    def own_branches(self, writer: Repository) -> AccessFinding | None:
        """What keeps our own branches out, as far as the forge tells writers; None: nothing to say.

        Raises:
            ForgeError: could not find out.
        """

    @abstractmethod
    def protection(self, reader: Repository) -> str:
        """How the base is protected, in a few words.

        Raises:
            ForgeError: it cannot be read.
        """

    def more(self, writer: Repository) -> Iterator[AccessFinding]:
        """What only this forge can say of the account's rights."""
        del writer
        return iter(())

    def mute(self) -> str:
        """What helps a token that may write no tickets, where the forge's own words do not say; empty: they do."""
        return ""

    def rows(self) -> Iterator[AccessFinding]:
        """Each obstacle once, with the cure that helps."""
        return one_cure_each(self._rows())

    def _rows(self) -> Iterator[AccessFinding]:
        target = self.target
        try:
            address = forge_address(target)
            writing = writing_environment(target)[TOKEN_VARIABLE]
            reading = reading_token(target)
        except ForgeError as problem:
            remedy = f"see [forge_access] in targets/{target.name}.toml; variables are set where the worker runs"
            yield AccessFinding(name="token", ok=False, detail=str(problem), remedy=remedy)
            return
        yield AccessFinding(name="token", ok=True, detail="the token to write with is there")
        writer = self._opened(address.api, address.repository, self.account, writing)
        yield self._whose(writer)
        try:
            yield from self._may(writer, writer.rights())
        except NotShown as problem:
            remedy = f"give {self.account} access to it, or set `remote` in targets/{target.name}.toml"
            yield self.sick("rights", str(problem), f"{remedy} to its address of now")
            return
        except ForgeError as problem:
            yield self.sick("rights", str(problem))
        yield from self._base(self._opened(address.api, address.repository, self.account, reading))

    def sick(self, name: str, detail: str, remedy: str = "") -> AccessFinding:
        """Something to mend; without ``remedy``, by the cure that the words call for."""
        return AccessFinding(name=name, ok=False, detail=detail, remedy=remedy or cure(detail, self.target))

    def _whose(self, writer: Repository) -> AccessFinding:
        try:
            found = writer.account_of_token()
        except ForgeError as problem:
            return self.sick("account", str(problem))
        same = bool(self.account) and found.lower() == self.account.lower()
        detail = f"the token belongs to {found}"
        if not same:
            detail += f", forge_access.account is {self.account or 'not set'}"
        remedy = f'set account = "{found}", or that account\'s token'
        return AccessFinding(name="account", ok=same, detail=detail, remedy=remedy)

    def _may(self, writer: Repository, found: Rights) -> Iterator[AccessFinding]:
        """What keeps the account from pushing and from tickets."""
        if found.archived:
            yield self.sick("rights", f"{writer.name} is archived: nobody may push, open or merge")
            return
        push = found.permissions is None or found.permissions.push
        if found.permissions is not None:
            detail = f"the account may {'' if push else 'not '}push to {writer.name}"
            remedy = "give the account write access to the repository"
            yield AccessFinding(name="rights", ok=push, detail=detail, remedy=remedy)
        if not found.has_issues:
            remedy = "turn on issues in the repository's settings, or set dashboard = false"
            yield self.sick("tickets", f"{writer.name} has no tickets", remedy)
        if not push:
            return
        if found.has_issues:
            yield from self._tickets(writer)
        try:
            ours = self.own_branches(writer)
        except ForgeError as problem:
            ours = self.sick("branches", f"could not find out whether {self.account} may push {OURS}**: {problem}")
        if ours is not None:
            yield ours
        yield from self.more(writer)

    def _tickets(self, writer: Repository) -> Iterator[AccessFinding]:
        """Incidents and the dashboard are tickets. Asked by a change of ticket 0, which no repository has."""
        reply = writer.change_ticket(0, {"title": ""})
        if reply.status == HTTPStatus.FORBIDDEN:
            detail = writer.http.complaint(reply, "the question for the right to write tickets")
            yield self.sick("tickets", detail, self.mute())

    def _base(self, reader: Repository) -> Iterator[AccessFinding]:
        try:
            detail = f"{self.target.base_branch} is {self.protection(reader)}"
        except ForgeError as problem:
            yield self.sick("protection", str(problem))
            return
        yield AccessFinding(name="protection", ok=True, detail=detail)

"""What every write to a Gitea has in common: one order, one act, and what an answer means."""

import os
import re
from http import HTTPStatus
from pathlib import Path

from adapters.effects.order import EffectOrder
from adapters.forges.gitea.api import GiteaRepository
from adapters.forges.http.json_api import Reply, UnclearAnswer, closed_to_us
from adapters.forges.http.tokens import TOKEN_VARIABLE
from adapters.git.environment import ClosedGit
from adapters.git.remotes import remote_heads
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from policies.texts.inert_markdown import inert_line
from ports.forge import ForgeError

# Gitea makes a draft of a title that begins so.
_DRAFT = re.compile(r"^\s*\[?wip\]?\s*:?", re.IGNORECASE)
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Acting:
    """One order with the means to do it."""

    def __init__(self, order: EffectOrder) -> None:
        self.order, self.effect = order, order.effect
        token = os.environ.get(TOKEN_VARIABLE, "")
        self.repository = GiteaRepository(order.api, order.repository, order.account, token)
        self.git = ClosedGit(Path(order.mirror), inherit=True)
        self.unclear = UnclearAnswer("nothing was asked yet")
        self.acted = False

    def heads(self) -> dict[str, str]:
        """Where the remote's branches are, by git: the API learns of a push later."""
        return remote_heads(self.git, self.order.remote)

    def act(self, method: str, path: str, **content: object) -> Reply | None:
        """The answer, or None when there was no clear one."""
        self.acted = True
        try:
            return self.repository.act(method, path, **content)
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
        if reply.good or reply.status in _AGAIN:
            raise ForgeError(complaint)
        # Merging asks for more rights than opening did: there it is a person's merge, and no lack of ours.
        landing = self.effect.action in {WriteAction.MERGE, WriteAction.REVERT}
        obstacle = closed_to_us(reply) and not (landing and reply.status == HTTPStatus.FORBIDDEN)
        return EffectResult(done=False, refused=f"{complaint}; {hint}" if hint else complaint, obstacle=obstacle)

    def wrong_account(self) -> str:
        """Looking finds only what the account opened: another's token would open everything twice."""
        if self.order.look_only:
            return ""
        found = self.repository.account_of_token()
        if found.lower() == self.order.account.lower():
            return ""
        return f"the writing token belongs to {found}, not to forge_access.account {self.order.account}"


def forge_title(text: str) -> str:
    """One line that neither acts nor makes a draft."""
    return inert_line(_DRAFT.sub("", text)) or "Autonomy Runbook"


def same_text(found: str | None, wanted: str) -> bool:
    """Whether a forge shows what was written; some end lines their own way."""
    return (found or "").replace("\r\n", "\n").strip() == wanted.strip()

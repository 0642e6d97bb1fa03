"""A GitHub App's installation tokens: signed for by its key, for one repository, with the rights of one use.

Only the worker sees the key. A token to read is kept until shortly before its end; one to write is made for each write.
"""

import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from githubkit.auth import AppAuthStrategy
from pydantic import AwareDatetime, BaseModel

from adapters.forges.github.client import GitHubApi
from adapters.forges.http.address import forge_address
from adapters.forges.http.repository import shaped
from adapters.forges.http.tokens import read_secret
from policies.settings.schema import Target
from ports.forge import ForgeError

_READ = {
    "contents": "read", "issues": "read", "pull_requests": "read", "checks": "read", "statuses": "read",
    "metadata": "read",
}  # fmt: skip
_WRITE = {"contents": "write", "issues": "write", "pull_requests": "write", "metadata": "read"}
_RIGHTS = {"read": _READ, "write": _WRITE}
# No step that begins with a token outlives it by being slow.
_LEFT_SECONDS = 20 * 60
_KEPT: dict[tuple[str, ...], tuple[str, float]] = {}
_LOCK = threading.Lock()


class _App(BaseModel):
    slug: str


class _Token(BaseModel):
    token: str
    expires_at: AwareDatetime


def installation_token(target: Target, right: Literal["read", "write"]) -> str:
    """A token of the App's installation for the target's repository alone.

    Raises:
        ForgeError: the key, the App or the installation is not what the policy says, or GitHub does not answer.
    """
    address, access = forge_address(target), target.forge_access
    name = (address.api, address.repository, access.app.id, str(access.app.installation), access.account)
    # The lock makes a crowd of steps ask once.
    with _LOCK:
        token, ends = _KEPT.get(name, ("", 0.0))
        if right == "read" and ends - time.time() > _LEFT_SECONDS:
            return token
        api = GitHubApi(address.api, _signing(target))
        _demand_account(api, access.account)
        made = _made(api, access.app.installation, address.repository, right)
        if right == "read":
            _KEPT[name] = made.token, made.expires_at.timestamp()
        return made.token


def _signing(target: Target) -> AppAuthStrategy:
    app = target.forge_access.app
    # Where a variable cannot hold lines, people write them as \n.
    key = read_secret(app.key, "forge_access.app.key").replace("\\n", "\n").strip() + "\n"
    try:
        load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ForgeError("forge_access.app.key gives something that is no private key in PEM form") from None
    return AppAuthStrategy(app.id, key)


def _demand_account(api: GitHubApi, account: str) -> None:
    """Looking finds only what the account opened: another App would open everything twice."""
    found = shaped(_App, api.get("/app")).slug
    if f"{found}[bot]".lower() != account.lower():
        raise ForgeError(f"the App of forge_access.app is {found}[bot], not forge_access.account {account}")


def _made(api: GitHubApi, installation: int, repository: str, right: Literal["read", "write"]) -> _Token:
    request = {"repositories": [repository.split("/")[1]], "permissions": _RIGHTS[right]}
    reply = api.act("POST", f"/app/installations/{installation}/access_tokens", request)
    if not reply.good:
        hint = ""
        if reply.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            hint = f"; the installation lacks {repository} or one of: {', '.join(_RIGHTS[right])}"
        raise ForgeError(api.complaint(reply, f"making a token to {right}") + hint)
    made = shaped(_Token, reply.content)
    if made.expires_at <= datetime.now(UTC):
        raise ForgeError("GitHub made a token that is over already: is this machine's clock right?")
    return made

"""githubkit with every door closed: one origin, no redirect, no proxy, no cache, no repeat, bounded answers.

Everything goes through ``JsonApi``, so looking, acting and complaining are those of every forge; githubkit signs as a
token or as an App. Why so: docs/adr/0008.
"""

import json
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from githubkit import GitHub
from githubkit.auth import AppAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import RequestError, RequestFailed

from adapters.forges.http.json_api import MOST_PAGES, JsonApi, Reply
from adapters.forges.http.wire import (
    CONNECT_SECONDS,
    LARGEST,
    READ_SECONDS,
    SHOWN,
    TOO_SLOW,
    WHOLE_SECONDS,
    AnswerDeadline,
    RawAnswer,
    Send,
    UnclearAnswer,
    answer_within,
)
from policies.counted import shortened
from ports.forge import ForgeError

_PAGE = 100
_HEADERS = {
    "Accept": "application/vnd.github+json, application/json",
    "X-GitHub-Api-Version": "2022-11-28",
    # Unpacked answers could be of any size.
    "Accept-Encoding": "identity",
}
_NUMBERED = re.compile(r"/repositories/([0-9]{1,18})(?=/|$)")
_FULL_NAME = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}")
_NEXT = re.compile(r'<([^<>]+)>;\s*rel="next"')


class GitHubApi(JsonApi):
    """Requests to one GitHub, with a token, as an App, or as nobody."""

    def __init__(self, base: str, auth: str | AppAuthStrategy) -> None:
        """``base``: address of the API; ``auth``: a token, an App's key, or an empty string."""
        super().__init__(base, _HEADERS, _send_with_githubkit(base, auth))

    def pages(self, path: str, within: str = "", **query: str) -> Iterator[Any]:
        """Every entry of a list, each once, for as long as GitHub says that there is more.

        Raises:
            ForgeError: the list broke off: fewer entries than GitHub counted, or nothing where there should be more.
        """
        known: set[object] = set()
        request = query | {"per_page": str(_PAGE)}
        for page in range(2, MOST_PAGES + 2):
            reply = self.look(path, **request)
            if not reply.good:
                raise self.failed(reply, f"looking at {path}")
            items, total = self._entries(reply, path, within)
            before = len(known)
            for item in items:
                if (identity := _identity(item)) not in known:
                    known.add(identity)
                    yield item
            if (following := _following(reply.headers.get("Link", ""))) is not None:
                if len(known) == before:
                    raise ForgeError(f"{self._host} showed nothing new of {path}, and says there is more: truncated")
                # Its query alone: the address is ours, whatever host the answer names.
                request = following
            elif len(items) == _PAGE:
                # A full page without a word of the next: only asking tells that it was the last.
                request = query | {"per_page": str(_PAGE), "page": str(page)}
            elif total is not None and len(known) < total:
                raise ForgeError(f"{self._host} showed {len(known)} of {total} entries of {path}: truncated")
            else:
                return
        raise ForgeError(f"{self._host} does not come to an end of {path}")

    def _name_at(self, place: str) -> str:
        """GitHub redirects to the number of a repository: asked of our own address, never followed."""
        try:
            url = urlsplit(place)
            found = _NUMBERED.search(url.path) if url.netloc == self._host else None
            told = self._ask("GET", f"/repositories/{found[1]}").content if found else None
        except (ForgeError, ValueError):
            return ""
        name = told.get("full_name") if isinstance(told, dict) else None
        return name if isinstance(name, str) and _FULL_NAME.fullmatch(name) else ""

    def _entries(self, reply: Reply, path: str, within: str) -> tuple[list[dict[str, Any]], int | None]:
        found: Any = reply.content
        total = None
        if within and isinstance(found, dict):
            found, total = found.get(within), found.get("total_count")
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise ForgeError(f"{self._host} answered {path} with something that is no list of entries")
        return found, total if isinstance(total, int) else None


def _identity(item: Mapping[str, Any]) -> object:
    # Rules have no id: what is equal is the same.
    return str(item["id"]) if "id" in item else json.dumps(item, sort_keys=True)


def _following(link: str) -> dict[str, str] | None:
    found = _NEXT.search(link)
    try:
        return dict(parse_qsl(urlsplit(found[1]).query)) if found else None
    except ValueError:
        # An address that is none leads nowhere: the next page is asked for by its number.
        return None


class _OneOrigin(httpx.BaseTransport):
    """Reaches one origin; nothing that a library adds, or an answer says, leads anywhere else."""

    def __init__(self, base: str) -> None:
        self._origin = _origin(httpx.URL(base))
        # The system's authorities, or git's own variable for a company's.
        context = ssl.create_default_context(cafile=os.environ.get("GIT_SSL_CAINFO"))
        self._inner = httpx.HTTPTransport(verify=context, trust_env=False, retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and read a bounded answer."""
        if _origin(request.url) != self._origin:
            raise httpx.UnsupportedProtocol(f"{request.url.host} is not the forge")
        with answer_within(WHOLE_SECONDS) as deadline:
            request.extensions["trace"] = _showing(deadline)
            try:
                answer = self._inner.handle_request(request)
                try:
                    body = _bounded(answer)
                finally:
                    answer.close()
                deadline.demand()
            except (httpx.TransportError, TimeoutError) as problem:
                if deadline.over:
                    raise httpx.ReadTimeout(TOO_SLOW) from problem
                raise
        return httpx.Response(answer.status_code, headers=answer.headers, content=body, extensions=answer.extensions)

    def close(self) -> None:
        """After each request, as githubkit does: a connection that nobody holds is left to nobody."""
        self._inner.close()


def _showing(deadline: AnswerDeadline) -> Callable[[str, dict[str, Any]], None]:
    """Show the deadline the connection of a request as soon as it is there."""

    def trace(event: str, facts: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            deadline.watch(facts["return_value"].get_extra_info("socket"))

    return trace


def _bounded(answer: httpx.Response) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise httpx.DecodingError("the answer is packed, though it was asked for plain")
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > LARGEST:
            break
    return bytes(body[: LARGEST + 1])


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _send_with_githubkit(base: str, auth: str | AppAuthStrategy) -> Send:
    settings: dict[str, Any] = {
        "base_url": base,
        "transport": _OneOrigin(base),
        "trust_env": False,
        "follow_redirects": False,
        "auto_retry": False,
        "http_cache": False,
        # Its own, shared by all clients of a process, knows Apps by their number and not by their key.
        "cache_strategy": MemCacheStrategy(),
        "timeout": httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
    }
    github: GitHub[Any] = GitHub(auth, **settings) if auth else GitHub(**settings)

    def send(method: str, address: str, headers: Mapping[str, str], body: bytes | None) -> RawAnswer:
        try:
            answer = github.request(method, address, headers=dict(headers), content=body).raw_response
        except RequestFailed as failed:
            # Whatever it makes of the status: what to do about it is decided in one place, for every forge.
            answer = failed.response.raw_response
        except RequestError as problem:
            cause = problem.__cause__ or problem
            raise UnclearAnswer(shortened(f"{type(cause).__name__}: {cause}", SHOWN)) from problem
        except ValueError as problem:
            raise UnclearAnswer(shortened(f"its rate limit is no number: {problem}", SHOWN)) from problem
        return RawAnswer(answer.status_code, answer.headers, answer.content)

    return send

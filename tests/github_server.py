"""A GitHub for tests, on loopback: git over smart HTTP, and the part of the REST API that the adapter uses.

Its API is only reached through Prism, so each request of ours and each answer of this double is held against GitHub's
published contract. State and behaviour are in github_repository.py.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from faulty_proxy import _body
from gitea_server import BOT, OWNER, STRANGER
from github_contract import Description, Prism
from github_repository import Answer, DoubleRepository, user
from world import git

_GIT = re.compile(r"/(?P<name>[\w.-]+/[\w.-]+)\.git(?P<rest>/(info/refs|git-upload-pack|git-receive-pack))")
_REPOSITORY = re.compile(r"/repos/(?P<name>[\w.-]+/[\w.-]+)(?P<rest>/.*)?")
_TOKENS = re.compile(r"/app/installations/(?P<number>\d+)/access_tokens")
_BY_NUMBER = re.compile(r"/api/v3/repositories/(\d+)")
_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"})


@dataclass
class Token:
    """What a token may: everything, or these rights in these repositories."""

    login: str
    rights: dict[str, str] | None = None
    repositories: tuple[str, ...] | None = None
    is_app: bool = False

    def may(self, right: str, level: str) -> bool:
        """Whether it has at least this level."""
        if (right, level) == ("metadata", "read"):
            # Every token on GitHub has it.
            return True
        given = "write" if self.rights is None else self.rights.get(right, "")
        return given in {"write", level}


@dataclass
class App:
    """A GitHub App with one installation."""

    number: int = 4711
    slug: str = "autonomy-app"
    installation: int = 77
    rights: dict[str, str] = field(
        default_factory=lambda: {
            "contents": "write", "issues": "write", "pull_requests": "write", "checks": "read", "statuses": "read",
            "metadata": "read",
        }
    )  # fmt: skip
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def pem(self) -> str:
        """What its owner downloads."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


class GitHubServer:
    """One running double; people ask it with ``ask``, past Prism."""

    def __init__(self, home: Path, description: Description) -> None:
        self.home, self.description = home, description
        self.app = App()
        self.tokens = {OWNER: "ghp_owner", BOT: "github_pat_bot", "reader": "github_pat_reader", STRANGER: "ghp_str"}
        reads = dict.fromkeys(("contents", "issues", "pull_requests", "checks", "statuses", "metadata"), "read")
        self.known = {
            "ghp_owner": Token(OWNER),
            "ghp_str": Token(STRANGER),
            "github_pat_bot": Token(BOT, {"contents": "write", "issues": "write", "pull_requests": "write"}),
            "github_pat_reader": Token(BOT, reads),
        }
        self.broken: list[str] = []
        """What Prism held against our requests, or against this double."""
        self.minted: list[dict[str, Any]] = []
        self.repositories: dict[str, DoubleRepository] = {}
        self.renamed: dict[str, str] = {}
        """Repositories by the names that they no longer have."""
        self.lock = threading.RLock()
        self._api = _serve(self._answer_api)
        self._front = _serve(self._answer_front)
        self.prism = Prism(home / "prism", description, f"http://127.0.0.1:{self._api.server_address[1]}")

    @property
    def address(self) -> str:
        """Where git and the API are."""
        return f"http://127.0.0.1:{self._front.server_address[1]}"

    def stop(self) -> None:
        """End all."""
        self.prism.stop()
        for server in (self._front, self._api):
            server.shutdown()
            server.server_close()

    def make_repository(self, name: str, private: bool = False, bot_may: str = "write") -> str:
        """An empty repository of the owner; ``owner/name``."""
        full = f"{OWNER}/{name}"
        place = self.home / "git" / f"{full}.git"
        place.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", cwd=place)
        may = {OWNER: "admin", BOT: bot_may, f"{self.app.slug}[bot]": "write"}
        self.repositories[full] = DoubleRepository(full, place, self.description, self.address, private, may)
        return full

    def remote(self, repository: str, token: str = "") -> str:
        """The repository's address for git; with a token, for a person's own git only."""
        return self.address.replace("//", f"//p:{token}@" if token else "//") + f"/{repository}.git"

    def ask(self, method: str, path: str, token: str = "", **content: object) -> Answer:
        """A person's request, by the owner unless another token is given."""
        url = urlsplit(path)
        return self._api_answer(
            method, url.path, dict(parse_qsl(url.query)), content, f"token {token or self.tokens[OWNER]}"
        )

    # The API

    def _answer_api(self, asked: BaseHTTPRequestHandler) -> None:
        url, body = urlsplit(asked.path), _body(asked)
        content = json.loads(body) if body else {}
        authorization = asked.headers.get("Authorization", "")
        answer = self._api_answer(asked.command, unquote(url.path), dict(parse_qsl(url.query)), content, authorization)
        _say(
            asked,
            answer.status,
            json.dumps(answer.content).encode(),
            {"Content-Type": "application/json"} | answer.headers,
        )

    def _api_answer(
        self, method: str, path: str, query: dict[str, str], content: dict[str, Any], authorization: str
    ) -> Answer:
        with self.lock:
            if path == "/app" or _TOKENS.fullmatch(path):
                return self._as_app(path, content, authorization)
            token = self._token(authorization.removeprefix("token ").removeprefix("Bearer "))
            if authorization and token is None:
                return Answer.refusal(401, "Bad credentials")
            if path == "/user":
                if token is None:
                    return Answer.refusal(401, "Requires authentication")
                if token.is_app:
                    return Answer.refusal(403, "Resource not accessible by integration")
                example = self.description.example("/user", "get", 200)
                return Answer(200, example | user(token.login))
            found = _REPOSITORY.fullmatch(path)
            repository = self.repositories.get(found["name"]) if found else None
            if found is None or repository is None or not self._sees(token, repository):
                return Answer.refusal(404, "Not Found")
            right, level = repository.right(method, found["rest"] or "")
            who = token.login if token else ""
            if (token is None and level == "write") or (token is not None and not token.may(right, level)):
                kind = "integration" if token and token.is_app else "personal access token"
                return Answer.refusal(403, f"Resource not accessible by {kind}")
            if level == "write" and repository.may.get(who, "read") not in {"admin", "write"} and right != "issues":
                return Answer.refusal(403, "Must have push access to repository")
            return repository.answer(who, method, found["rest"] or "", query, content)

    def _as_app(self, path: str, content: dict[str, Any], authorization: str) -> Answer:
        try:
            claims = jwt.decode(
                authorization.removeprefix("Bearer "), self.app.key.public_key(), algorithms=["RS256"],
                issuer=str(self.app.number), options={"require": ["exp", "iat", "iss"]},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            return Answer.refusal(401, "A JSON web token could not be decoded")
        if claims["exp"] - claims["iat"] > 600:
            return Answer.refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        if path == "/app":
            return Answer(200, self.description.example("/app", "get", 200) | {"slug": self.app.slug})
        found = _TOKENS.fullmatch(path)
        if found is None or int(found["number"]) != self.app.installation:
            return Answer.refusal(404, "Not Found")
        names = tuple(f"{OWNER}/{name}" for name in content.get("repositories", ()))
        wanted = content.get("permissions", self.app.rights)
        lacks = [right for right, level in wanted.items() if not Token("", self.app.rights).may(right, level)]
        if lacks or any(name not in self.repositories for name in names):
            return Answer.refusal(422, "The permissions requested are not granted to this installation.")
        text = f"ghs_{secrets.token_hex(18)}"
        self.known[text] = Token(f"{self.app.slug}[bot]", wanted, names, is_app=True)
        self.minted.append(content)
        ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = "/app/installations/{installation_id}/access_tokens"
        example = self.description.example(path, "post", 201)
        return Answer(201, example | {"token": text, "expires_at": ends, "permissions": wanted})

    def _token(self, text: str) -> Token | None:
        return self.known.get(text)

    @staticmethod
    def _sees(token: Token | None, repository: DoubleRepository) -> bool:
        if token and token.repositories is not None and repository.name not in token.repositories:
            return False
        return not repository.private or (token is not None and token.login in repository.may)

    # git, and the way to the API

    def _answer_front(self, asked: BaseHTTPRequestHandler) -> None:
        url, body = urlsplit(asked.path), _body(asked)
        if found := _GIT.fullmatch(url.path):
            return self._answer_git(asked, found["name"], found["rest"], url.query, body)
        if not url.path.startswith("/api/v3/"):
            return _say(asked, 404, b"", {})
        if found := _BY_NUMBER.fullmatch(url.path):
            # Where GitHub's redirects lead; its published contract does not have it, so Prism would refuse.
            name = next((name for name in self.repositories if _number(name) == int(found[1])), "")
            content = json.dumps({"id": int(found[1]), "full_name": name}).encode()
            return _say(asked, 200 if name else 404, content, {"Content-Type": "application/json"})
        found = _REPOSITORY.fullmatch(url.path.removeprefix("/api/v3"))
        if found and (now := self.renamed.get(found["name"])):
            # As GitHub does it: to the number, never to the new name. Prism would follow it.
            place = f"{self.address}/api/v3/repositories/{_number(now)}{found['rest'] or ''}"
            content = json.dumps({"message": "Moved Permanently", "url": place}).encode()
            return _say(asked, 301, content, {"Content-Type": "application/json", "Location": place})
        connection = http.client.HTTPConnection("127.0.0.1", self.prism.port, timeout=60)
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in _HOP}
        try:
            connection.request(asked.command, asked.path.removeprefix("/api/v3"), body or None, headers)
            answer = connection.getresponse()
            shown = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            content = answer.read()
            if b"stoplight.io/prism/errors" in content:
                self.broken.append(f"{asked.command} {asked.path}: {content.decode()}")
            return _say(asked, answer.status, content, shown)
        finally:
            connection.close()

    def _answer_git(self, asked: BaseHTTPRequestHandler, name: str, rest: str, query: str, body: bytes) -> None:
        if now := self.renamed.get(name):
            return _say(asked, 301, b"", {"Location": f"{self.remote(now)}{rest}?{query}"})
        repository = self.repositories.get(name)
        given = asked.headers.get("Authorization", "")
        text = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")[2] if given else ""
        token = self._token(text)
        writes = "receive-pack" in rest or "receive-pack" in query
        if (
            repository is None
            or (writes and not given)
            or (given and token is None)
            or not self._sees(token, repository)
        ):
            return _say(asked, 401, b"", {"WWW-Authenticate": 'Basic realm="GitHub"'})
        may = (
            token is not None
            and token.may("contents", "write")
            and repository.may.get(token.login) in {"admin", "write"}
        )
        if writes and not may:
            return _say(asked, 403, b"Write access to repository not granted.\n", {"Content-Type": "text/plain"})
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.home / "git"), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{name}.git{rest}", "QUERY_STRING": query, "REQUEST_METHOD": asked.command,
            "CONTENT_TYPE": asked.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""), "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""), "REMOTE_USER": token.login if token else "",
        }  # fmt: skip
        environment = {key: value for key, value in environment.items() if value}
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        return _say(asked, status, content, headers)


def _number(name: str) -> int:
    return crc32(name.encode())


def _serve(answer: Callable[[BaseHTTPRequestHandler], None]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return lambda: answer(self)
            raise AttributeError(name)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _say(asked: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    asked.send_response(status)
    for name, value in headers.items():
        asked.send_header(name, value)
    asked.send_header("Content-Length", str(len(body)))
    asked.end_headers()
    asked.wfile.write(body)

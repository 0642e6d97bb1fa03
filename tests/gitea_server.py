"""A real Gitea on loopback with SQLite, for tests: users, tokens, repositories, and a person's deeds.

``make gitea`` builds the server from the Go module in tests/gitea.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

PROGRAM = Path(__file__).resolve().parents[1] / ".cache" / "gitea" / "gitea"
STATIC = PROGRAM.with_name("static")
HOOK = Path(__file__).with_name("gitea_hook.bash")
OWNER, BOT, STRANGER = "owner", "bot", "stranger"
BOT_SCOPES = "write:repository,write:issue,read:user"
READ_SCOPES = "read:repository,read:issue"
_CONFIGURATION = """
APP_NAME = Forge of the tests
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {home}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
STATIC_ROOT_PATH = {static}
APP_DATA_PATH = {home}/data
[database]
DB_TYPE = sqlite3
PATH = {home}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {home}/repositories
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2$1$4
INTERNAL_TOKEN = {token}
[git.config]
core.hooksPath = {home}/hooks
[service]
DISABLE_REGISTRATION = true
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[mailer]
ENABLED = false
[actions]
ENABLED = true
[log]
MODE = file
LEVEL = Warn
ROOT_PATH = {home}/log
"""


class GiteaFailed(Exception):
    """The server or a command of it ended badly; with what it said."""


@dataclass
class Answer:
    """Status and JSON of one request."""

    status: int
    content: Any


@dataclass
class GiteaServer:
    """One running server; its owner's, bot's and stranger's tokens."""

    home: Path
    port: int
    tokens: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Make the database and the users, and serve."""
        self.home.mkdir(parents=True)
        token = secrets.token_hex(20)
        configuration = _CONFIGURATION.format(
            user=getpass.getuser(), home=self.home, port=self.port, static=STATIC, token=token
        )
        (self.home / "app.ini").write_text(configuration)
        (self.home / "hooks").mkdir()
        for name in ("pre-receive", "post-receive"):
            hook = self.home / "hooks" / name
            hook.write_text(HOOK.read_text().replace("port=PORT token=TOKEN", f"port={self.port} token={token}"))
            hook.chmod(0o755)
        self._command("migrate")
        for name in (OWNER, BOT, STRANGER):
            admin = ("--admin",) if name == OWNER else ()
            password = secrets.token_urlsafe(16)
            mail = f"{name}@example.invalid"
            self._command(
                "admin", "user", "create", "--username", name, "--password", password, "--email", mail,
                "--must-change-password=false", *admin,
            )  # fmt: skip
        self.tokens = {OWNER: self.token(OWNER, "all"), BOT: self.token(BOT, BOT_SCOPES)}
        self.tokens["reader"] = self.token(BOT, READ_SCOPES)
        self.serve()

    def serve(self) -> None:
        """Start the server process, and wait until it answers."""
        with (self.home / "output").open("ab") as output:
            self.process = subprocess.Popen([*self._argv, "web"], stdout=output, stderr=output, env=self._environment)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise GiteaFailed((self.home / "output").read_text())
            try:
                self.http.request("GET", f"{self.address}/api/v1/version", timeout=5)
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise GiteaFailed("Gitea does not answer")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def token(self, user: str, scopes: str) -> str:
        """A new access token."""
        name = f"t{secrets.token_hex(4)}"
        said = self._command(
            "admin", "user", "generate-access-token", "--username", user, "--token-name", name, "--scopes", scopes,
            "--raw",
        )  # fmt: skip
        found = re.search(r"^[0-9a-f]{40}$", said, re.MULTILINE)
        if found is None:
            raise GiteaFailed(f"no token in {said!r}")
        return found[0]

    def runner_token(self) -> str:
        """With it a CI runner registers itself."""
        return self._command("actions", "generate-runner-token").split()[-1]

    def ask(self, method: str, path: str, token: str = "", **content: object) -> Answer:
        """One request below ``/api/v1``, by the owner unless another token is given."""
        answer = self.http.request(
            method,
            f"{self.address}/api/v1{path}",
            body=json.dumps(content).encode() if content else None,
            headers={"Authorization": f"token {token or self.tokens[OWNER]}", "Content-Type": "application/json"},
            timeout=60,
        )
        text = answer.data.decode(errors="replace")
        is_json = "json" in answer.headers.get("Content-Type", "") and bool(text)
        return Answer(answer.status, json.loads(text) if is_json else text)

    def done(self, method: str, path: str, token: str = "", **content: object) -> Any:
        """One request that must succeed."""
        answer = self.ask(method, path, token, **content)
        if answer.status >= 400:
            raise GiteaFailed(f"{method} {path}: {answer.status} {answer.content}")
        return answer.content

    def make_repository(self, name: str, private: bool = False, bot_may: str = "write") -> str:
        """An empty repository of the owner, in which the bot has a right; ``owner/name``."""
        self.done("POST", "/user/repos", name=name, private=private, default_branch="main")
        self.done("PUT", f"/repos/{OWNER}/{name}/collaborators/{BOT}", permission=bot_may)
        return f"{OWNER}/{name}"

    def own_hooks(self, repository: str) -> Path:
        """From now on a push to the repository starts Gitea's own hooks; their folder."""
        with (self.home / "repositories" / f"{repository}.git" / "config").open("a") as config:
            config.write("[core]\n\thooksPath = hooks\n")
        return self.home / "repositories" / f"{repository}.git" / "hooks"

    def remote(self, repository: str, token: str = "") -> str:
        """The repository's address for git; with a token, for a person's own git only."""
        return f"http://{'p:' + token + '@' if token else ''}127.0.0.1:{self.port}/{repository}.git"

    @property
    def _argv(self) -> list[str]:
        return [str(PROGRAM), "--work-path", str(self.home), "--config", str(self.home / "app.ini")]

    @property
    def _environment(self) -> dict[str, str]:
        # A push starts this large program three times as a hook: a quarter of that is looking for garbage.
        saving = {"GOGC": "off", "GOMEMLIMIT": "400MiB"}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "USER": getpass.getuser()} | saving

    def _command(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._argv, *arguments], env=self._environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise GiteaFailed(f"gitea {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

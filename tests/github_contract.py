"""GitHub's published contract for tests: a description of what we use of it, its examples, and Prism to hold it up.

``make prism`` installs both from tests/github. The whole description takes Prism 25 seconds and 330 MB to read, so each
test session cuts the paths that the adapter and its double use out of it; every schema they name comes along whole.
"""

from __future__ import annotations

import copy
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from gitea_server import free_port

MODULES = Path(__file__).resolve().parents[1] / ".cache" / "github" / "node_modules"
PROGRAM = MODULES / ".bin" / "prism"
PUBLISHED = MODULES / "@octokit/openapi/generated/api.github.com.json"
_REPOSITORY = "/repos/{owner}/{repo}"
_USED = (
    "/user",
    "/app",
    "/app/installations/{installation_id}/access_tokens",
    *(
        _REPOSITORY + path
        for path in (
            "/pulls", "/pulls/{pull_number}", "/pulls/{pull_number}/merge", "/pulls/{pull_number}/reviews",
            "/issues", "/issues/{issue_number}", "/issues/{issue_number}/events", "/issues/{issue_number}/comments",
            "/commits/{ref}/check-runs", "/commits/{ref}/statuses", "/statuses/{sha}", "/check-runs",
            "", "/branches", "/branches/{branch}", "/rules/branches/{branch}", "/rulesets/{ruleset_id}",
            "/git/commits/{commit_sha}", "/collaborators/{username}/permission",
        )
    ),
)  # fmt: skip


class ContractBroken(Exception):
    """The description lacks something that we use, or Prism does not start; with what it said."""


@dataclass
class Description:
    """The description, cut down."""

    content: dict[str, Any]

    @classmethod
    def published(cls) -> Description:
        """Of the paths in use; GitHub's own words everywhere."""
        whole = json.loads(PUBLISHED.read_text())
        if missing := [path for path in _USED if path not in whole["paths"]]:
            raise ContractBroken(f"GitHub describes no {missing}")
        parts: dict[str, dict[str, Any]] = {}
        paths = {path: whole["paths"][path] for path in _USED}
        _collect(paths, whole["components"], parts)
        keep = {key: whole[key] for key in ("openapi", "info", "servers")}
        return cls({**keep, "paths": paths, "components": parts})

    def example(self, path: str, method: str, status: int) -> Any:
        """The published example of an answer."""
        answer = self._found(self.content["paths"][path][method]["responses"][str(status)])
        examples = answer["content"]["application/json"]["examples"]
        return copy.deepcopy(self._found(next(iter(examples.values())))["value"])

    def _found(self, what: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in what:
            _, _, kind, name = what["$ref"].split("/")
            what = self.content["components"][kind][name]
        return what


def _collect(node: Any, components: dict[str, Any], parts: dict[str, dict[str, Any]]) -> None:
    if isinstance(node, list):
        for each in node:
            _collect(each, components, parts)
    if not isinstance(node, dict):
        return
    if isinstance(reference := node.get("$ref"), str):
        _, _, kind, name = reference.split("/")
        if name not in parts.setdefault(kind, {}):
            parts[kind][name] = components[kind][name]
            _collect(parts[kind][name], components, parts)
    for each in node.values():
        _collect(each, components, parts)


class Prism:
    """One running Prism: a mock, or a proxy that answers for any request or answer out of contract."""

    def __init__(self, folder: Path, description: Description, upstream: str = "") -> None:
        """With an ``upstream`` a validating proxy before it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._log = folder / "prism.log"
        place = folder / "github.json"
        place.write_text(json.dumps(description.content))
        how = ["proxy", str(place), upstream, "--errors"] if upstream else ["mock", str(place)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), *how, "--host", "127.0.0.1", "--port", str(self.port)], stdout=log, stderr=log
            )
        end = time.monotonic() + 120
        http = urllib3.PoolManager(retries=False)
        while time.monotonic() < end and self._process.poll() is None:
            try:
                http.request("GET", f"{self.address}/nothing", timeout=10)
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        raise ContractBroken(self._log.read_text())

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)

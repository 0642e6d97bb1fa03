"""A CI runner of the tests for a real Gitea's own CI: it takes jobs and reports what the test says, running nothing.

It speaks the protocol of Gitea's runner (Connect, as JSON).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gitea_server import GiteaFailed, GiteaServer

WORKFLOW = "name: CI\non: [push]\njobs:\n  test:\n    runs-on: tests\n    steps:\n      - run: 'true'\n"


@dataclass
class Runner:
    """One registered runner with the label ``tests``."""

    server: GiteaServer
    identity: dict[str, str] = field(default_factory=dict)

    def register(self) -> None:
        """Once."""
        told = {"name": "tests", "token": self.server.runner_token(), "version": "v1", "labels": ["tests"]}
        runner = self._ask("Register", **told)["runner"]
        self.identity = {"x-runner-uuid": runner["uuid"], "x-runner-token": runner["token"]}
        self._ask("Declare", version="v1", labels=["tests"])

    def does(self, result: str, *log: str, seconds: float = 60) -> None:
        """Take the next job, when there is one, and end it: ``SUCCESS`` or ``FAILURE``, with these lines."""
        end = time.monotonic() + seconds
        while not (task := self._ask("FetchTask", tasksVersion="0").get("task")):
            if time.monotonic() > end:
                raise GiteaFailed("no job came")
            time.sleep(0.2)
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        rows = [{"time": now, "content": line} for line in log]
        self._ask("UpdateLog", taskId=task["id"], index="0", rows=rows, noMore=False)
        self._ask("UpdateLog", taskId=task["id"], index=str(len(rows)), rows=[], noMore=True)
        state = {"id": task["id"], "result": f"RESULT_{result}", "startedAt": now, "stoppedAt": now}
        self._ask("UpdateTask", state=state)

    def _ask(self, method: str, **content: Any) -> dict[str, Any]:
        answer = self.server.http.request(
            "POST",
            f"{self.server.address}/api/actions/runner.v1.RunnerService/{method}",
            body=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", **self.identity},
            timeout=60,
        )
        if answer.status != 200:
            raise GiteaFailed(f"{method}: {answer.status} {answer.data!r}")
        found: dict[str, Any] = json.loads(answer.data)
        return found

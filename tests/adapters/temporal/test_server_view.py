"""What the watch sees of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from adapters.temporal.server_view import _SIDE_BY_SIDE, TemporalServerView

OPEN = 1_200


class Server:
    """A server with many open workflows, two of them listed twice; counts who asks at once."""

    def __init__(self) -> None:
        self.asking = self.most = 0

    async def _listed(self) -> AsyncIterator[Any]:
        for number in (0, 1, *range(OPEN)):
            yield SimpleNamespace(id=f"w-{number}", run_id=f"r-{number}")

    def list_workflows(self, _query: str, **limits: object) -> AsyncIterator[Any]:
        """Pages, as the SDK fetches them."""
        assert "limit" not in limits
        return self._listed()

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> Any:
        """A handle that knows itself."""

        async def describe(**_limits: object) -> Any:
            self.asking += 1
            self.most = max(self.most, self.asking)
            await asyncio.sleep(0)
            self.asking -= 1
            raw = SimpleNamespace(HasField=lambda _name: False, pending_activities=())
            return SimpleNamespace(
                id=workflow_id,
                run_id=run_id,
                workflow_type="Control",
                typed_search_attributes={},
                history_length=3,
                raw_description=raw,
            )

        return SimpleNamespace(describe=describe)


async def test_every_open_workflow_is_looked_at() -> None:
    """More than a page, each once, a few at a time: one that is stuck may be the last."""
    server: Any = Server()
    view = TemporalServerView(server, asyncio.get_running_loop())
    seen = await asyncio.to_thread(view.open_workflows)

    assert [f"w-{number}" for number in range(OPEN)] == [sight.workflow_id for sight in seen]
    assert 1 < server.most <= _SIDE_BY_SIDE

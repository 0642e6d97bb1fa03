"""What ``doctor`` says about alerts: the file, each channel's variable, and whether the watch looks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from commands.conversations import alerts_view
from commands.failures import NoAnswer
from composition import Adapters
from policies.counted import counted
from ports.policy_source import PolicyError

Found = tuple[str, bool, str, str]
"""Name, whether it is well, detail, remedy."""
_LOOKS = 3


def channel_findings(adapters: Adapters) -> Iterator[Found]:
    """The configuration. No URL is ever shown, and none is tried: `alerts test` does that, from the worker."""
    name = "alerts.toml"
    try:
        policy = adapters.policies.alerts()
    except PolicyError as problem:
        yield name, False, str(problem), "correct the file; until then alerts reach the file and the terminal only"
        return
    there = (adapters.settings.policies / name).exists()
    plain = "alerts.jsonl" + (" and terminal" if policy.delivery.terminal else "")
    more = f", {counted(len(policy.channels), 'channel')}" if there else "; there is no file, so no more channels"
    yield name, True, f"{plain}{more}", ""
    for channel in policy.channels:
        there = bool(os.environ.get(channel.url_env, "").strip())
        kinds = f"{counted(len(channel.kinds), 'kind')}" if channel.kinds else "all kinds"
        detail = f"{kinds}, {channel.url_env} is {'set here' if there else 'not set here'}"
        remedy = f"export {channel.url_env}=<apprise URL> where the worker runs, then `starter.py alerts test`"
        yield f"channel {channel.name}", there, detail, remedy


async def delivery_findings(client: Client) -> AsyncIterator[Found]:
    """Whether alerts get through, and whether somebody looks for what is missing."""
    name, remedy = "alerts", "see `starter.py alerts`; a worker starts the workflow `alerts` when it starts"
    try:
        view = await alerts_view(client)
    except NoAnswer:
        yield name, False, "nobody answers", "start a worker; if one runs, its log says why `alerts` stands still"
        return
    if view is None:
        yield name, False, "the workflow `alerts` does not run: nobody watches", remedy
        return
    late = [record.id for record in view.undelivered if record.attempts]
    detail = f"undelivered: {', '.join(late[:10])}" if late else "nothing waits for delivery"
    yield name, not late, detail, remedy
    patience = _LOOKS * timedelta(minutes=view.settings.watch_minutes) + timedelta(minutes=1)
    looked = view.watched_at is not None and datetime.now(UTC) - view.watched_at < patience
    seen = f"looked last at {view.watched_at:%Y-%m-%d %H:%M} UTC" if view.watched_at else "has not looked yet"
    yield "watch", looked, seen, "the worker's log says why the activity `watch` fails"

"""The end of a step while an exchange waits: for a limit that is over later, or for Control's word."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from contracts.budget import Amounts
from contracts.exchange import Ending
from demo.scripted_model import Move
from tests.adapters.models.gateways import NOTHING, Wallet, ask, gateway, scripted


def test_the_end_does_not_wait_until_a_limit_is_over(tmp_path: Path) -> None:
    """A deadline in the middle of Retry-After: told as the limit that it is, and nothing is owed."""
    with scripted(Move(status=429, retry_after="60")) as model:
        with gateway(tmp_path, model.url, seconds=300) as (opened, wallet):
            asking = threading.Thread(target=ask, args=(opened.socket, "chat"))
            asking.start()
            while not wallet.settled:
                time.sleep(0.01)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        asking.join(5)
    assert {"1": NOTHING} == wallet.settled
    assert [(Ending.RATE_LIMITED, 60)] == [(each.ending, each.retry_after) for each in opened.exchanges]


def test_what_control_lets_through_too_late_does_not_go_up(tmp_path: Path) -> None:
    """Its step ended meanwhile: no byte went to the model, nothing is owed, and the provider is not at fault."""
    closing: list[threading.Event] = []

    class Slow(Wallet):
        def reserve(self, worst: Amounts) -> Any:
            assert closing[0].wait(10)
            return super().reserve(worst)

    with scripted() as model:
        with gateway(tmp_path, model.url, Slow()) as (opened, wallet):
            closing.append(opened.closing)
            asking = threading.Thread(target=ask, args=(opened.socket, "chat"))
            asking.start()
            while not opened.under_way:
                time.sleep(0.01)
        asking.join(5)
    assert ([], {"1": NOTHING}) == (model.received, wallet.settled)
    assert [(Ending.CUT, 0)] == [(each.ending, each.usd) for each in opened.exchanges]

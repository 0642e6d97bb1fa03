"""A forge's own word for how long to wait, from its headers to Temporal's retry."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from urllib3 import HTTPHeaderDict

from adapters.forges.http.json_api import JsonApi, server_delay
from adapters.forges.http.wire import RawAnswer
from adapters.temporal.activity_failures import ForgePatience
from ports.forge import ForgeError


@pytest.mark.parametrize(
    ("status", "headers", "said", "seconds"),
    [
        (429, {"retry-after": "7"}, "", 7),
        (403, {"Retry-After": "7"}, "You have exceeded a secondary rate limit", 7),
        (503, {"Retry-After": "7"}, "", 7),
        (403, {}, "You have exceeded a secondary rate limit.", 60),
        (403, {}, "You have triggered an abuse detection mechanism. Please wait a few minutes.", 60),
        (403, {}, "was submitted too quickly", 60),
        (429, {}, "", None),
        (403, {}, "Resource not accessible by integration", None),
        (403, {"x-ratelimit-remaining": "12", "x-ratelimit-reset": "9999999999"}, "no", None),
        (429, {"Retry-After": "soon"}, "", None),
        (200, {"Retry-After": "7"}, "", None),
    ],
)
def test_what_an_answer_says_of_waiting(status: int, headers: dict[str, str], said: str, seconds: float | None) -> None:
    """A 403 is a refusal unless it says that it is a limit."""
    assert seconds == server_delay(status, HTTPHeaderDict(headers), said)


@pytest.mark.parametrize(
    ("word", "waits"), [("was submitted too quickly", 60), ("A pull request already exists", None)]
)
def test_githubs_limit_on_what_is_opened_is_told_as_invalid(word: str, waits: float | None) -> None:
    """Among the errors of a 422, and nowhere else: it did not happen, and is no fault of what was sent."""
    body = {"message": "Validation Failed", "errors": [{"resource": "Issue", "message": word}, "odd", {"message": 7}]}
    api = JsonApi("http://x.invalid", {}, lambda *_request: RawAnswer(422, {}, json.dumps(body).encode()))
    if waits is None:
        assert f"Validation Failed: {word}" == api.act("POST", "/issues", {}).said
        return
    with pytest.raises(ForgeError, match="limits the rate") as limited:
        api.act("POST", "/issues", {})
    assert waits == limited.value.retry_after


def test_a_reset_and_a_date_are_told_as_seconds() -> None:
    """GitHub names the second of the reset; others a date."""
    reset = HTTPHeaderDict({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 300)})
    date = HTTPHeaderDict({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)})
    for headers in (reset, date):
        assert 200 < (server_delay(403, headers, "") or 0) <= 301


class _Fails:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def execute_activity(self, _given: object) -> Any:
        raise self.error


@pytest.mark.parametrize(("told", "waits"), [(90.0, 90.0), (0.0, 0.0), (86_400.0, 3600.0), (-5.0, 0.0)])
async def test_the_delay_is_temporals_next_retry(told: float, waits: float) -> None:
    """At most an hour; the error keeps its name."""
    around = ForgePatience().intercept_activity(_Fails(ForgeError("limited", told)))
    with pytest.raises(ApplicationError) as raised:
        await around.execute_activity(None)
    assert ("ForgeError", timedelta(seconds=waits)) == (raised.value.type, raised.value.next_retry_delay)
    assert not raised.value.non_retryable


async def test_other_errors_pass() -> None:
    """Without the forge's word Temporal's own backoff counts."""
    for error in (ForgeError("down"), ValueError("x")):
        with pytest.raises(type(error)):
            await ForgePatience().intercept_activity(_Fails(error)).execute_activity(None)

"""A GitHub that fails, limits, cuts short: once each thing, a delay that is its own word, a refusal that says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from faulty_proxy import Fault, FaultyProxy
from forge_stages import GitHubStage, writes_failing_at

from contracts.modes import WriteAction
from ports.forge import ForgeError

PULL, TICKET = WriteAction.OPEN_PULL_REQUEST, WriteAction.OPEN_TICKET
Proxied = tuple[GitHubStage, FaultyProxy]


@pytest.fixture
def proxied(on_github: Callable[..., GitHubStage]) -> Iterator[Proxied]:
    """A stage whose remote and API are behind the proxy."""
    stage = on_github()
    with FaultyProxy(stage.server.address) as proxy:
        yield stage.through(proxy.address), proxy


@pytest.mark.parametrize("status", ["401", "403", "404", "409", "422"])
def test_a_status_instead_of_acting_is_a_refusal_with_its_words(proxied: Proxied, status: str) -> None:
    """And nothing was opened: the next attempt opens it."""
    stage, proxy = proxied
    assert stage.perform(stage.effect()).done
    proxy.faults = [Fault("status", "POST", "/pulls$", status)]
    said = stage.perform(stage.effect(PULL))
    assert (False, True) == (said.done, status in said.refused)
    assert () == stage.forge.pull_requests()
    assert stage.perform(stage.effect(PULL)).done


@pytest.mark.parametrize(
    ("status", "headers", "least", "most"),
    [
        ("403", {"Retry-After": "1800"}, 1800, 1800),
        ("429", {"Retry-After": "90"}, 90, 90),
        ("403", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, 500, 602),
        ("429", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, 500, 602),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_rate_limit_names_githubs_own_delay(
    proxied: Proxied, status: str, headers: dict[str, str], least: float, most: float, method: str
) -> None:
    """Primary and secondary, looking and acting, out of the child: the step is told when to come back."""
    stage, proxy = proxied
    reset = str(int(time.time()) + 600)
    told = {name: reset if value == "soon" else value for name, value in headers.items()}
    proxy.faults = [Fault("status", method, "/issues", status, times=9, headers=told)]
    with pytest.raises(ForgeError, match="limits the rate") as limited:
        stage.perform(stage.effect(TICKET, branch="", head_sha=""))
    assert least <= (limited.value.retry_after or 0) <= most
    proxy.faults = []
    assert not stage.perform(stage.effect(TICKET, branch="", head_sha="")).adopted


def test_a_limit_on_reading_names_its_delay_too(proxied: Proxied) -> None:
    """In the worker itself; a short one is waited out on the spot."""
    stage, proxy = proxied
    proxy.faults = [Fault("status", "GET", "/pulls", "429", times=9, headers={"Retry-After": "120"})]
    with pytest.raises(ForgeError) as limited:
        stage.forge.pull_requests()
    assert 120 == limited.value.retry_after
    assert 1 == sum("/pulls" in call.path for call in proxy.calls)
    proxy.faults = [Fault("status", "GET", "/pulls", "403", headers={"Retry-After": "1"})]
    assert () == stage.forge.pull_requests()


@pytest.mark.parametrize("kind", ["cut_after", "fail_after", "half"])
def test_what_was_done_before_an_unclear_answer_is_adopted(proxied: Proxied, kind: str) -> None:
    """Pull request, ticket and merge: once each, in the same attempt."""
    stage, proxy = proxied
    proxy.faults = [Fault(kind, "POST", "/pulls$"), Fault(kind, "POST", "/issues$"), Fault(kind, "PUT", "/merge$")]
    stage.opened()
    assert stage.perform(stage.effect(TICKET, branch="", head_sha="")).done
    landing = stage.landing()
    assert landing.tree_sha == stage.perform(landing).tree_sha
    assert [0, 0, 0] == [fault.times for fault in proxy.faults]
    assert (1, 1) == (len(stage.forge.pull_requests()), len(stage.forge.tickets()))


def test_nothing_done_before_an_unclear_answer_is_an_error(proxied: Proxied) -> None:
    """Could not find out; the next attempt does it."""
    stage, proxy = proxied
    proxy.faults = [Fault("cut_before", "POST", "/issues$")]
    ticket = stage.effect(TICKET, branch="", head_sha="")
    with pytest.raises(ForgeError, match="gave no answer"):
        stage.perform(ticket)
    assert not stage.perform(ticket).adopted


def test_a_list_that_breaks_off_proves_nothing_absent(proxied: Proxied) -> None:
    """An empty page that names a next one, and fewer check runs than were counted."""
    stage, proxy = proxied
    stage.server.repositories[stage.repository].page_size = 1
    for number in range(2):
        assert stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key=f"i-{number}/t")).done
        run = {"name": f"r{number}", "head_sha": stage.base, "status": "queued"}
        assert stage.ask("POST", "/check-runs", **run).status == 201
    proxy.faults = [Fault("empty", "GET", "/issues", times=9)]
    with pytest.raises(ForgeError, match="truncated"):
        stage.forge.tickets()
    proxy.faults = [Fault("unlinked", "GET", "/check-runs", times=9)]
    with pytest.raises(ForgeError, match="1 of 2 entries"):
        stage.forge.required_checks(stage.base)


@pytest.mark.timeout(900)
def test_a_fault_at_every_call_makes_nothing_twice(proxied: Proxied) -> None:
    """Every call of push, pull request and ticket fails once, before it acted or after."""
    stage, proxy = proxied
    call, failed, reached = 0, 0, True
    while reached:
        kind = ("cut_before", "fail_after", "fail_before", "cut_after")[call % 4]
        here = writes_failing_at(stage, proxy, call, kind, call)
        branch, run = f"autonomy/fault-{call}-00000000", f"demo-{call}"
        double = stage.server.repositories[stage.repository]
        made = (
            sum(pull.head == branch for pull in double.pulls.values()),
            sum(f"key={run}/" in issue["body"] for issue in double.issues.values()),
        )
        assert (1, 1) == made, (kind, proxy.calls)
        failed, reached, call = failed + here, here > 0, call + 1
    assert failed > 10

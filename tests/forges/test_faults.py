"""A forge that fails at any call, before or after it acted: exactly one pull request, one ticket, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from faulty_proxy import Fault, FaultyProxy
from forge_stages import GiteaStage, writes_failing_at

from contracts.modes import WriteAction
from ports.forge import ForgeError

OnGitea = Callable[..., GiteaStage]
PULL, TICKET = WriteAction.OPEN_PULL_REQUEST, WriteAction.OPEN_TICKET
KINDS = ("cut_before", "cut_after", "fail_before", "fail_after", "half")


@pytest.fixture
def proxied(on_gitea: OnGitea) -> Iterator[tuple[GiteaStage, FaultyProxy]]:
    """A stage whose remote and API are behind the proxy."""
    stage = on_gitea()
    with FaultyProxy(stage.server.address) as proxy:
        yield stage.through(proxy.address), proxy


def counts(stage: GiteaStage, number: int) -> tuple[int, int]:
    """Pull requests and tickets of one flow, counted by a person: not through our own reading."""
    issues = stage.ask("GET", "/issues?state=all&limit=50&type=issues").content
    pulls = stage.ask("GET", "/pulls?state=all&limit=50").content
    return (
        sum(pull["head"]["label"] == f"autonomy/fault-{number}-00000000" for pull in pulls),
        sum(f"key=demo-{number}/" in issue["body"] for issue in issues),
    )


def sweep(stage: GiteaStage, proxy: FaultyProxy, kinds: Callable[[int], tuple[str, ...]]) -> int:
    """Fail each call of each write once, every time in a flow of its own; how many calls that were."""
    flows, failed, call, reached = 0, 0, 0, True
    while reached:
        for kind in kinds(call):
            flows += 1
            here = writes_failing_at(stage, proxy, flows, kind, call)
            assert (1, 1) == counts(stage, flows), (kind, call, proxy.calls)
            # The first call that no write gets to ends the sweep.
            failed, reached = failed + here, here > 0
        call += 1
    return failed


@pytest.mark.timeout(600)
def test_a_fault_at_every_call_makes_nothing_twice(proxied: tuple[GiteaStage, FaultyProxy]) -> None:
    """Every call of a whole flow fails once, before it acted or after."""
    assert sweep(*proxied, lambda call: (("cut_before", "fail_after", "fail_before", "cut_after")[call % 4],)) > 12


@pytest.mark.sweep
@pytest.mark.timeout(3600)
def test_every_fault_at_every_call_makes_nothing_twice(proxied: tuple[GiteaStage, FaultyProxy]) -> None:
    """Each kind at each call: more than fifty runs."""
    assert sweep(*proxied, lambda _call: KINDS) > 50


def test_a_status_instead_of_acting_is_told_and_opens_nothing(proxied: tuple[GiteaStage, FaultyProxy]) -> None:
    """4xx is a refusal with the forge's words; a rate limit or 5xx means again later. One after the other."""
    stage, proxy = proxied
    stage.perform(stage.effect())
    for status in ("400", "401", "403", "404", "409", "422", "429", "500", "503"):
        proxy.faults = [Fault("status", "POST", "/pulls$", status)]
        if status in {"429", "500", "503"}:
            with pytest.raises(ForgeError, match=status):
                stage.perform(stage.effect(PULL))
        else:
            said = stage.perform(stage.effect(PULL))
            assert (False, True) == (said.done, status in said.refused)
        assert () == stage.forge.pull_requests(), status
    assert stage.perform(stage.effect(PULL)).done


def test_a_short_rate_limit_is_waited_out(proxied: tuple[GiteaStage, FaultyProxy]) -> None:
    """Looking waits as long as the forge says."""
    stage, proxy = proxied
    proxy.faults = [Fault("status", "GET", "/pulls", "429")]
    assert () == stage.forge.pull_requests()
    assert 2 == sum("/pulls" in call.path for call in proxy.calls)


def test_a_truncated_list_proves_nothing_absent(proxied: tuple[GiteaStage, FaultyProxy]) -> None:
    """An empty page where the forge counts more is an error, not "there is none"."""
    stage, proxy = proxied
    stage.opened()
    proxy.faults = [Fault("empty", "GET", "/pulls", times=9)]
    with pytest.raises(ForgeError, match="truncated"):
        stage.forge.pull_requests()
    assert 1 == len(stage.ask("GET", "/pulls?state=all").content)


def test_a_forge_slower_than_the_clearance_is_killed_in_time(proxied: tuple[GiteaStage, FaultyProxy]) -> None:
    """The kernel ends the child; the next attempt finds what the slow one did after all."""
    stage, proxy = proxied
    stage.perform(stage.effect())
    proxy.faults = [Fault("slow", "POST", "/pulls$", "8")]
    with pytest.raises(ForgeError, match="killed when its clearance ended"):
        stage.perform(stage.effect(PULL), seconds=6)
    assert stage.done(stage.effect(PULL)).done
    for _ in range(2):
        assert 1 == len(stage.ask("GET", "/pulls?state=all").content)
        stage.perform(stage.effect(PULL))

"""Alerts through apprise to a real service on loopback: taken, down, slow, refused; and nothing secret is ever said."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from alert_service import SECRET, AlertService, alert_service

from adapters.alerts.apprise_channel import AppriseChannel, text_of
from adapters.alerts.built_in import Terminal
from contracts.alert import Alert, AlertKind
from policies.settings.alerts import ChannelPolicy
from ports.alerts import ChannelFailed

ALERT = Alert(
    kind="run_stuck",
    target="demo",
    run_id="demo-1",
    summary="stuck \x1b[2J at <b>step</b>\nreversed \u202e here",
    facts={"attempt": 7, "path": "a\x07b"},
    fingerprint="f1",
)


@pytest.fixture
def service() -> Iterator[AlertService]:
    with alert_service() as running:
        yield running


def channel(url: str | None, timeout: float = 20, **more: object) -> AppriseChannel:
    environment = {"PATH": os.environ["PATH"], **({} if url is None else {"ONCALL_URL": url})}
    policy = ChannelPolicy(name="oncall", url_env="ONCALL_URL", timeout_seconds=timeout, **more)
    return AppriseChannel(policy, environment)


def refusal(sender: AppriseChannel) -> str:
    with pytest.raises(ChannelFailed) as caught:
        sender.send(ALERT)
    chain = [caught.value, caught.value.__cause__]
    assert SECRET not in "".join(map(repr, chain))
    return str(caught.value)


def test_a_service_that_takes_it_has_all_of_it_and_nothing_invisible(service: AlertService) -> None:
    """Issue, item 5: delivered through apprise. Control characters are shown as codes, never sent."""
    channel(service.url).send(ALERT)

    (body,) = service.received
    assert "[autonomy] run_stuck: demo" == body["title"]
    for part in ("<b>step</b>", "run: demo-1", "attempt: 7", "fingerprint: f1", "\\u{1b}[2J", "\\u{202e}"):
        assert part in body["message"]
    assert not {"\x1b", "\x07", "\u202e"} & set(body["message"])


def test_a_service_that_refuses_is_a_refusal_with_its_status(service: AlertService) -> None:
    """Issue, bad input: "an alert channel that … refuses"."""
    service.status = 500
    assert "the service refused: HTTP 500" == refusal(channel(service.url))
    assert [] == service.received


def test_a_service_that_is_down_is_said_so() -> None:
    """Issue, bad input: "an alert channel that is down"."""
    with alert_service() as gone:
        url = gone.url
    assert "no connection, or the service refused" == refusal(channel(url))


def test_a_slow_service_is_given_up_at_the_timeout(service: AlertService) -> None:
    """Issue, bad input: "slow": the attempt is killed, whatever apprise waits for."""
    service.seconds = 30
    before = time.monotonic()
    assert "no answer within 2 s" == refusal(channel(service.url, timeout=2))
    assert time.monotonic() - before < 15


@pytest.mark.parametrize("url", [None, "", "  "])
def test_a_missing_variable_is_named(url: str | None) -> None:
    """A failed receipt, not a crash."""
    assert "ONCALL_URL" in refusal(channel(url))


@pytest.mark.parametrize("url", [f"nothing://{SECRET}", SECRET, f"slack://{SECRET}", "json://"])
def test_a_url_that_apprise_does_not_know_is_refused_and_not_shown(url: str) -> None:
    """A misspelt URL holds the secret as well as a good one."""
    assert "no URL that apprise knows" in refusal(channel(url))


def test_the_child_gets_no_secret_of_the_worker(service: AlertService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other channels' URLs and keys stay where they are; proxies and certificates go along."""
    worker = {"PATH": "/bin", "OTHER_URL": SECRET, "AWS_KEY": SECRET, "https_proxy": "x", "SSL_CERT_FILE": "y"}
    policy = ChannelPolicy(name="oncall", url_env="OTHER_URL")
    assert {"PATH", "https_proxy", "SSL_CERT_FILE"} == set(AppriseChannel(policy, worker)._childs_environment())


def test_a_channel_takes_its_kinds_and_every_test() -> None:
    """``kinds`` in alerts.toml."""
    paging = channel("x", kinds=("policy_violation",))
    kinds = ("policy_violation", "run_failed", "test")
    assert [True, False, True] == [paging.takes(ALERT.model_copy(update={"kind": AlertKind(kind)})) for kind in kinds]
    assert all(channel("x").takes(ALERT.model_copy(update={"kind": AlertKind(kind)})) for kind in kinds)


def test_the_terminal_shows_one_line_that_obeys_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Repositories choose much of what an alert says."""
    Terminal().send(ALERT)

    said = capsys.readouterr().err
    assert 1 == len(said.splitlines())
    assert said.startswith("ALERT run_stuck demo: stuck \\u{1b}[2J at <b>step</b> reversed")
    assert "\x1b" not in said


def test_an_alert_of_the_installation_names_no_target() -> None:
    """A title without an empty place in it."""
    assert "[autonomy] run_stuck" == text_of(ALERT.model_copy(update={"target": ""}))[0]

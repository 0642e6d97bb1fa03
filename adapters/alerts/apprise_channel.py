"""Alerts through apprise: Slack, e-mail, webhooks, PagerDuty and a hundred more."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from contracts.alert import NEVER_SILENCED, Alert, AlertKind
from policies.settings.alerts import ChannelPolicy
from ports.alerts import ChannelFailed
from reporting.wording import visible

_ROOT = Path(__file__).resolve().parents[2]
_CHILD = "adapters.alerts.apprise_child"
_PASSED_ON = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV"})
_NETWORK = ("PROXY", "SSL_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class AppriseChannel:
    """One ``[[channels]]`` entry. Its URL is read from the environment at every delivery, and never shown."""

    def __init__(self, policy: ChannelPolicy, environment: Mapping[str, str] = os.environ) -> None:
        self._policy = policy
        self._environment = environment

    @property
    def name(self) -> str:
        """As in ``alerts.toml``."""
        return self._policy.name

    def takes(self, alert: Alert) -> bool:
        """Whether its kind is one of the channel's."""
        return self._policy.takes(alert.kind)

    def send(self, alert: Alert) -> str:
        """Deliver or raise ``ChannelFailed``: no variable, no connection, refused, or killed at the timeout."""
        url = self._environment.get(self._policy.url_env, "").strip()
        if not url:
            raise ChannelFailed(f"the environment variable {self._policy.url_env} of the worker is not set")
        title, body = text_of(alert)
        order = json.dumps({"url": url, "title": title, "body": body, "type": _type_of(alert)})
        try:
            done = subprocess.run(
                [sys.executable, "-m", _CHILD],
                input=order,
                capture_output=True,
                text=True,
                timeout=self._policy.timeout_seconds,
                env=self._childs_environment(),
                cwd=_ROOT,
                check=True,
            )
            answer = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            # Not `from`: the exception holds the child's output.
            raise ChannelFailed(f"no answer within {self._policy.timeout_seconds:g} s") from None
        except (OSError, subprocess.SubprocessError, ValueError, IndexError) as problem:
            raise ChannelFailed(f"apprise could not be run: {type(problem).__name__}") from None
        if not answer["delivered"]:
            raise ChannelFailed(str(answer["detail"]))
        return ""

    def _childs_environment(self) -> dict[str, str]:
        """What a connection needs; not the other channels' URLs, nor anybody's keys."""
        return {
            name: value
            for name, value in self._environment.items()
            if name in _PASSED_ON or any(word in name.upper() for word in _NETWORK)
        }


def text_of(alert: Alert) -> tuple[str, str]:
    """Title and body; a repository chooses much of it, so nothing invisible is left in it."""
    about = f": {alert.target}" if alert.target else ""
    lines = [alert.summary, ""]
    lines += [f"run: {alert.run_id}"] if alert.run_id else []
    lines += [f"{key}: {value}" for key, value in alert.facts.items()]
    lines += [f"fingerprint: {alert.fingerprint}"]
    return visible(f"[autonomy] {alert.kind}{about}"), "\n".join(visible(line) for line in lines)


def _type_of(alert: Alert) -> str:
    if alert.kind in NEVER_SILENCED:
        return "failure"
    return "info" if alert.kind is AlertKind.TEST else "warning"

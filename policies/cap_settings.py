"""``[caps]`` of ``autopilot.toml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from policies.section import Positive, Section

CapCount = Annotated[int, Field(ge=1, le=10**9)]
CapTokens = Annotated[int, Field(ge=0, le=10**15)]


class Caps(Section):
    """``[caps]``: budget caps (runbook §3, §6.4), in the target's time zone. All are set; there is no unlimited."""

    runs_per_day: CapCount = 10
    runs_per_week: CapCount = 50
    """ISO weeks."""
    runs_per_month: CapCount = 150
    agent_minutes_per_run: CapCount = 30
    agent_minutes_per_day: CapCount = 120
    agent_minutes_per_week: CapCount = 600
    agent_minutes_per_month: CapCount = 1800
    usd_per_run: float = Field(default=5.0, ge=0, le=1e9)
    """0: no paid model may be called."""
    usd_per_day: float = Field(default=20.0, ge=0, le=1e9)
    usd_per_week: float = Field(default=100.0, ge=0, le=1e9)
    usd_per_month: float = Field(default=300.0, ge=0, le=1e9)
    tokens_per_run: CapTokens = 1_000_000
    """0: no model may be called."""
    tokens_per_day: CapTokens = 5_000_000
    tokens_per_week: CapTokens = 25_000_000
    tokens_per_month: CapTokens = 75_000_000
    budget_thresholds: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (50, 80, 100)
    """Per cent of a day's, week's or month's cap: an alert each, once per period."""
    attempts_per_task: Positive = 3
    """Runs that may try the same idea before it is suppressed."""
    open_pull_requests: Positive = 5
    """No new task is planned while this many wait for a person."""

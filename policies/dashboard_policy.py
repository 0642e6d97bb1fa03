"""``[dashboard]`` of ``autopilot.toml``."""

from __future__ import annotations

from pydantic import Field

from policies.section import Section


class DashboardPolicy(Section):
    """``[dashboard]``: the ticket on each target's forge that says how things stand."""

    every_minutes: float = Field(default=5, gt=0, le=1440)
    """How often it is compared with what is true; it is written only where it differs."""

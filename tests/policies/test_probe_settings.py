"""What a ``[[probes]]`` entry may be: one way to ask, and always about one commit (P4, P13)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from policies.settings.merging import AutoMerge, ProbePolicy

URL = "https://staging.example.org/health?commit={sha}"


@pytest.mark.parametrize(
    "given", [{"url": URL}, {"url": "http://127.0.0.1:8000/{sha}/up"}, {"argv": ("python", "-m", "project")}]
)
def test_what_can_be_asked(given: dict[str, object]) -> None:
    """A URL that names the commit; a command, which runs on its tree."""
    assert "starts" == ProbePolicy.model_validate({"name": "starts", **given}).name


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "exactly one of argv and url"),
        ({"url": URL, "argv": ("true",)}, "exactly one of argv and url"),
        ({"url": "https://example.org/health"}, "must say of which commit it is asked"),
        ({"url": "https://example.org/health#{sha}"}, "must say of which commit it is asked"),
        ({"url": "https://{sha}.example.org/{sha}"}, "not in the host"),
        ({"url": "https://user:secret@example.org/{sha}"}, "holds a credential"),
        ({"url": "file:///etc/{sha}"}, "http or https URL"),
        ({"url": URL, "seconds": 0}, "greater than 0"),
        ({"url": URL, "seconds": 601}, "less than or equal to 600"),
    ],
)
def test_what_cannot(given: dict[str, object], problem: str) -> None:
    """A URL without the commit would be green on a canary that nobody runs: refused."""
    with pytest.raises(ValidationError, match=problem):
        ProbePolicy.model_validate({"name": "starts", **given})


def test_a_canary_has_a_bounded_number_of_rounds() -> None:
    """Each is in its run's history."""
    with pytest.raises(ValidationError, match="raise canary_every_seconds"):
        AutoMerge(canary_minutes=1440, canary_every_seconds=1)

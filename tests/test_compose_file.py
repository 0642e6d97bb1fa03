"""The production profile, read as a file: no container engine is assumed here."""

from __future__ import annotations

import re
from typing import Any

import yaml

from settings import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_every_piece_of_production_is_there():
    """PostgreSQL, its schema, Temporal, its namespace, its UI, the worker; the collector only when asked for."""
    assert {"postgresql", "schema", "temporal", "namespace", "ui", "worker", "telemetry"} == set(SERVICES)
    assert ["telemetry"] == SERVICES["telemetry"]["profiles"]


def test_images_are_pinned_and_none_is_the_deprecated_one():
    """A version each: the same file starts the same servers next year."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    for name, image in images.items():
        assert re.search(r":\d+\.\d+", image), name
        assert "auto-setup" not in image
    assert images["schema"].split(":")[1] == images["temporal"].split(":")[1]


def test_nothing_listens_beyond_this_machine():
    """Who reaches Temporal can command every target; the database is on a network without a way out."""
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "ports" not in SERVICES["postgresql"]
    assert ["database"] == SERVICES["postgresql"]["networks"]
    assert COMPOSE["networks"]["database"]["internal"]


def test_services_wait_for_what_they_need():
    """Schema before server, server before namespace, namespace before worker."""
    waits = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert {"postgresql": "service_healthy"} == waits["schema"]
    assert {"schema": "service_completed_successfully"} == waits["temporal"]
    assert {"temporal": "service_healthy"} == waits["namespace"]
    assert {"namespace": "service_completed_successfully"} == waits["worker"]
    for waited in ("postgresql", "temporal"):
        assert "healthcheck" in SERVICES[waited]


def test_the_worker_is_this_project_and_keeps_what_it_must():
    """Built here, started as documented, its home on a named volume, its policies read-only."""
    worker = SERVICES["worker"]
    assert (".", ["python", "-m", "worker"]) == (worker["build"], worker["command"])
    assert "temporal:7233" == worker["environment"]["TEMPORAL_ADDRESS"]
    assert "autonomy:/var/lib/autonomy" in worker["volumes"]
    assert "./policies:/etc/autonomy/policies:ro" in worker["volumes"]
    assert {"postgresql", "autonomy"} == set(COMPOSE["volumes"])
    dockerfile = (ROOT / "Dockerfile").read_text()
    for line in ("AUTONOMY_HOME=/var/lib/autonomy", "AUTONOMY_POLICIES=/etc/autonomy/policies", "USER autonomy"):
        assert line in dockerfile


def test_no_password_is_in_the_file():
    """It comes from the caller's environment, and without one nothing starts."""
    assert "${POSTGRES_PASSWORD:?choose one}" == SERVICES["postgresql"]["environment"]["POSTGRES_PASSWORD"]
    assert "${POSTGRES_PASSWORD:?choose one}" == SERVICES["temporal"]["environment"]["POSTGRES_PWD"]

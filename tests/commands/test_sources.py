"""``sources``: what is configured, and how good an answer is (runbook §5)."""

from __future__ import annotations

import json
from pathlib import Path

from shell import Shell, shell_of
from world import World

from adapters.temporal.control_desk import pause_target
from contracts.control import PauseRequest
from tests.adapters.sources.conftest import answering

TOML = '''
[[sources]]
name = "advisories"
targets = ["demo"]
licence = "CC0-1.0"
baseline = "kept"
compared = ["severity"]
[sources.http]
url = "URL/advisories?key=secret"
[sources.mapping]
records = "items"
at = "published"
[sources.thresholds]
conflict_rate = { warn = 0.0, breach = 0.4 }
[sources.file]
path = "data/advisories.json"

[[sources]]
name = "kept"
[sources.command]
argv = ["python", "-c", """print('[{"id": "a", "severity": "low"}, {"id": "b", "severity": "high"}]')"""]
[sources.file]
path = "data/kept.json"
'''


async def test_a_source_is_listed_asked_and_shown(installation: World, policies: Path) -> None:
    """An answer over the network, compared with one from the sandbox; every number is in --json as well."""
    shell = shell_of(installation)
    file = installation.settings.policies / "sources.toml"
    assert "has no sources" in (await shell.typed("sources", "list", "demo")).err
    body = {
        "items": [
            {"id": "a", "severity": "low", "published": "2026-01-02"},
            {"id": "b", "severity": "low", "published": "x"},
        ]
    }

    def answer(handler) -> None:
        said = json.dumps(body).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(said)

    with answering(answer) as url:
        file.write_text(TOML.replace("URL", url))
        listed = (await shell.typed("sources", "list", "demo", "--json")).json["sources"]
        assert [("advisories", "CANDIDATE"), ("kept", "CANDIDATE")] == [
            (each["name"], each["state"]) for each in listed
        ]
        first = await shell.typed("sources", "run", "demo", "advisories", "--json")
        assert 11 == first.status
        assert (1, 0.5, 0.5, 0.0) == tuple(
            first.json["quality"][name] for name in ("records", "coverage", "schemaValidity", "conflictRate")
        )
        assert ["schema validity is 0.50; at least 0.9"] == first.json["reasons"]
        assert "secret" not in json.dumps(first.json)
        body["items"][1] |= {"severity": "high", "published": "2026-01-03"}
        good = await shell.typed("sources", "run", "demo", "advisories")
        assert 0 == good.status, good.err
    gone = await shell.typed("sources", "run", "demo", "advisories")
    assert 11 == gone.status
    assert "no answer" in gone.out
    shown = (await shell.typed("sources", "show", "demo", "advisories", "--json")).json["readings"]
    assert ["by hand"] * 3 == [each["by"] for each in shown]
    page = Path(installation.settings.home) / "advisories.html"
    written = await shell.typed("sources", "show", "demo", "advisories", "--page", str(page))
    assert (0, True) == (written.status, f"written: {page}" in written.err), written.err
    assert "advisories is CANDIDATE by its file" in page.read_text()
    assert "schema validity is 0.50; at least 0.9" in page.read_text()
    assert ["breach", "good", "breach"] == [each["grade"] for each in shown]
    assert "coverage 100 %" in (await shell.typed("sources", "show", "demo", "advisories")).out
    assert 2 == (await shell.typed("sources", "run", "demo", "nobody")).status
    await _and_switched_off(shell, installation)
    file.write_text(TOML.replace("baseline", "basline"))
    refused = await shell.typed("sources", "list", "demo")
    assert 16 == refused.status
    assert "sources.toml:6" in refused.err
    assert "did you mean" in refused.err
    file.unlink()


async def _and_switched_off(shell: Shell, installation: World) -> None:
    """By a person, who says why, whatever the file says."""
    order = ("sources", "disable", "demo", "advisories", "--reason", "legal asked for it")
    early = await shell.typed(*order)
    assert (11, True) == (early.status, 'state = "DISABLED"' in early.err)
    async with installation.worker():
        await pause_target(installation.client, "demo", PauseRequest(reason="a Control"))
        off = await shell.typed(*order)
        assert 0 == off.status, off.err
        file = (await shell.typed("sources", "list", "demo", "--json")).json["sources"]
        assert [("advisories", "DISABLED"), ("kept", "CANDIDATE")] == [(each["name"], each["inForce"]) for each in file]
        text = (await shell.typed("sources", "show", "demo", "advisories")).out
        assert "legal asked for it" in text, text

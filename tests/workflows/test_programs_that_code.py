"""Whole runs whose coder is a program in the sandbox: to a pull request, and through a pause (issue 14)."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from world import World

from commands.conversations import agents_at_work
from contracts.exchange import AgentOutcome, Ending
from contracts.modes import Outcome, RunStatus, TargetStatus
from demo.scripted_model import Move, ScriptedModel
from demo.source_distribution import Pin, fetch
from settings import ROOT
from tests.adapters.agents.real_agents import MENDING
from tests.workflows.conversation import pause, resume_when_quiescent, until_status
from tests.workflows.test_asked_of_agents import CODER, GREEN, TARGET


def appoint(world: World, url: str, **said: Any) -> None:
    """A program codes, and asks the model at this address."""
    place = world.settings.policies / "charter.toml"
    before, _, rest = place.read_text().partition("[roles.coding]")
    coder = CODER.replace("http://127.0.0.1:9/v1", url).replace('argv = ["/usr/bin/true"]\n', "")
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items())
    coder = coder.replace("[roles.coding]\n", f"[roles.coding]\n{lines}")
    place.write_text(before + coder + "\n[roles.review]" + rest.partition("[roles.review]")[2])


def records(world: World, run_id: str) -> list[dict[str, Any]]:
    """What programs did in a run, oldest first."""
    folder = world.settings.artifacts / "runs" / run_id / "agent"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("coding-*Z.json"))]


RELEASES = {
    "2.1.0": "d848fcb8bc7d507c4546b448574e8a44fc4ea2ba84ebf8d783290d53e81992f5",
    "2.1.1": "7b7d3023cd35d9cb0c1fd91392f8c95c6fa02c59bf8ad64b8849be3401b95afb",
}
"""Of itsdangerous. The second mends a fault of the first, and has a test that shows it."""
MEND = r"""python - <<'END'
from pathlib import Path
place = Path("src/itsdangerous/timed.py")
before = "                ts_dt = self.timestamp_to_datetime(ts_int)\n\n"
after = '''                try:
                    ts_dt = self.timestamp_to_datetime(ts_int)
                except (ValueError, OSError) as exc:
                    raise BadTimeSignature("Malformed timestamp", payload=value) from exc

'''
text = place.read_text()
assert text.count(before) == 1
place.write_text(text.replace(before, after))
END"""


def with_a_failing_test(place: Path) -> dict[str, str | bytes]:
    """A release of a real package, with the tests of the next one: one of them is red."""
    old, new = (
        fetch(Pin.parse(f"itsdangerous=={version}", digest), ROOT / ".cache" / "downloads", place / version)
        for version, digest in RELEASES.items()
    )
    shutil.rmtree(old / "tests")
    shutil.copytree(new / "tests", old / "tests")
    return {str(file.relative_to(old)): file.read_bytes() for file in old.rglob("*") if file.is_file()}


@pytest.mark.timeout(500)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("codex", marks=pytest.mark.agents),
        # In `make test` it mends without a run (test_real_agents.py): each of its starts imports for seconds.
        pytest.param("mini-swe-agent", marks=pytest.mark.every_agent),
    ],
)
async def test_a_real_agent_mends_a_red_check_to_a_pull_request(world: World, name: str, tmp_path: Path) -> None:
    """As its vendor ships it, in a real package; green on the merge result, each exchange is in the run's cost."""
    world.settings.home.mkdir(parents=True, exist_ok=True)
    world.settings.agents.symlink_to(ROOT / ".cache" / "agents")
    needs = TARGET.replace('packages = ["pytest"]', 'packages = ["pytest", "freezegun"]')
    world.add_target("signed", with_a_failing_test(tmp_path / "releases"), needs)
    look = Move(run="python -m pytest -q -p no:cacheprovider 2>&1 | tail -3")
    with ScriptedModel([look, Move(run=MEND), *MENDING.get(name, MENDING[""])[2:]]) as model:
        appoint(world, model.url, agent=name)
        async with world.worker():
            result = await asyncio.wait_for((await world.start("signed")).result(), 400)
    assert (RunStatus.PR_OPENED, Outcome.REQUIRES_HUMAN_REVIEW.value) == (result.status, result.outcome), result.reason
    (record,) = records(world, result.run_id)
    assert ("done", ["src/itsdangerous/timed.py"]) == (record["outcome"], record["changed"])
    assert len(record["exchanges"]) == len(model.received)
    # It could run the repository's own tests: the check environment is there.
    assert "1 failed" in json.dumps(model.received[1].body)
    report = world.artifact(result.run_id, "run_report.json")
    assert record["usd"] > 0
    assert report["review"]["costUsd"] == pytest.approx(record["usd"])
    assert len(world.pulls("signed")) == 1


ASKS = """
import socket
def ask():
    body = b'{"model": "scripted", "messages": [{"role": "user", "content": "go on"}]}'
    with socket.create_connection(("127.0.0.1", 8080)) as near:
        near.sendall(b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
                     b"Content-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)
        answer = b""
        while piece := near.recv(65536):
            answer += piece
    return answer
text = open("basket.py").read()
if "# half" not in text:
    text += "# half\\n"
    open("basket.py", "w").write(text)
    print("from the base", flush=True)
    while b"Done" not in ask():
        pass
print("the second half")
open("basket.py", "w").write(text.replace("# half", "FREE = 0"))
"""


GO_ON = Move(say="Go on.", hang=0.5)


async def test_a_pause_during_an_exchange_keeps_the_tree_and_the_resume_goes_on_from_it(world: World) -> None:
    """No byte goes to the model once the pause is quiescent; the kept half is what the next attempt finds."""
    world.add_target("shop", GREEN | {"README.md": "# Basket\n"}, TARGET)
    paused = asyncio.Event()
    with ScriptedModel(decide=lambda _body, _n: Move(say="Done.") if paused.is_set() else GO_ON) as model:
        appoint(world, model.url, argv=["/usr/bin/python3", "-c", ASKS])
        async with world.worker():
            handle = await world.start("shop", mode="DRY_RUN", asked={"text": "Name what a free basket costs"})

            async def working() -> bool:
                return len(model.received) > 1

            await world.until(working)

            async def seen() -> bool:
                doing = (await agents_at_work(world.client, await world.status("shop"))).values()
                return any(each.exchanges and each.usd and "python3" in each.agent for each in doing)

            # What `status` shows comes with the step's heartbeats.
            await world.until(seen)
            await pause(world, "shop")

            async def quiet() -> bool:
                return (await world.status("shop")).quiescent

            await world.until(quiet)
            paused.set()
            sent = len(model.received)
            await asyncio.sleep(1.5)
            assert sent == len(model.received)
            assert (await resume_when_quiescent(world, "shop")).accepted
            await until_status(world, "shop", TargetStatus.ACTIVE)
            result = await asyncio.wait_for(handle.result(), 120)
    assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
    first, *_, last = records(world, result.run_id)
    assert (AgentOutcome.PAUSED.value, AgentOutcome.DONE.value) == (first["outcome"], last["outcome"])
    assert Ending.PAUSED.value == first["exchanges"][-1]["ending"]
    folder = world.settings.artifacts / "runs" / result.run_id
    assert "half" not in (folder / "change.diff").read_text()
    outputs = [path.read_text() for path in sorted((folder / "agent").glob("coding-*.output.txt"))]
    assert ["from the base\n", "the second half\n"] == [outputs[0], outputs[-1]]

"""A run of three rounds: a check is red, then the review blocks, then all is well; coder and reviewer ask a model.

The coder is a real program in the real sandbox. What its tree held, and what it was told, stands in each of its
requests, so the model's own log says from which tree each round, and each attempt, began.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from world import World

from adapters.store.chained_log import ChainedLog
from contracts.budget import Amounts, BudgetView
from demo.scripted_model import Move, Received

TARGET = "shop"
STEPS = ["code", "review", "check"] * 3
EXCHANGES = 9
"""Two of the coder in each round, and one of the reviewer."""
TRUE = Amounts(usd=0.00375, tokens=1050)
"""What an answer of the scripted model costs."""
CODER = "coder"
_AT_STAGE = re.compile(r"STAGE = (\d)")
_CHECKS = """
[environment]
build = false
[[checks]]
name = "unit"
kind = "tests"
argv = ["python", "-c", "import basket, sys; sys.exit(basket.STAGE < LEAST)"]
[[checks]]
name = "lint"
kind = "lint"
argv = ["python", "-c", "import basket, sys; sys.exit('one is not enough' if basket.STAGE == 1 else 0)"]
"""
CHECK = """
[environment]
build = false
[[checks]]
name = "unit"
kind = "tests"
argv = ["python", "-c", "import basket"]
"""
_PROGRAM = """
import json, pathlib, socket
def ask(said):
    body = json.dumps({"model": "coder", "messages": [{"role": "user", "content": said}]}).encode()
    with socket.create_connection(("127.0.0.1", 8080)) as near:
        near.sendall(b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
                     b"Content-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)
        answer = b""
        while piece := near.recv(65536):
            answer += piece
    return json.loads(answer.partition(b"\\r\\n\\r\\n")[2])["choices"][0]["message"]["content"]
told = {name: path.read_text() for name in ("why_again.md", "checks.md", "review.md")
        if (path := pathlib.Path("/run/task/told", name)).exists()}
title = json.load(open("/run/task/contract.json"))["title"]
while True:
    said = ask(json.dumps({"title": title, "tree": open("basket.py").read(), **told}))
    print(said, flush=True)
    if said == "Done.":
        break
    open("basket.py", "w").write(said)
"""
_CHARTER = """
[roles.coding]
backend = "command"
argv = ["/usr/bin/python3", "-c", PROGRAM]
provider = "local"
models = ["coder"]
usd = 1.0
tokens = 200_000
rounds = 2

[roles.review]
backend = "model"
provider = "local"
models = ["critic"]
usd = 1.0
tokens = 200_000

[providers.local]
url = "URL"

[prices.coder]
input = 3
output = 15

[prices.critic]
input = 3
output = 15
"""


def add_target(world: World, name: str = TARGET, *, red: bool = True) -> None:
    """``red``: the base's own check is, so that a run has something to do without being asked."""
    world.add_target(name, {"basket.py": _tree(0)}, _CHECKS.replace("LEAST", str(int(red))))


def appoint(world: World, url: str) -> None:
    """The program codes, the model reviews."""
    place = world.settings.policies / "charter.toml"
    before = place.read_text().partition("[roles.coding]")[0]
    place.write_text(before + _CHARTER.replace("PROGRAM", json.dumps(_PROGRAM)).replace("URL", url))


def asked_in(body: dict[str, Any]) -> dict[str, str]:
    """What the coder said in a request: its task's title, its tree, and what it was told; empty of the reviewer's."""
    if body["model"] != CODER:
        return {}
    said: dict[str, str] = json.loads(body["messages"][0]["content"])
    return said


def stage(tree: str) -> int:
    """How far it is."""
    found = _AT_STAGE.search(tree)
    assert found, tree
    return int(found[1])


def stages(received: Sequence[Received]) -> list[int]:
    """How far the tree was, in each request of the coder."""
    return [stage(asked["tree"]) for each in received if (asked := asked_in(each.body))]


def answer(body: dict[str, Any], _before: int = 0) -> Move:
    """One stage more where something was refused, the next time "Done."; the reviewer blocks the second stage."""
    if not (asked := asked_in(body)):
        good = "+STAGE = 2" not in json.dumps(body)
        block = [] if good else [{"severity": "blocking", "path": "basket.py", "message": "two is not enough"}]
        said = {"approve": good, "confidence": 0.9, "summary": "I looked.", "remarks": block}
        return Move(call="final_result", arguments=said)
    at = stage(asked["tree"])
    wanted = at == 0 or (at == 1 and "one is not enough" in asked.get("checks.md", ""))
    wanted |= at == 2 and "two is not enough" in asked.get("review.md", "")
    return Move(say=_tree(at + 1) if wanted else "Done.")


class Bounds(NamedTuple):
    """How many exchanges were booked at their worst case."""

    lost: int
    """Their attempt died, or was overtaken: by the next one, or the run's end."""
    cut: int
    """By their own attempt."""


def paid_once(world: World, view: BudgetView, received: int, *, unseen: int = 0) -> Bounds:
    """Each exchange that was reserved is booked, once: as the model told it, or marked at its worst case.

    Args:
        world: where the target's audit log is.
        view: Control's books, at rest.
        received: how many the model saw.
        unseen: those that were reserved, and died before they went up.
    """
    records = list(ChainedLog(world.settings.artifacts).records(f"target/{view.target}"))
    reserved, booked = ([r.facts for r in records if r.event == f"cost {how}"] for how in ("reserved", "booked"))
    paid = [each for each in booked if each["tokens"]]
    assert Counter(map(_name, reserved)) == Counter(map(_name, paid))
    assert len(reserved) - unseen == received
    bounds = [each["how"] for each in paid if each["tokens"] != TRUE.tokens]
    assert {"lost", "settled"} >= set(bounds)
    assert sum(run.total.tokens for run in view.runs) == sum(int(str(each["tokens"])) for each in paid)
    assert sum(run.total.usd for run in view.runs) == pytest.approx(sum(float(str(each["usd"])) for each in paid))
    assert view.reservations == ()
    return Bounds(bounds.count("lost"), bounds.count("settled"))


@dataclass
class Door:
    """The model's answers, of which some wait until a test lets them through."""

    at: int = -1
    """How many requests come before the one that waits."""
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def close(self, at: int) -> None:
        """Another one waits, from now on."""
        self.reached.clear()
        self.opened.clear()
        self.at = at

    def answer(self, body: dict[str, Any], before: int) -> Move:
        """``demo.scripted_model.Decide``: one request after the other."""
        if before == self.at:
            self.reached.set()
            assert self.opened.wait(120)
        return answer(body)


def _name(facts: Any) -> str:
    return f"{facts['key']}@{facts['attempt']}"


def _tree(stage: int) -> str:
    return f'"""A basket."""\n\nSTAGE = {stage}\n'

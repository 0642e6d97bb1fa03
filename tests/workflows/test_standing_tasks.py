"""Of the guide's standing tasks three, as they stand there: done by a scripted program, measured by what runs."""

from __future__ import annotations

import json
import re
import tomllib

from world import ScriptedAgent, World, git

from contracts.modes import Role, RunStatus
from ports.agents import Agent, Brief
from settings import ROOT
from tests.workflows.test_asked_of_agents import let_an_agent_code

BASKET = """\
def total(prices: list[int]) -> int:
    return sum(price for price in prices for _ in range(1))


def left_over() -> None:
    return None
"""
NOW = f"""{BASKET}

def cheapest(prices: list[int]) -> int:
    if not prices:
        return 0
    return min(prices)
"""
TESTS = "from shop.basket import cheapest, total\n\n\ndef test_total() -> None:\n    assert total([1, 2]) == 3\n"
STEPS = """\
import json
import sys

from shop.basket import total

steps = 0


def one(*_seen: object) -> None:
    global steps
    steps += 1


sys.setprofile(one)
total(list(range(100)))
sys.setprofile(None)
print(json.dumps({"value": steps}))
"""
"""How many calls it takes: a number that no machine's load moves."""
FILES: dict[str, str | bytes] = {
    "shop/__init__.py": "",
    "shop/basket.py": BASKET,
    "tests/test_basket.py": TESTS.replace("cheapest, ", ""),
    "bench/steps.py": STEPS,
    "README.md": "# Shop\n",
}
DONE = {
    "standing-test-gaps": (
        "tests/test_basket.py",
        TESTS + "\n\ndef test_cheapest() -> None:\n    assert cheapest([2, 1]) == 1\n",
    ),
    "standing-dead-code": ("shop/basket.py", NOW.replace("\n\ndef left_over() -> None:\n    return None\n", "")),
    "standing-slow-tests": (
        "shop/basket.py",
        NOW.replace("sum(price for price in prices for _ in range(1))", "sum(prices)"),
    ),
}
IDLE = ("tests/test_basket.py", TESTS + "\n\ndef test_cheapest() -> None:\n    assert cheapest\n")
"""Looks like a test, and runs none of the lines."""


def the_guides(*names: str) -> tuple[str, str]:
    """These tasks of ``tasks.toml``, and the checks of a target that they name, as they stand in the guide."""
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/agents.md").read_text(encoding="utf-8"), re.DOTALL)
    [of_tasks] = [each for each in blocks if "tasks" in tomllib.loads(each)]
    [of_target] = [each for each in blocks if "checks" in tomllib.loads(each)]
    chosen = [each for each in of_tasks.split("[[tasks]]") if any(f'name = "{name}"' in each for name in names)]
    environment, *checks = of_target.split("[[checks]]")
    needed = [each for each in checks if any(f"check = {each.split()[2]}" in task for task in chosen)]
    checked = "".join(f"[[checks]]{each}" for each in needed)
    return "".join(f"[[tasks]]{each}" for each in chosen), environment.replace(', "mypy"', "") + checked


def coder(told: dict[str, list[dict[str, str]]]) -> type:
    """Does what each task asks for; the gaps not at once."""

    def code(brief: Brief) -> str:
        assert brief.contract is not None
        assert brief.tree is not None
        rule = brief.contract.rule
        told.setdefault(rule, []).append(dict(brief.told))
        path, text = IDLE if rule == "standing-test-gaps" and len(told[rule]) == 1 else DONE[rule]
        (brief.tree / "shop/basket.py").write_text(NOW)
        (brief.tree / path).write_text(text)
        return json.dumps({"summary": "done"})

    def agent(real: Agent) -> ScriptedAgent:
        return ScriptedAgent(real, answers={Role.CODING: code})

    return agent  # type: ignore[return-value]


def commits(world: World, name: str, text: str) -> None:
    """A person's commit on the base."""
    work = world.root / "shop-work"
    (work / name).write_text(text)
    git("commit", "--quiet", "--all", "--message=By hand", cwd=work)
    git("push", "--quiet", str(world.root / "shop.git"), "HEAD:refs/heads/main", cwd=work)


async def test_each_is_done_and_measured(world: World) -> None:
    """One after the other; a test that runs nothing goes back to who wrote it, with the lines that are left."""
    told: dict[str, list[dict[str, str]]] = {}
    of_tasks, of_target = the_guides("test-gaps", "dead-code", "slow-tests", "true-examples")
    # Seconds are measured by the same runs; which of them is faster must not be this machine's to say.
    argv = re.search(r"argv = .*", of_tasks)
    assert argv
    steps = of_tasks.replace(argv[0], 'argv = ["python", "bench/steps.py"]').replace('["tests/**"]', '["bench/**"]', 2)
    of_tasks = steps.replace('"seconds"', '"printed"').replace('paths = ["bench/**"]', 'paths = ["tests/**"]')
    let_an_agent_code(world, rounds=1)
    world.add_target("shop", FILES, of_target)
    commits(world, "shop/basket.py", NOW)
    (world.settings.policies / "tasks.toml").write_text(of_tasks)
    found: dict[str, tuple[int, int]] = {}
    nothing: list[str] = []
    async with world.worker(world.bench(coder(told))):
        for _ in range(4):
            result = await world.run("shop", again=True)
            rule = world.artifact(result.run_id, "task_contract.json")["rule"]
            if result.status is RunStatus.NOTHING_TO_DO:
                nothing.append(rule)
                continue
            assert RunStatus.PR_OPENED is result.status, result.reason
            change = world.artifact(result.run_id, "change.json")
            found[rule] = (change["metricBefore"], change["metricAfter"])
    # The README has no example that is wrong: nobody is asked, or paid, to correct one.
    assert (["standing-true-examples"], False) == (nothing, "standing-true-examples" in told)
    slow = found.pop("standing-slow-tests")
    assert {"standing-test-gaps": (3, 1), "standing-dead-code": (2, 1)} == found
    assert (1000, True) == (slow[0], slow[1] < 500)
    first, again = told["standing-test-gaps"]
    assert "shop/basket.py: 10-12" in first["measured.md"]
    assert "did not improve: not run:" in again["why_again.md"]
    assert "left_over" in told["standing-dead-code"][0]["measured.md"]

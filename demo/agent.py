"""``python -m demo.agent``: an issue, and a coding agent of others' making that does what it asks; a person merges.

No model is reached: one on loopback plays a script. What is shown is how an agent is driven, paid, measured,
and not how well it works. Whatever a person would type is typed, in its own process.
"""

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import embedded
from commands.leaving import leave
from commands.terminal import say, show
from demo.operator import Operator
from demo.repository import publish
from demo.scripted_model import Move, ScriptedModel
from demo.staging import DOWNLOADS, ended, fresh, ship, tell
from settings import Settings

_BASKET = '''"""A basket."""


def total(prices, discount=0.0):
    """Sum of the prices, less the discount (0.1 is ten percent)."""
    return sum(prices) * (1 + discount)
'''
_TESTS = """import unittest

from shop.basket import total


class Basket(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(total([10, 20]), 30)
"""
FILES = {"shop/__init__.py": "", "shop/basket.py": _BASKET, "shop/test_basket.py": _TESTS}
_NEW_TEST = """
    def test_discount(self):
        self.assertEqual(total([10, 20], 0.5), 15)
"""
_RUN = "python3 -m unittest -q shop.test_basket 2>&1 | tail -5"
TITLE = "A discount makes the basket dearer"
BODY = "total([10, 20], 0.5) gives 45; half of 30 is 15."
_DID = (
    Move(run="cat shop/basket.py shop/test_basket.py", say="I read the function and its tests."),
    Move(run=f"cat >> shop/test_basket.py <<'END'\n{_NEW_TEST}END\n{_RUN}", say="A test that shows it."),
    Move(run=f"sed -i 's/1 + discount/1 - discount/' shop/basket.py; {_RUN}", say="The sign is wrong."),
)
_ENDS = {"mini-swe-agent": (Move(run="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"),)}
_SAYS = Move(say="total() added the discount; it subtracts it now, and a test shows it.")
_TOLD = ("run issued", "asked", "agent exchanged", "changed", "cost booked", "write done", "run closed")
_TARGET = """\
name = "shop"
remote = "{remote}"
base_branch = "main"

[review]
on = {today}
by = "make demo-agent"

[issues]
label = "agent"

[[checks]]
name = "unit"
kind = "tests"
argv = ["python", "-m", "unittest", "-q", "shop.test_basket"]
"""
_CHARTER = """
[roles.coding]
backend = "command"
agent = "{agent}"
folder = "{folder}"
provider = "local"
models = ["scripted"]
minutes = 5
usd = 2.0
tokens = 400000
rounds = 1

[providers.local]
url = "{url}"

[prices.scripted]      # USD for a million tokens, so that the budget has something to count
input = 3
output = 15
"""


def agent_of_this_machine() -> str:
    """Codex where npm can install it, else mini-swe-agent; ``DEMO_AGENT`` names another recipe."""
    return os.environ.get("DEMO_AGENT") or ("codex" if shutil.which("npm") else "mini-swe-agent")


def write_policies(settings: Settings, remote: Path, url: str, agent: str) -> None:
    """The shipped files, with an agent in the role that codes."""
    ship(settings.policies)
    place = settings.policies / "charter.toml"
    before, _, rest = place.read_text(encoding="utf-8").partition("[roles.coding]")
    folder = DOWNLOADS / "agents" / agent
    own = _CHARTER.format(agent=agent, folder=folder, url=url)
    place.write_text(f"{before}[roles.review]{rest.partition('[roles.review]')[2]}{own}", encoding="utf-8")
    target = _TARGET.format(remote=remote, today=datetime.now(UTC).date())
    (settings.policies / "targets" / "shop.toml").write_text(target, encoding="utf-8")


async def perform(settings: Settings, model: ScriptedModel, agent: str) -> None:
    """The issue, the trial, the run, the answer."""
    say(f"installing {agent}, pinned, once", "bold")
    await Operator(Settings(home=DOWNLOADS, policies=settings.policies)).types("agents", "install", agent)
    operator = Operator(settings)
    async with embedded(settings, ui_port=0):
        await operator.types("charter", "check")
        await operator.types("issue", "open", "shop", "--title", TITLE, "--body", BODY)
        say("a trial first: one DRY_RUN on the issue, nothing is written", "bold")
        await operator.types("try", "shop", "--issue", "1")
        say("and the day's run, which takes the same issue", "bold")
        await operator.types("run", "shop")
        await operator.types("pr", "show", "shop", "1")
        await operator.types("budget", "show", "shop")
        await operator.types("agents", "compare")
        await operator.types("pr", "merge", "shop", "1")
    answers = sum(1 for each in model.received if each.path)
    show(f"the model on loopback was asked {answers} times, each one reserved before and settled after")


def tell_missing(agent: str) -> None:
    """What the machine lacks is said.

    Raises:
        CommandFailed: the agent needs Node.
    """
    if agent not in {"mini-swe-agent", "aider", "gptme"} and not shutil.which("npm"):
        raise CommandFailed(Exit.REFUSED, f"{agent} needs npm, which is missing; or DEMO_AGENT=mini-swe-agent")


def main() -> Exit:
    """Demo from start to end; its exit status."""
    agent = agent_of_this_machine()
    tell_missing(agent)
    folder = fresh("demo-agent")
    settings = Settings(home=folder / "home", policies=folder / "policies")
    remote, work = folder / "remote" / "shop.git", folder / "work" / "shop"
    remote.parent.mkdir(parents=True)
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text, encoding="utf-8")
    publish(work, remote, "shop, with a mistake that no test shows")
    with ScriptedModel((*_DID, *_ENDS.get(agent, ()), _SAYS)) as model:
        write_policies(settings, remote, model.url, agent)
        asyncio.run(perform(settings, model, agent))
    return tell(settings, _TOLD)


if __name__ == "__main__":
    leave(ended(main))

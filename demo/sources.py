"""``python -m demo.sources``: a data file is refreshed; four candidates are tried; the one that is good decays later.

Runbook §5, §9 on real data: three independent lists of the world's countries, served from loopback. Whatever a person
would type is typed, in its own process, and whatever a person decides (merging a pull request) is a command, too.
"""

import asyncio
from pathlib import Path

from commands.exit_statuses import Exit
from commands.home import embedded
from commands.leaving import leave
from commands.terminal import say, show
from demo.atlas import ATLAS, COUNTRIES, build, entry
from demo.loopback import serving
from demo.operator import Operator
from demo.publishers import DataSet, Publishers, data_sets
from demo.repository import git
from demo.staging import DOWNLOADS, ended, fresh, tell
from settings import Settings

_TOLD = ("source asked", "run closed")
_BASELINE = """\
state = "PRODUCTION"
compliance = "approved"
compliance_reference = "data-licences.md: {licence}"
wanted_records = 249
"""


async def perform(settings: Settings, remote: Path) -> None:
    """The whole story."""
    operator = Operator(settings)
    async with embedded(settings) as running:
        say(f"Temporal server at {running.server.address}, its UI at {running.server.ui}", "bold")
        await _refresh(operator, remote)


async def _refresh(operator: Operator, remote: Path) -> None:
    say(f"a source in PRODUCTION keeps {COUNTRIES} fresh: an ordinary run makes a pull request of it", "bold")
    await operator.types("sources", "list", ATLAS)
    await operator.types("sources", "run", ATLAS, "iso-codes")
    await operator.types("run", ATLAS)
    await _merged(operator, ATLAS, 1)
    show(f"  {COUNTRIES} on the base has {git(remote, 'show', f'main:{COUNTRIES}').count('alpha2')} records")


async def _merged(operator: Operator, target: str, number: int) -> None:
    """A person reads the pull request and merges it."""
    await operator.types("pr", "list", target)
    await operator.types("pr", "merge", target, str(number))


def baseline(root: str, sets: dict[str, DataSet]) -> str:
    """``sources.toml`` as the demo begins."""
    iso = sets["iso-codes"]
    text = "# Where atlas learns about countries (docs/sources.md).\n"
    return text + entry("iso-codes", f"{root}/iso-codes.json", iso, COUNTRIES, _BASELINE.format(licence=iso.licence))


def main() -> Exit:
    """Demo from start to end; its exit status."""
    folder = fresh("demo-sources")
    settings = Settings(home=folder / "home", policies=folder / "policies" / "policies")
    say("fetching three data sets of countries, one of them in two releases; nothing of them is executed", "bold")
    sets = data_sets(DOWNLOADS, folder / "work")
    for name, found in sets.items():
        show(f"  {name:<14} {found.package:<26} {found.licence:<14} {len(found.rows)} records")
    publishers = Publishers(sets)
    with serving(publishers.answer) as root:
        atlas, policy = build(folder / "work", folder / "remote", {"sources.toml": baseline(root, sets)})
        git(folder, "clone", "--quiet", str(policy), str(folder / "policies"))
        asyncio.run(perform(settings, atlas))
    return tell(settings, _TOLD)


if __name__ == "__main__":
    leave(ended(main))

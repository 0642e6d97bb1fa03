"""``python -m demo.sources``: a data file is refreshed; four candidates are tried; the one that is good decays later.

Runbook §5, §9 on real data: three independent lists of the world's countries, served from loopback. Whatever a person
would type is typed, in its own process, and whatever a person decides (merging a pull request) is a command, too.
"""

import asyncio
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import embedded
from commands.leaving import leave
from commands.terminal import say, show
from contracts.alert import AlertKind
from contracts.source import SourceState
from demo import recount
from demo.atlas import ATLAS, COUNTRIES, POLICY, SHORT_NAMES, build, entry
from demo.loopback import serving
from demo.operator import Operator
from demo.publishers import FIELDS, DataSet, Publishers, Row, data_sets
from demo.repository import git
from demo.staging import DOWNLOADS, ended, fresh, tell
from policies.governance.edits import SOURCES_FILE
from settings import Settings

_PATIENCE = 60.0
_TOLD = ("source asked", "trial judged", "source trial passed", "source lowered", "run closed")
_APPROVED = """\
compliance = "approved"
compliance_reference = "data-licences.md: {licence}"
"""
_BASELINE = f'state = "PRODUCTION"\nwanted_records = 249\n{_APPROVED}'
_CANDIDATE = f"""\
fallback = "iso-codes"
compared = ["alpha3", "numeric"]
{_APPROVED}"""
_TERMS = """\
# Where atlas learns about countries (docs/sources.md).

[trial]                    # seconds, not weeks: this is a demo
fetches = 3
hours_between = 0.0005
at_least = 3
"""


@dataclass(frozen=True)
class Candidate:
    """One entry of the catalogue, and what must become of it."""

    source: str
    path: str
    of: str
    settings: str
    rejected: str = ""
    """A word of the reason; empty: it passes."""


CANDIDATES = (
    Candidate("geonames-2015", "/geonames-2015.json", "geonames-2015", _CANDIDATE, "newest record"),
    Candidate("gazetteer", "/gazetteer.json", "geonames", _CANDIDATE, "conflict"),
    Candidate("converter", "/converter.csv", "converter", _CANDIDATE.replace('"approved"', '"refused"'), "compliance"),
    Candidate("geonames", "/geonames.json", "geonames", _CANDIDATE),
)


@dataclass(frozen=True)
class Story:
    """What every part of it needs."""

    operator: Operator
    publishers: Publishers
    atlas: Path
    """Its remote."""
    checkout: Path
    """Of the policy repository; ``AUTONOMY_POLICIES`` lies in it."""

    def holds(self, path: str, of: str) -> None:
        """The file on the base is what the data set says, record by record."""
        found = json.loads(git(self.atlas, "show", f"main:{path}"))
        wanted = sorted(self.publishers.sets[of].rows, key=lambda row: row["alpha2"])
        if [_in_order(row) for row in found] != [_in_order(row) for row in wanted]:
            raise CommandFailed(Exit.FAILED, f"{path} is not what {of} says")
        show(f"  {path} on the base: the {len(found)} records of {of}, each as it was said")


def _pull(checkout: Path) -> None:
    say("$ git pull   # in the policy folder of this machine", "bold")
    git(checkout, "pull", "--quiet", "--ff-only")


def _in_order(row: Row) -> list[str]:
    return [row[name] for name in FIELDS]


async def perform(settings: Settings, story: Story) -> None:
    """The whole story."""
    async with embedded(settings) as running:
        say(f"Temporal server at {running.server.address}, its UI at {running.server.ui}", "bold")
        await _refresh(story)
        say("a catalogue has four candidates: each is fetched, replayed, compared with the baseline, judged", "bold")
        await _trials(story)
        await _promotion(story)
        await _decay(story, settings.artifacts)


async def _refresh(story: Story) -> None:
    say(f"a source in PRODUCTION keeps {COUNTRIES} fresh: an ordinary run makes a pull request of it", "bold")
    await story.operator.types("sources", "list", ATLAS)
    await story.operator.types("sources", "run", ATLAS, "iso-codes")
    await story.operator.types("run", ATLAS)
    await story.operator.types("pr", "list", ATLAS)
    await story.operator.types("pr", "merge", ATLAS, "1")
    story.holds(COUNTRIES, "iso-codes")


async def _trials(story: Story) -> None:
    for candidate in CANDIDATES:
        wanted = Exit.REJECTED if candidate.rejected else Exit.OK
        told = await story.operator.types("sources", "trial", ATLAS, candidate.source, wanted=wanted)
        if candidate.rejected not in told:
            raise CommandFailed(Exit.FAILED, f"{candidate.source} was not rejected for its {candidate.rejected}")


async def _promotion(story: Story) -> None:
    say("what passed is proposed; the run of the repository that holds the policy makes a pull request of it", "bold")
    await story.operator.types("policy", "proposals")
    await story.operator.types("run", POLICY)
    await story.operator.types("pr", "show", POLICY, "1")
    await story.operator.types("pr", "merge", POLICY, "1")
    _pull(story.checkout)
    await story.operator.types("sources", "list", ATLAS)
    say(f"it is in PRODUCTION: the next run of {ATLAS} uses it", "bold")
    await story.operator.types("run", ATLAS, "--again")
    await story.operator.types("pr", "merge", ATLAS, "2")
    story.holds(SHORT_NAMES, "geonames")


def _demotion_told(answer: Mapping[str, Any]) -> bool:
    told = [each for each in answer["recent"] if each["alert"]["kind"] == AlertKind.SOURCE_QUALITY]
    return any(
        "DEGRADED" in each["alert"]["summary"] and any(receipt["delivered"] for receipt in each["receipts"])
        for each in told
    )


async def _decay(story: Story, artifacts: Path) -> None:
    operator = story.operator
    say("later its publisher serves an old copy: at once its fallback stands in, and the alert is delivered", "bold")
    story.publishers.decay("/geonames.json")
    await operator.types("run", ATLAS, "--again")
    await operator.types("pr", "merge", ATLAS, "3")
    story.holds(SHORT_NAMES, "iso-codes")
    say("it lasts: the source is demoted, whatever the file says", "bold")
    await operator.types("run", ATLAS, "--again")
    shown = await operator.asks("sources", "show", ATLAS, "geonames")
    if shown["source"]["inForce"] != SourceState.DEGRADED:
        raise CommandFailed(Exit.FAILED, f"geonames is {shown['source']['inForce']}, not DEGRADED")
    await operator.types("sources", "show", ATLAS, "geonames")
    await operator.until(("alerts",), _demotion_told, _PATIENCE)
    await operator.types("alerts")
    say("a person makes the demotion lasting by the next pull request of the policy", "bold")
    await operator.types("run", POLICY, "--again")
    await operator.types("pr", "merge", POLICY, "2")
    _pull(story.checkout)
    await operator.types("sources", "list", ATLAS)
    await operator.types("review", "--page", str(story.checkout.parent / "review.html"))
    review = await operator.asks("review")
    metrics = {each["name"]: each["count"] for each in review["groups"][0]["metrics"]}
    if not metrics["source trial success"] == metrics["source promotions"] == metrics["source demotions"] == 1:
        raise CommandFailed(Exit.FAILED, f"the review counts other things than what happened: {metrics}")
    entries = tomllib.loads((story.checkout / "policies" / SOURCES_FILE).read_text(encoding="utf-8"))["sources"]
    logs = [recount.Log(artifacts, name) for name in (ATLAS, POLICY)]
    if wrong := recount.differences(review, logs, promoted={each.get("trial", "") for each in entries}):
        raise CommandFailed(Exit.FAILED, f"counted again from the raw files: {'; '.join(wrong[:3])}")
    say("every number of the review, those of sources among them, is what the raw files say", "green")


def files(root: str, sets: dict[str, DataSet]) -> dict[str, str]:
    """``sources.toml`` and ``catalogue.toml`` as the demo begins."""
    iso = sets["iso-codes"]
    sources = _TERMS + entry(
        "iso-codes", f"{root}/iso-codes.json", iso, COUNTRIES, _BASELINE.format(licence=iso.licence)
    )
    catalogue = "# Lists that somebody came across: what may be tried.\n"
    for each in CANDIDATES:
        settings = each.settings.format(licence=sets[each.of].licence)
        catalogue += entry(each.source, root + each.path, sets[each.of], SHORT_NAMES, settings)
    return {"sources.toml": sources, "catalogue.toml": catalogue}


def main() -> Exit:
    """Demo from start to end; its exit status."""
    folder = fresh("demo-sources")
    checkout = folder / "policies"
    settings = Settings(home=folder / "home", policies=checkout / "policies")
    say("fetching three data sets of countries, one of them in two releases; nothing of them is executed", "bold")
    sets = data_sets(DOWNLOADS, folder / "work")
    for name, found in sets.items():
        show(f"  {name:<14} {found.package:<26} {found.licence:<14} {len(found.rows)} records")
    publishers = Publishers(sets)
    with serving(publishers.answer) as root:
        atlas, policy = build(folder / "work", folder / "remote", files(root, sets))
        git(folder, "clone", "--quiet", str(policy), str(checkout))
        asyncio.run(perform(settings, Story(Operator(settings), publishers, atlas, checkout)))
    status = tell(settings, _TOLD)
    show(f"review  file://{folder / 'review.html'}")
    for page in sorted((settings.artifacts / "runs").glob("*-source-*/source_trial.html")):
        show(f"trial   file://{page}")
    return status


if __name__ == "__main__":
    leave(ended(main))

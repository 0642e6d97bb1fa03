"""The repositories of ``make demo-sources``: ``atlas`` keeps lists of countries, ``policy`` holds the policy folder."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from demo.publishers import DataSet
from demo.repository import publish
from demo.staging import ship

ATLAS, POLICY = "atlas", "policy"
COUNTRIES, SHORT_NAMES = "data/countries.json", "data/short_names.json"

_TARGET = """\
name = "{name}"
remote = "{remote}"
base_branch = "main"
allowed_paths = ["{allowed}"]
{more}
[review]
on = {today}
by = "make demo-sources"

[environment]
build = false

[[checks]]
name = "schema"
kind = "schema"
argv = ["python", "check.py"]
"""
_CHECKS = {
    ATLAS: '''\
"""Every list holds each country once, in order."""

import json
import pathlib

for path in pathlib.Path("data").glob("*.json"):
    codes = [country["alpha2"] for country in json.loads(path.read_text(encoding="utf-8"))]
    assert codes == sorted(set(codes)), path
''',
    POLICY: '''\
"""Every file of the policy can be read."""

import pathlib
import tomllib

for path in pathlib.Path("policies").rglob("*.toml"):
    tomllib.loads(path.read_text(encoding="utf-8"))
''',
}
_README = """\
# atlas

Lists of countries: `data/countries.json` by ISO 3166-1, `data/short_names.json` as people call them.

Where they come from is in `sources.toml` of the policy repository. Further lists: <https://datahub.io/core/country-codes/r/country-codes.csv>.
"""
_COMPARED = """\
conflict_rate = { warn = 0.01, breach = 0.05 }
sustained = 2
"""
_ENTRY = """
[[sources]]
name = "{name}"
targets = ["atlas"]
licence = "{licence}"
provenance = "{package}, from the package registry"
{settings}
[sources.http]
url = "{url}"
{form}
[sources.mapping]
records = "{records}"
key = "alpha2"
at = "issued"
payload = "{{alpha2: alpha2, alpha3: alpha3, numeric: numeric, name: name}}"

[sources.record_schema]
required = ["alpha2", "alpha3", "numeric", "name"]
[sources.record_schema.properties]
alpha2 = {{ pattern = "^[A-Z]{{2}}$" }}
alpha3 = {{ pattern = "^[A-Z]{{3}}$" }}
numeric = {{ pattern = "^[0-9]{{3}}$" }}

[sources.thresholds]
freshness_hours = {{ warn = 24, breach = 72 }}
coverage = {{ warn = 0.98, breach = 0.9 }}
schema_validity = {{ warn = 1.0, breach = 0.98 }}
{compared}
[sources.file]
path = "{path}"
"""


def build(work: Path, remotes: Path, files: Mapping[str, str]) -> tuple[Path, Path]:
    """Both repositories behind bare remotes.

    Args:
        work: where their first commits are made.
        remotes: where they are published.
        files: of the policy folder, beside the shipped ones.

    Returns:
        The remotes of atlas and of the policy repository.
    """
    atlas, policy = work / ATLAS, work / POLICY
    bare = {name: remotes / f"{name}.git" for name in (ATLAS, POLICY)}
    (atlas / "data").mkdir(parents=True)
    (atlas / "README.md").write_text(_README, encoding="utf-8")
    for path in (COUNTRIES, SHORT_NAMES):
        (atlas / path).write_text("[]\n", encoding="utf-8")
    ship(policy / "policies")
    folders = {ATLAS: ("data/**", ""), POLICY: ("policies/**", '\n[policy_folder]\npath = "policies"\n')}
    for name, (allowed, more) in folders.items():
        (work / name / "check.py").write_text(_CHECKS[name], encoding="utf-8")
        text = _TARGET.format(name=name, remote=bare[name], allowed=allowed, more=more, today=datetime.now(UTC).date())
        (policy / "policies" / "targets" / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, text in files.items():
        (policy / "policies" / name).write_text(text, encoding="utf-8")
    publish(atlas, bare[ATLAS], "Two lists, empty so far")
    publish(policy, bare[POLICY], "The shipped policy, two targets, one source")
    return bare[ATLAS], bare[POLICY]


def entry(name: str, url: str, of: DataSet, path: str, settings: str) -> str:
    """A ``[[sources]]`` entry for a feed of countries, as a person would write it.

    Args:
        name: the source's.
        url: where it is asked; its ending says the format.
        of: what its package says of itself.
        path: the data file it is for.
        settings: lines of its own: state, compliance, fallback, thresholds.
    """
    table = url.endswith(".csv")
    form, records = ('format = "csv"\n', "@") if table else ("", "countries")
    return _ENTRY.format(
        name=name,
        licence=of.licence,
        package=of.package,
        settings=settings,
        url=url,
        form=form,
        compared=_COMPARED if "fallback" in settings else "",
        records=records,
        path=path,
    )

"""Names that must fit together, because nothing else would say so before a run does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

from temporalio import activity, workflow

import composition
from activities import api
from adapters.agents.backends import BACKENDS, Means, open_agents
from adapters.agents.recipes.recipe import RECIPES, Recipe, recipe_of
from adapters.sources.connectors import connectors
from adapters.tools.measures import MEASURES, TOOLS
from adapters.tools.tool import Tool
from contracts.alert import AlertKind
from contracts.modes import Role
from contracts.task import MeasureKind
from policies.settings.charter import RolePolicy
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import CONNECTORS, SourcePolicy
from policies.task.measure_words import WORDS
from settings import ROOT, Settings
from tests.policies.sample_policy import policy
from workflows import api as names

OURS = {"contracts", "policies", "ports", "workflows", "activities", "adapters", "commands", "reporting", "demo"} | {
    "worker",
    "starter",
    "composition",
    "settings",
}


def test_no_installed_distribution_owns_our_names():
    """`workflows` and others are names that packages of the registry ship too; theirs would shadow ours."""
    assert {} == {name: found for name, found in packages_distributions().items() if name in OURS}


def test_every_step_is_registered_under_its_name(tmp_path: Path):
    """A step that workflows call and no worker knows would hang for days; one nobody calls is dead code."""
    adapters = composition.compose(Settings(home=tmp_path))
    # Nothing is asked of Control here.
    registered = composition.activities(
        adapters, composition.workbench(adapters, control=None, alerts=None), server_view=None
    )
    called = [step.name for step in vars(api).values() if isinstance(step, api.Step)]
    called += api.TELL.names
    assert sorted(called) == sorted(activity._Definition.must_from_callable(found).name for found in registered)


def test_the_composition_finds_what_it_names():
    """Imported when it is used: a name that leads nowhere would be found by an operator."""
    assert all(getattr(composition, name) is not None for name in composition._MODULE)


def test_a_worker_starts_without_reading_every_modules_code() -> None:
    """The SDK's own build id does, for a quarter of a second; ours stands for what a history depends on."""
    from composition.worker import _build_id, _doing

    assert 32 == len(_build_id())
    assert _build_id() == _doing((), 1, "steps")["build_id"]


def test_every_flow_has_a_row_and_an_explicit_name():
    """A workflow that no worker knows would wait for days; a renamed class must not rename what histories refer to."""
    written = {
        found for module in modules("workflows") for found in classes(module) if workflow._Definition.from_class(found)
    }
    assert written == set(composition.WORKFLOWS)
    named = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert {workflow._Definition.must_from_class(found).name for found in written} <= named


def test_every_tool_has_a_row():
    """What detects and fixes in a file of the tools is asked by every step that measures."""
    written = {
        found for module in modules("adapters.tools") for found in classes(module) if callable(getattr(found, "fix", 0))
    }
    assert written - {Tool} == {type(tool) for tool in TOOLS}


def test_every_backend_has_a_row(tmp_path: Path):
    """What answers in a file of the agents is opened by a word of the charter."""
    means = Means(composition.compose(Settings(home=tmp_path)).sandbox, None, tmp_path)
    agents = open_agents(means)
    opened = {type(agents(charter(word), Role.CODING)) for word in BACKENDS}
    written = {found for module in modules("adapters.agents") for found in classes(module) if hasattr(found, "answer")}
    assert written == opened


def test_every_connector_has_a_row():
    """One that is in no row of the connectors asks nobody; one that `sources.toml` has no table for is never chosen."""
    written = {found for module in modules("adapters.sources") for found in classes(module) if hasattr(found, "fetch")}
    rows = connectors(None, None, None)
    assert written == {type(each) for each in rows.values()}
    assert set(rows) == set(CONNECTORS)
    assert set(CONNECTORS) <= set(SourcePolicy.model_fields)


def test_every_measure_has_a_row():
    """A contract that names it is counted by it, and says in words what it is about."""
    assert set(MeasureKind) == set(MEASURES) == set(WORDS)


def test_every_alert_kind_is_raised():
    """A word that nobody raises is a promise that nobody keeps; a person raises the one that tries the channels."""
    code = "".join(
        path.read_text(encoding="utf-8")
        for top in ("policies", "workflows", "activities", "commands")
        for path in (ROOT / top).rglob("*.py")
    )
    assert set() == {kind for kind in AlertKind if f"AlertKind.{kind.name}" not in code}


def modules(package: str) -> Iterator[ModuleType]:
    """The package's own, imported; scripts that run inside the sandbox by themselves are none."""
    found = import_module(package)
    for info in walk_packages(found.__path__, f"{package}."):
        if ".inside" not in info.name:
            yield import_module(info.name)


def classes(module: ModuleType) -> Iterator[type]:
    """Those that the module itself defines."""
    return (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)


def charter(word: str) -> EffectivePolicy:
    """One that names a backend for a role."""
    known = policy()
    roles = {Role.CODING: RolePolicy(backend=word)}
    return known.model_copy(update={"charter": known.charter.model_copy(update={"roles": roles})})


def test_every_recipe_has_a_row():
    """What is a recipe in a file of them is a word of the charter, pinned, and says what it was seen to do."""
    written = [each for module in modules("adapters.agents.recipes") for each in vars(module).values()]
    found = {each.package for each in written if isinstance(each, Recipe)}
    rows = {name: recipe_of(name) for name in RECIPES}
    assert found == {each.package for each in rows.values()}
    assert all(each.seen and re.fullmatch(r"[\d.]+", each.version) for each in rows.values())
    assert all("@MODEL@" in " ".join((*each.argv, *each.files.values())) for each in rows.values())

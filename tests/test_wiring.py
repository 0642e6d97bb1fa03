"""Names that must fit together, because nothing else would say so before a run does."""

from __future__ import annotations

from importlib.metadata import packages_distributions
from pathlib import Path

from temporalio import activity, workflow

import composition
from activities import api
from settings import Settings
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


def test_workflows_have_explicit_names():
    """A renamed class must not rename what histories refer to."""
    definitions = [workflow._Definition.must_from_class(found) for found in composition.WORKFLOWS]
    flows = {names.INSTALLATION, names.CONTROL, names.DAILY_RUN, names.INCIDENT, names.ALERTS, names.FOLLOW_UP}
    flows |= {names.ROLLBACK, names.DASHBOARDS, names.GOVERNANCE_REVIEW}
    assert flows == {found.name for found in definitions}

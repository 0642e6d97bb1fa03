"""Settings → adapters → activities: the only place that knows which adapter stands behind which port.

adapters.py  every adapter of one process, each made when it is first asked for
worker.py    workflows and activities, registered

What the commands use of the adapters is named here, and imported when it is used (PEP 562): a command pays for what it
does, not for what a worker needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each named twice: it is handed on
    from adapters.agents.charter_check import try_role as try_role
    from adapters.agents.recipes.recipe import RECIPES as RECIPES
    from adapters.agents.recipes.recipe import recipe_of as recipe_of
    from adapters.forges.kinds import FORGES as FORGES
    from adapters.forges.kinds import forge_checkup as forge_checkup
    from adapters.forges.local_desk import LocalDesk as LocalDesk
    from adapters.forges.local_issues import LocalIssues as LocalIssues
    from adapters.policy_files import PolicyFiles as PolicyFiles
    from adapters.store.private_home import HomeUnusable as HomeUnusable
    from adapters.store.private_home import open_home as open_home
    from adapters.survey.clients import Clients as Clients
    from adapters.survey.hooks import HOOKS as HOOKS
    from adapters.survey.hooks import OwnersFixers as OwnersFixers
    from adapters.survey.hooks import equipped as equipped
    from adapters.survey.languages import differently as differently
    from adapters.survey.languages import lesser as lesser
    from adapters.survey.python_locks import without_itself as without_itself
    from adapters.survey.submodules import LFS_NOTE as LFS_NOTE
    from adapters.survey.submodules import SUBMODULES_NOTE as SUBMODULES_NOTE
    from adapters.survey.submodules import with_submodules as with_submodules
    from adapters.survey.surveyor import Survey as Survey
    from adapters.survey.surveyor import survey as survey
    from adapters.survey.target_file import render_target as render_target
    from adapters.temporal.alert_sink import raise_alert as raise_alert
    from adapters.temporal.alert_sink import start_alerts as start_alerts
    from adapters.temporal.connection import connect as connect
    from adapters.temporal.connection import prepare_namespace as prepare_namespace
    from adapters.temporal.connection import retention as retention
    from adapters.temporal.control_desk import pause_target as pause_target
    from adapters.temporal.control_desk import start_control as start_control
    from adapters.temporal.embedded_server import EmbeddedServer as EmbeddedServer
    from adapters.temporal.embedded_server import start_embedded_server as start_embedded_server
    from adapters.temporal.installation import pause_installation as pause_installation
    from adapters.temporal.installation import refresh_dashboards as refresh_dashboards
    from adapters.temporal.installation import start_dashboards as start_dashboards
    from adapters.temporal.open_workflow import ask_open as ask_open
    from adapters.temporal.schedules import held as held
    from adapters.temporal.schedules import schedule_expansions as schedule_expansions
    from adapters.temporal.schedules import schedule_reviews as schedule_reviews
    from adapters.temporal.schedules import sync_schedule as sync_schedule
    from composition.adapters import Adapters as Adapters
    from composition.adapters import compose as compose
    from composition.adapters import expanding as expanding
    from composition.adapters import fixer_measures as fixer_measures
    from composition.adapters import local_desk as local_desk
    from composition.adapters import local_issues as local_issues
    from composition.adapters import open_forge as open_forge
    from composition.adapters import open_repository as open_repository
    from composition.adapters import source_reader as source_reader
    from composition.worker import WORKFLOWS as WORKFLOWS
    from composition.worker import activities as activities
    from composition.worker import begin_standing as begin_standing
    from composition.worker import build_worker as build_worker
    from composition.worker import connected_workbench as connected_workbench
    from composition.worker import workbench as workbench
    from ports.server import AnotherHome as AnotherHome
    from ports.server import ServerUnavailable as ServerUnavailable

_WHERE = {
    "adapters.agents.charter_check": ("try_role",),
    "adapters.agents.recipes.recipe": ("RECIPES", "recipe_of"),
    "adapters.forges.kinds": ("FORGES", "forge_checkup"),
    "adapters.forges.local_desk": ("LocalDesk",),
    "adapters.forges.local_issues": ("LocalIssues",),
    "adapters.policy_files": ("PolicyFiles",),
    "adapters.store.private_home": ("HomeUnusable", "open_home"),
    "adapters.survey.clients": ("Clients",),
    "adapters.survey.hooks": ("HOOKS", "OwnersFixers", "equipped"),
    "adapters.survey.languages": ("differently", "lesser"),
    "adapters.survey.python_locks": ("without_itself",),
    "adapters.survey.submodules": ("LFS_NOTE", "SUBMODULES_NOTE", "with_submodules"),
    "adapters.survey.surveyor": ("Survey", "survey"),
    "adapters.survey.target_file": ("render_target",),
    "adapters.temporal.alert_sink": ("raise_alert", "start_alerts"),
    "adapters.temporal.connection": ("connect", "prepare_namespace", "retention"),
    "adapters.temporal.control_desk": ("pause_target", "start_control"),
    "adapters.temporal.embedded_server": ("EmbeddedServer", "start_embedded_server"),
    "adapters.temporal.installation": ("pause_installation", "refresh_dashboards", "start_dashboards"),
    "adapters.temporal.open_workflow": ("ask_open",),
    "adapters.temporal.schedules": ("held", "schedule_expansions", "schedule_reviews", "sync_schedule"),
    "composition.adapters": (
        "Adapters",
        "compose",
        "expanding",
        "fixer_measures",
        "local_desk",
        "local_issues",
        "open_forge",
        "open_repository",
        "source_reader",
    ),
    "composition.worker": (
        "WORKFLOWS",
        "activities",
        "begin_standing",
        "build_worker",
        "connected_workbench",
        "workbench",
    ),
    "ports.server": ("AnotherHome", "ServerUnavailable"),
}
_MODULE = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for, once."""
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULE[name]), name)
    globals()[name] = found
    return found

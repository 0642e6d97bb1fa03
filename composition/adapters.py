"""Every adapter of one process, for the steps and for the operator's commands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from settings import Settings

if TYPE_CHECKING:
    from activities.source.reading import SourceReader
    from adapters.agents.installing import Installer
    from adapters.environments.wheels import WheelEnvironments
    from adapters.forges.local_desk import LocalDesk
    from adapters.forges.local_issues import LocalIssues
    from adapters.git.mirror import Mirror
    from adapters.policy_files import PolicyFiles
    from adapters.sandbox.bubblewrap import BubblewrapSandbox
    from adapters.store.chained_log import ChainedLog
    from adapters.store.local_store import LocalStore
    from adapters.store.run_index import RunIndex
    from policies.settings.schema import Target
    from ports.forge import Forge
    from ports.measures import Measures


@dataclass(frozen=True)
class Adapters:
    """Each is imported and made when it is first asked for; none touches the disk before it is used."""

    settings: Settings

    @cached_property
    def policies(self) -> PolicyFiles:
        """The policy folder."""
        from adapters.policy_files import PolicyFiles

        return PolicyFiles(self.settings.policies)

    @cached_property
    def store(self) -> LocalStore:
        """Artifacts."""
        from adapters.store.local_store import LocalStore

        return LocalStore(self.settings.artifacts, self.settings.pages)

    @cached_property
    def audit(self) -> ChainedLog:
        """The audit logs."""
        from adapters.store.chained_log import ChainedLog

        return ChainedLog(self.settings.artifacts)

    @cached_property
    def index(self) -> RunIndex:
        """The list of ended runs."""
        from adapters.store.run_index import RunIndex

        return RunIndex(self.settings.artifacts)

    @cached_property
    def sandbox(self) -> BubblewrapSandbox:
        """Where everything of a repository runs."""
        from adapters.sandbox.bubblewrap import BubblewrapSandbox

        return BubblewrapSandbox()

    @cached_property
    def environments(self) -> WheelEnvironments:
        """The check environments."""
        from adapters.environments.wheels import WheelEnvironments
        from adapters.forges.http.tokens import reading_environment

        return WheelEnvironments(self.settings.home / "environments", self.sandbox, reading_environment)

    @cached_property
    def installer(self) -> Installer:
        """Agents of others' making on this machine."""
        from adapters.agents.installing import Installer

        return Installer(self.settings.agents, self.sandbox)


def compose(settings: Settings) -> Adapters:
    """The adapters of these settings."""
    return Adapters(settings)


def fixer_measures(adapters: Adapters) -> Measures:
    """Measuring with a target's own fixers alone."""
    from adapters.tools.fixers import FixersTool
    from adapters.tools.measures import ToolMeasures

    return ToolMeasures(adapters.sandbox, (FixersTool(),))


def expanding(adapters: Adapters) -> dict[str, str]:
    """Targets that have a source which could be tried, each with its time zone; a broken policy has none."""
    from policies.source.scouting import catalogue_of
    from ports.policy_source import PolicyError

    found = {}
    for name in adapters.policies.names():
        try:
            policy, catalogue = adapters.policies.effective(name), adapters.policies.catalogue()
        except PolicyError:
            continue
        if policy.sources.of(name) or (catalogue and catalogue_of(catalogue, policy.sources, name)[0]):
            found[name] = policy.target.time_zone
    return found


def open_forge(settings: Settings, target: Target) -> Forge:
    """A target's forge, for reading."""
    from adapters.forges.kinds import open_forges

    return open_forges(settings.home, settings.mirrors)(target)


def open_repository(settings: Settings, target: Target) -> Mirror:
    """A target's mirror, the same one that runs use."""
    from adapters.forges.http.tokens import reading_environment
    from adapters.git.mirror import open_mirror

    return open_mirror(settings.mirrors, reading_environment)(target)


def local_desk(settings: Settings, target: Target, actor: str) -> LocalDesk:
    """A target's pull requests on the local forge, for the person who types."""
    from adapters.forges.local import forge_folder
    from adapters.forges.local_desk import LocalDesk

    return LocalDesk(target, forge_folder(settings.home, target.name), open_repository(settings, target), actor)


def local_issues(settings: Settings, target: str) -> LocalIssues:
    """A target's issues on the local forge."""
    from adapters.forges.local import forge_folder
    from adapters.forges.local_issues import LocalIssues

    return LocalIssues(forge_folder(settings.home, target))


def source_reader(settings: Settings) -> SourceReader:
    """Asks sources, for a command as for a run."""
    from activities.source.reading import SourceReader
    from adapters.forges.kinds import open_forges
    from adapters.sources.connectors import connectors

    adapters = compose(settings)
    return SourceReader(
        connectors(adapters.sandbox, adapters.environments, open_forges(settings.home, settings.mirrors)),
        adapters.store,
    )

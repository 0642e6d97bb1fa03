"""The connectors there are: their names are the tables of ``[[sources]]`` (``policies.settings.sources``)."""

from collections.abc import Mapping

from adapters.sources.command import CommandSource
from adapters.sources.forge import ForgeSource
from adapters.sources.http import HttpSource
from adapters.sources.repository import RepositorySource
from ports.environments import Environments
from ports.forge import OpenForge
from ports.sandbox import Sandbox
from ports.sources import Connector


def connectors(sandbox: Sandbox, environments: Environments, forges: OpenForge) -> Mapping[str, Connector]:
    """Each by its name."""
    return {
        "http": HttpSource(),
        "command": CommandSource(sandbox, environments),
        "repository": RepositorySource(),
        "forge": ForgeSource(forges),
    }

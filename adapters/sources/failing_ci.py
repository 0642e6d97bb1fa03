"""ports.sources.Connector: the checks of the base that are red on the forge, a record each."""

import json

from contracts.forge_facts import CheckState
from policies.settings.sources import SourcePolicy
from ports.forge import ForgeError, OpenForge
from ports.sources import Answered, Asked


class FailingCi:
    """What the forge says of the base commit now."""

    def __init__(self, forges: OpenForge) -> None:
        self._forges = forges

    def fetch(self, source: SourcePolicy, asked: Asked) -> Answered:  # noqa: ARG002  # the port's shape
        """A JSON list; checks that are awaited say nothing yet."""
        about = f"checks of {asked.base_sha[:12]}"
        try:
            reported = self._forges(asked.policy.target).reported_checks(asked.base_sha)
        except ForgeError as problem:
            return Answered(about, None, str(problem))
        red = [
            {"id": check.name, "name": check.name, "detail": check.detail, "link": check.link}
            for check in reported
            if check.state is CheckState.RED
        ]
        return Answered(about, json.dumps(red).encode(), media_type="application/json")

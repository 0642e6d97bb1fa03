"""ports.sources.Connector: what the forge says of the base: its red checks, or open issues with a label."""

import json

from contracts.forge_facts import CheckState
from policies.settings.sources import SourcePolicy
from ports.forge import Forge, ForgeError, OpenForge
from ports.sources import SourceAnswer, SourceRequest


class ForgeSource:
    """What the forge says now, as a JSON list."""

    def __init__(self, forges: OpenForge) -> None:
        self._forges = forges

    def fetch(self, source: SourcePolicy, request: SourceRequest) -> SourceAnswer:
        """A forge without issues gives no answer; an empty list means that there is none."""
        assert source.forge is not None  # noqa: S101  # the connector's row is chosen by it
        label = source.forge.label
        about = f"issues labelled {label}" if label else f"checks of {request.base_sha[:12]}"
        try:
            forge = self._forges(request.policy.target)
            found = _issues(forge, label) if label else _red_checks(forge, request.base_sha)
        except ForgeError as problem:
            return SourceAnswer(about, None, str(problem))
        if found is None:
            return SourceAnswer(about, None, "a repository without a forge has no issues")
        return SourceAnswer(about, json.dumps(found).encode(), media_type="application/json")


def _red_checks(forge: Forge, commit: str) -> list[dict[str, object]]:
    """Checks that are awaited say nothing yet."""
    return [
        {"id": check.name, "name": check.name, "detail": check.detail, "link": check.link}
        for check in forge.reported_checks(commit)
        if check.state is CheckState.RED
    ]


def _issues(forge: Forge, label: str) -> list[dict[str, object]] | None:
    found = forge.issues(label)
    return None if found is None else [{"id": each.number, **each.model_dump(mode="json")} for each in found]

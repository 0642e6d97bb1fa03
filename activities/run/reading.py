"""Reading what a run left, for a report that must be made whatever became of it (P12, P18)."""

from typing import TypeVar

from pydantic import ValidationError

from activities.step_session import StepPorts
from contracts.artifact import ArtifactRef, Contract
from contracts.handover import RunRef
from policies.counted import counted
from policies.settings.schema import EffectivePolicy
from ports.policy_source import PolicyError
from ports.store import StoreError

Model = TypeVar("Model", bound=Contract)


class Reader:
    """Gives what is there; what is not, or is damaged, is None, and stands in ``missing`` with the reason."""

    def __init__(self, bench: StepPorts) -> None:
        self._bench = bench
        self._missing: dict[str, str] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """A line for each."""
        return tuple(f"{name}: {why}" for name, why in self._missing.items())

    def paper(self, artifacts: tuple[ArtifactRef, ...], name: str, model: type[Model]) -> Model | None:
        """An artifact that the run made; None, and not missing, when it made none."""
        ref = next((ref for ref in artifacts if ref.name == name), None)
        body = None if ref is None else self.body(ref)
        if body is None:
            return None
        try:
            return model.model_validate_json(body)
        except ValidationError as damage:
            self._missing[name] = f"{counted(damage.error_count(), 'field is wrong', 'fields are wrong')}"
            return None

    def body(self, ref: ArtifactRef) -> bytes | None:
        """Its bytes."""
        try:
            return self._bench.store.get(ref)
        except StoreError as problem:
            self._missing[ref.name] = str(problem)
            return None

    def policy(self, run: RunRef) -> EffectivePolicy | None:
        """The policy the run started under."""
        try:
            return self._bench.pinned_policy(run)
        except (StoreError, PolicyError, ValidationError) as problem:
            self._missing["policy.json"] = str(problem)
            return None

"""Reading what somebody started a workflow with: strict enough to be safe, clear enough to be mended."""

import difflib
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from contracts.admission import RunRequest
from contracts.artifact import Contract
from contracts.governance import ReviewRequest
from contracts.modes import RunKind
from contracts.trial import ExpansionRequest

Model = TypeVar("Model", bound=Contract)

_RUN = 'start DailyRun with {"target": "demo"}'
_EXPANSION = 'start SourceExpansion with {"target": "demo"}, or with {"target": "demo", "source": "advisories"}'
_REVIEW = 'start GovernanceReview with {"days": 28}, or with nothing'


def read_start(spec: RawValue | None) -> RunRequest:
    """The request, from a JSON object or a bare target name.

    Raises:
        ApplicationError: type ``BadStart``, not retryable; the run fails at once with this message.
    """
    request = _target(spec, RunRequest, _RUN)
    if request.kind is RunKind.SOURCE:
        raise bad_start("a source expansion is a workflow of its own", _EXPANSION)
    return request


def read_expansion(spec: RawValue | None) -> ExpansionRequest:
    """The target, and the source that is to be tried, if a person names one.

    Raises:
        ApplicationError: as above.
    """
    return _target(spec, ExpansionRequest, _EXPANSION)


def read_review(spec: RawValue | None) -> ReviewRequest:
    """The window of a governance review; nothing at all is the usual one.

    Raises:
        ApplicationError: as above.
    """
    try:
        return ReviewRequest.model_validate(_json(spec, _REVIEW) or {})
    except ValidationError as problem:
        raise bad_start(_told(problem), _REVIEW) from None


def _target(spec: RawValue | None, model: type[Model], example: str) -> Model:
    payload = _json(spec, example)
    if isinstance(payload, str):
        payload = {"target": payload}
    if not isinstance(payload, dict):
        raise bad_start("the input must be a JSON object", example)
    if "target" not in payload:
        near = difflib.get_close_matches("target", [str(key) for key in payload], n=1, cutoff=0.5)
        raise bad_start("`target` is missing" + (f" (did you mean it by {near[0]!r}?)" if near else ""), example)
    try:
        return model.model_validate(payload)
    except ValidationError as problem:
        raise bad_start(_told(problem), example) from None


def bad_start(reason: str, example: str = _RUN) -> ApplicationError:
    """What ends a workflow that nobody can start: a reason, and an example of how to."""
    return ApplicationError(f"{reason}; {example}", type="BadStart", non_retryable=True)


def _json(spec: RawValue | None, example: str) -> Any:
    data = b"" if spec is None else spec.payload.data
    try:
        return from_json(data) if data else None
    except (ValueError, RecursionError):
        shown = data[:80].decode("utf-8", "backslashreplace")
        raise bad_start(f"the input is not JSON: {shown!r}", example) from None


def _told(problem: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors())

"""Reading what somebody started a run with: strict enough to be safe, clear enough to be mended."""

import difflib

from pydantic import ValidationError
from pydantic_core import from_json
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from contracts.admission import RunRequest

_EXAMPLE = '{"target": "demo"}'


def read_start(spec: RawValue | None) -> RunRequest:
    """The request, from a JSON object or a bare target name.

    Raises:
        ApplicationError: type ``BadStart``, not retryable; the run fails at once with this message.
    """
    data = b"" if spec is None else spec.payload.data
    try:
        given = from_json(data) if data else None
    except (ValueError, RecursionError):
        raise bad_start(f"the input is not JSON: {data[:80].decode('utf-8', 'backslashreplace')!r}") from None
    if isinstance(given, str):
        given = {"target": given}
    if not isinstance(given, dict):
        raise bad_start("the input must be a JSON object")
    if "target" not in given:
        near = difflib.get_close_matches("target", [str(key) for key in given], n=1, cutoff=0.5)
        raise bad_start("`target` is missing" + (f" (did you mean it by {near[0]!r}?)" if near else ""))
    try:
        return RunRequest.model_validate(given)
    except ValidationError as problem:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors())
        raise bad_start(told) from None


def bad_start(reason: str) -> ApplicationError:
    """What ends a run that nobody can start: a reason, and an example of how to."""
    return ApplicationError(f"{reason}; start DailyRun with {_EXAMPLE}", type="BadStart", non_retryable=True)

"""What workflows tell a Control, and what lists say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio import activity

from activities.api import TELL, TellInput
from activities.step_session import StepPorts
from contracts import messages
from contracts.artifact import Contract
from contracts.control import Answer
from contracts.rollback import ROLLED_BACK, FollowUpEnd, Merged, RollbackOutcome, RollbackResult, became
from ports.crashpoints import crashpoint
from ports.store import RunIndex

_MESSAGES: dict[str, messages.Message[Any, Answer]] = {
    each.name: each for each in vars(messages).values() if isinstance(each, messages.Message)
}


def listed(message: Contract) -> tuple[str, str]:
    """The run, and what lists say became of its change from now on; empty: nothing new."""
    match message:
        case Merged():
            return message.run.run_id, became("merged", message.by) if message.by else ""
        case FollowUpEnd():
            return message.run_id, message.became
        case RollbackResult():
            return message.run_id, ROLLED_BACK if message.outcome is RollbackOutcome.RESTORED else ""
    return "", ""


@dataclass(frozen=True)
class Telling:
    """One implementation under every name that an open run may have scheduled."""

    bench: StepPorts
    index: RunIndex

    def steps(self) -> list[Callable[..., Any]]:
        """The activities."""
        return [self._named(name) for name in TELL.names]

    def _named(self, name: str) -> Callable[[TellInput], Answer]:
        @activity.defn(name=name, no_thread_cancel_exception=True)
        def tell(request: TellInput) -> Answer:
            return self._tell(request)

        return tell

    def _tell(self, request: TellInput) -> Answer:
        """Idempotent, as every one of these messages is."""
        message = _MESSAGES[request.update]
        message_body = message.request.model_validate(request.payload)
        crashpoint("tell.before_effect")
        run_id, words = listed(message_body)
        # Whoever merged or closed it: once it is undone, the base is without it.
        if words and self.index.outcomes([run_id]).get(run_id) != ROLLED_BACK:
            self.index.became(run_id, words)
        answer = self.bench.control.ask(request.target, message, message_body)
        crashpoint("tell.after_effect")
        return answer

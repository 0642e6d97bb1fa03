"""What became of a pull request: at its text's head, and as a comment when we acted on it; one small write (P7, P10).

It never undoes or fails the act: where the forge cannot be asked, it is tried a few times, then the log says so.
"""

from dataclasses import dataclass

from temporalio import activity

from activities.step_session import StepPorts
from activities.write.cleared_write import ClearedWrite, given_up, record_effect
from contracts.audit import AuditEvent
from contracts.clearance import WriteAnswerKind
from contracts.forge_facts import comment_name
from contracts.handover import RunRef
from contracts.modes import Role, WriteAction, WriteClass
from contracts.verdict import Fact
from policies.counted import shortened
from policies.settings.schema import EffectivePolicy
from ports.forge import ForgeError


@dataclass(frozen=True)
class Comment:
    """What is said, on which pull request, for whom."""

    writer: str
    """Whose write it is: a run's or a rollback's id."""
    number: int
    about: str
    """One comment per writer, pull request and this word: ``merged``, ``closed``, ``rolled-back``."""
    text: str
    """Empty: nothing is said below it, only its head says what became of it."""
    head: str
    """What its own text begins with from now on."""
    links: tuple[int, ...] = ()
    """Pull requests of ours that the texts name."""
    incident: str = ""
    addresses: tuple[str, ...] = ()
    """Web addresses of ours to which the texts link."""

    @property
    def action(self) -> WriteAction:
        """The write that says it."""
        return WriteAction.COMMENT if self.text else WriteAction.UPDATE_PULL_REQUEST

    @property
    def key(self) -> str:
        """The business key: it names the pull request, so that whoever looks for the comment knows where."""
        name = comment_name(self.number, self.about) if self.text else f"outcome-{self.number}-{self.about}"
        return f"{self.writer}/{name}"


def said_once(bench: StepPorts, policy: EffectivePolicy, run: RunRef, comment: Comment) -> None:
    """Write it, or find it written.

    Raises:
        ForgeError: could not be asked yet; the activity is tried again, and finds what it did before.
        ApplicationError: another attempt holds the clearance.
    """
    effect = record_effect(
        policy,
        comment.action,
        comment.key,
        comment.writer,
        number=comment.number,
        body=comment.text,
        head=comment.head,
        links=comment.links,
        addresses=comment.addresses,
    )
    try:
        done = ClearedWrite(bench, comment.incident).around(policy, effect, WriteClass.RECORD, run.policy.digest)
    except ForgeError as problem:
        _note(bench, comment, f"the forge could not be asked: {given_up(problem)}")
        return
    if done.answer.answer is WriteAnswerKind.REFUSED:
        _note(bench, comment, done.answer.verdict.reason)
    elif done.result is not None and (done.result.refused or not done.result.done):
        _note(bench, comment, done.result.refused or "looked only: it is not there")


def _note(bench: StepPorts, comment: Comment, reason: str) -> None:
    facts: dict[str, Fact] = {"pullRequest": comment.number, "about": comment.about, "reason": shortened(reason, 500)}
    event = AuditEvent(
        key=f"{comment.key}/left out",
        role=Role.RELEASE,
        event=f"{'comment' if comment.text else 'outcome'} left out",
        facts=facts,
    )
    bench.record(comment.writer, (event,), activity.info().started_time)

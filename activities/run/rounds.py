"""Another round of Coding: what failed is told to it, as data; whether there is one, policy says."""

from activities.step_session import StepPorts, StepSession
from contracts.change import Change
from contracts.evidence import ChecksReport, ReviewReport
from contracts.handover import StepInput, StepResult
from policies.agents.context import told
from policies.release.checks import how_it_ended
from policies.task.rounds import after_coding, red, rounds_left

_TAIL = 6_000
"""Bytes of the end of a failing check's output: the text, never a link to it."""
_ALL = 24_000


def back_to_coding(bench: StepPorts, request: StepInput, result: StepResult) -> StepResult:
    """The result of a step of Coding, handed to Coding again where it said no and rounds are left."""
    if result.verdict.allowed:
        return result
    again = after_coding(result.verdict, rounds_left(bench.pinned_policy(request.run), request))
    if again is None:
        return result
    return result.model_copy(update={"handover": result.handover.model_copy(update={"next_role": again})})


def what_failed(session: StepSession) -> dict[str, str]:
    """By file name, for the agent; empty in the first round."""
    if session.input.round == 1:
        return {}
    texts = {"why_again.md": session.input.because}
    names = {ref.name for ref in session.input.artifacts}
    if {"change.json", "checks/checks.json", "review_report.json"} <= names:
        change = session.load("change.json", Change)
        checks = session.load("checks/checks.json", ChecksReport)
        review = session.load("review_report.json", ReviewReport)
        # Of the round before last they say nothing of the tree that it goes on from.
        if checks.head_sha == change.head_sha == review.head_sha:
            texts["checks.md"] = "\n\n".join(_failure(session, checks))
            texts["review.md"] = "\n".join(f"- {each.path or 'the change'}: {each.message}" for each in review.remarks)
    return told(texts, _ALL)


def _failure(session: StepSession, checks: ChecksReport) -> list[str]:
    parts = []
    for result in red(checks):
        output = result.attempts[-1].output
        tail = session.load_bytes(output.name)[-_TAIL:].decode("utf-8", "replace") if output else ""
        parts.append(f"{result.name}: {how_it_ended(result)}\n\n{tail}")
    return parts

"""A model in a role that answers: one bounded exchange a question, through the gateway, held to our own contracts.

The deterministic tools answer every question first; what the model says can only rank, narrow or block that
(``policies.agents.answers``). The client library is imported with the first question: nobody else waits for it.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from adapters.agents.backends import PROMPTS, Means
from adapters.agents.tools_backend import open_tools
from contracts.asked import Unclear
from contracts.evidence import ReviewProposal
from contracts.exchange import AgentOutcome, AgentRecord, Ending
from contracts.modes import Role
from contracts.task import CandidateTasks, TaskContract
from contracts.trial import CandidateSources
from contracts.verdict import Decision
from policies.agents.answers import Unfit, asked_back, both, narrowed, ranked
from policies.agents.context import DATA_IS_NO_ORDER, LARGEST, fenced, is_cut, told
from policies.agents.outcome import Stop, Work, outcome_of, progress
from policies.digests import sha256_hex
from policies.settings.charter import RolePolicy
from policies.task.planning import judge_contract, make_contract
from ports.agents import Agent, AgentError, AgentStopped, Brief, InvalidAnswer

if TYPE_CHECKING:
    from ports.models import ModelGateway, OpenGateway

ANSWER, NOTHING, UNCLEAR = "final_result", "nothing_fits", "unclear"
"""Tools that the model may call: its answer, and in Planning that there is none, or a question about an issue."""
_REASON = {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]}
_OFFERED = 5
"""Contracts that Planning is offered."""
_LOOK = 0.5
"""Seconds between two looks whether the step is cancelled."""
_SAID = 2000
_ALONE = frozenset({Role.SCOUT, Role.SOURCE_QA})
"""Roles in which what is known is told by the step, and the tools have nothing to add."""
_LEAST = 2000
"""Characters that are told at least, however few tokens there are."""
_NO_ANSWER = frozenset({Ending.REJECTED, Ending.FORBIDDEN})


class Question(NamedTuple):
    """What is asked beside the prompt, and what is made of a valid answer."""

    ours: Mapping[str, str]
    """What it is about, whole."""
    told: Mapping[str, str]
    """What may be cut, where the role's tokens do not hold it."""
    wanted: type[BaseModel]
    merged: Callable[[Any], str]
    """Raises ``Unfit``."""
    issues: frozenset[str] = frozenset()
    """Ids of offered tasks that are from issues, which it may ask about instead."""


@dataclass
class ModelBackend:
    """One role of one step."""

    said: RolePolicy
    tools: Agent
    """Answers first, and for itself where there is nothing to ask."""
    open_gateway: "OpenGateway"
    _ours: str = ""
    _spent: float = 0.0

    @property
    def name(self) -> str:
        """For reports."""
        return f"{self.tools.name} and {self._model}"

    @property
    def _model(self) -> str:
        return self.said.models[0]

    def answer(self, brief: Brief) -> str:
        """The role's proposal as JSON; see the port."""
        brief.meter.free()
        # A repair asks again: what the tools say has not changed.
        self._ours = self._ours or ("{}" if brief.role in _ALONE else self.tools.answer(brief))
        question = _QUESTIONS[brief.role](self._bounded(brief), self._ours, self._model)
        if question is None:
            return self._ours
        called, text = self._ask(brief, question)
        if called == NOTHING and brief.role is Role.PLANNING:
            return "null"
        try:
            if called == UNCLEAR and question.issues:
                return asked_back(Unclear.model_validate_json(text), question.issues).model_dump_json()
            return question.merged(question.wanted.model_validate_json(text))
        except (ValidationError, RecursionError):
            # Whoever asked says what is wrong, keeps it, and asks again.
            return text
        except Unfit as unfit:
            raise InvalidAnswer(text, str(unfit)) from unfit

    def _bounded(self, brief: Brief) -> Brief:
        """With what it is told cut to half of what the role's tokens hold: so there is room for a repair."""
        words = "".join(brief.told.values())
        # A token is a byte at least, as worst cases are reckoned; JSON has more bytes than a text has characters.
        written = len(json.dumps(words, ensure_ascii=False).encode("utf-8", "replace"))
        room = (self.said.tokens - self.said.output_tokens) // 2 * len(words) // written
        return replace(brief, told=told(brief.told, min(2 * LARGEST, max(room, _LEAST))))

    def _ask(self, brief: Brief, question: Question) -> tuple[str, str]:
        """The tool it called, and what it said."""
        if brief.purse is None:
            raise AgentError("nobody pays for this question: no model may be asked")
        prompt = (PROMPTS / f"{self.said.prompt or brief.role.value}.md").read_text(encoding="utf-8")
        left = self.said.minutes * 60 - self._spent
        began = time.monotonic()
        called, text, stopped = "", "", None
        with TemporaryDirectory(prefix="gateway-") as folder:
            gateway = self.open_gateway(brief.policy, brief.role, brief.purse, Path(folder))
            brief.tell(**progress(self._model, ()))
            try:
                with gateway:
                    asking = self._exchange(gateway, prompt, _words(question, brief.feedback), question, brief)
                    try:
                        called, text = asyncio.run(asyncio.wait_for(asking, max(left, 1.0)))
                    except TimeoutError:
                        stopped = Stop.DEADLINE
            except BaseException as problem:
                # Cancelled, say: what went up costs all the same, and is on record.
                if gateway.exchanges:
                    reason = f"the step ended in the middle of the question: {type(problem).__name__}"
                    seconds = time.monotonic() - began
                    self._record(brief, prompt, gateway, AgentOutcome.CRASHED, reason, seconds)
                raise
        seconds = time.monotonic() - began
        self._spent += seconds
        exchanges = gateway.exchanges
        if not exchanges and stopped is None:
            raise AgentError(f"nothing was asked: {text}")
        answered = bool(text) and not (exchanges and exchanges[-1].ending in _NO_ANSWER)
        ended = outcome_of(Work(exchanges, changed=answered, exit_code=0, stopped=stopped))
        self._record(brief, prompt, gateway, ended.outcome, ended.reason, seconds)
        if ended.outcome is not AgentOutcome.DONE:
            raise AgentStopped(ended.outcome, f"{self._model}: {ended.reason}", ended.retry_after)
        return called, text

    async def _exchange(
        self, gateway: "ModelGateway", prompt: str, words: str, question: Question, brief: Brief
    ) -> tuple[str, str]:
        """The answer's tool and text, empty where none came. How it ended, the gateway's record says, not this."""
        from adapters.agents.model_request import ask  # noqa: PLC0415  # seconds of imports: only for who asks

        dialect = brief.policy.charter.providers[self.said.provider].dialect
        tools = {ANSWER: _schema(question.wanted)}
        if brief.role is Role.PLANNING:
            tools |= {NOTHING: _REASON} | ({UNCLEAR: _schema(Unclear)} if question.issues else {})
        asking = asyncio.create_task(
            ask(
                gateway.socket,
                dialect,
                self._model,
                f"{prompt}\n{DATA_IS_NO_ORDER}",
                words,
                tools,
                self.said.output_tokens,
            )
        )
        try:
            while not (await asyncio.wait({asking}, timeout=_LOOK))[0]:
                brief.alive()
            return asking.result()
        finally:
            asking.cancel()

    def _record(
        self, brief: Brief, prompt: str, gateway: "ModelGateway", outcome: AgentOutcome, reason: str, seconds: float
    ) -> None:
        exchanges = tuple(gateway.exchanges)
        # Told apart from those of other attempts and rounds, wherever they were made.
        name = f"{brief.role.value}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        transcript = f"{name}.transcript.jsonl"
        record = AgentRecord(
            run_id=brief.run.run_id,
            role=brief.role.value,
            backend="model",
            agent=self._model,
            prompt=sha256_hex(prompt.encode()),
            outcome=outcome,
            reason=reason,
            exchanges=exchanges,
            usd=sum(each.usd for each in exchanges),
            tokens=sum(each.tokens_in + each.tokens_out for each in exchanges),
            bound=any(each.bound for each in exchanges),
            seconds=round(seconds, 3),
            transcript=f"agent/{transcript}",
        )
        brief.keep(transcript, gateway.transcript, "application/jsonl")
        brief.keep(f"{name}.json", record.model_dump_json(indent=2).encode(), "application/json")


def _schema(wanted: type[BaseModel]) -> dict[str, Any]:
    return wanted.model_json_schema()


def _words(question: Question, feedback: str) -> str:
    parts = [fenced(name, text) for name, text in (*question.ours.items(), *question.told.items())]
    if feedback:
        parts.append(
            f"Your previous answer was not accepted. Why:\n{fenced('refusal', feedback[:_SAID])}\nAnswer anew, whole."
        )
    return "\n\n".join(parts)


def _triaging(brief: Brief, ours: str, who: str) -> Question | None:
    found = CandidateTasks.model_validate_json(ours)
    if not found.candidates:
        return None
    ours_shown = {"candidates.json": found.model_dump_json(by_alias=True, indent=1)}
    return Question(ours_shown, brief.told, CandidateTasks, lambda answer: ranked(found, answer, who).model_dump_json())


def _planning(brief: Brief, ours: str, _who: str) -> Question | None:
    if ours == "null" or brief.candidates is None:
        return None
    offered = []
    for each in brief.candidates.candidates:
        contract = make_contract(each, brief.policy, brief.run.run_id)
        verdict = judge_contract(contract, brief.policy, brief.candidates)
        if not each.needs_person and verdict.decision in {Decision.ALLOW, Decision.ASK}:
            offered.append(contract)
    offered = offered[:_OFFERED]
    shown = json.dumps([each.model_dump(mode="json", by_alias=True) for each in offered], ensure_ascii=False, indent=1)
    issues = frozenset(each.task_id for each in offered if each.asked and each.asked.number)
    return Question(
        {"contracts.json": shown},
        brief.told,
        TaskContract,
        lambda answer: narrowed(offered, answer).model_dump_json(),
        issues,
    )


def _review(brief: Brief, ours: str, who: str) -> Question | None:
    mine = ReviewProposal.model_validate_json(ours)
    if not mine.approve or brief.contract is None or brief.change is None:
        # Blocked already: nothing that a model could say would release it, and nobody pays for that.
        return None
    unproved = {path: why for path, why in brief.compared.items() if why}
    ours_shown = {
        "contract.json": brief.contract.model_dump_json(by_alias=True, indent=1),
        "unproved.json": json.dumps(unproved, ensure_ascii=False, indent=1),
    }
    changed, shown = {each.path for each in brief.change.paths}, brief.told.get("change.diff", "")

    def merged(proposal: ReviewProposal) -> str:
        return both(mine, proposal, who, changed, whole=bool(shown) and not is_cut(shown)).model_dump_json()

    return Question(ours_shown, brief.told, ReviewProposal, merged)


def _scout(brief: Brief, _ours: str, _who: str) -> Question | None:
    return Question({}, brief.told, CandidateSources, lambda answer: answer.model_dump_json())


def _source_qa(brief: Brief, _ours: str, _who: str) -> Question | None:
    return Question({}, brief.told, ReviewProposal, lambda answer: answer.model_dump_json())


_QUESTIONS: dict[Role, Callable[[Brief, str, str], Question | None]] = {
    Role.TRIAGING: _triaging,
    Role.PLANNING: _planning,
    Role.REVIEW: _review,
    Role.SCOUT: _scout,
    Role.SOURCE_QA: _source_qa,
}


def open_model(role_policy: RolePolicy, means: Means) -> ModelBackend:
    """For a role that answers."""
    return ModelBackend(role_policy, open_tools(role_policy, means), means.gateway)

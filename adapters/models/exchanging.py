"""One exchange: judged, reserved, sent up, tried again where that mends it, settled, recorded (design, Agents)."""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from adapters.forges.http.wire import AnswerDeadline, answer_within
from adapters.models.asked import Forbidden, ModelRequest, read_request, written
from adapters.models.dialects import Dialect, Usage, place_of
from adapters.models.input_bound import Counted
from adapters.models.prices import PriceList
from adapters.models.transcript import Transcript
from adapters.models.upstream import NotReached, Passed, StoppedHalfWay, Upstream, UpstreamAnswer
from adapters.secret_shapes import blanked
from contracts.budget import Amounts
from contracts.exchange import Ending, Exchange
from policies.counted import shortened
from policies.settings.charter import Provider, RolePolicy
from ports.control_desk import ControlUnavailable
from ports.crashpoints import crashpoint
from ports.models import NotReserved, Purse, Reserved

_LONGEST_REASON = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0
"""Seconds between tries, where nobody says."""
_SLACK_IN, _SLACK_OUT = 4096, 256
"""Tokens that a provider may add by itself: how tools are used, a last mark."""
_MENDS = frozenset({408, 409, 425, 429})
_OK, _MOVED, _FAULTY, _BROKEN = 200, 300, 400, 500
_UNAUTHORISED = frozenset({401, 403})
_LIMITED = 429
_NOTHING = Amounts()
_SAID_STATUS = {
    Ending.UNAUTHORISED: 401,
    Ending.RATE_LIMITED: 429,
    Ending.UNREACHABLE: 502,
    Ending.CUT: 502,
}
"""What the agent is told; of any other end without an answer 403, at which most give up at once."""


class Asking(Passed, Protocol):
    """The agent's side."""

    def answer(self, status: int, body: bytes) -> None:
        """The answer in one piece."""

    def end(self, *, whole: bool) -> None:
        """Of a stream."""


class _Tried(NamedTuple):
    """How one try ended, and what it costs; None: nobody knows."""

    ending: Ending
    reason: str
    cost: Amounts | None
    bound: bool = False
    again: bool = False
    answered: UpstreamAnswer | None = None


@dataclass(frozen=True)
class Terms:
    """What the charter says, and what is in hand, for all exchanges of one attempt."""

    role: RolePolicy
    provider: Provider
    upstream: Upstream
    prices: PriceList
    purse: Purse
    transcript: Transcript
    barred: str = ""
    """Why nothing may go up; empty: it may."""
    keyless: str = ""
    """Why there is no key where one is wanted; empty: there is one."""
    counted: Counted = field(default_factory=Counted)


@dataclass
class Exchanging:
    """One of them."""

    terms: Terms
    number: int
    asking: Asking
    closing: threading.Event
    underway: set[AnswerDeadline]
    keep: Callable[[Exchange], None]
    began: float = field(default_factory=time.monotonic)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    tries: int = 0

    def run(self, path: str, raw: bytes, headers: Mapping[str, str]) -> None:
        """From the request to the record. The agent has its answer when it is settled, not before."""
        place = place_of(path)
        dialect = place.dialect if place else None
        if place is None or dialect is None or self.terms.barred:
            why = self.terms.barred or f"{shortened(path, 100)} does not pass: only requests to a model do"
            self._refused(Ending.FORBIDDEN, why, dialect)
            return
        if self.terms.keyless:
            # No fault of the request: who waits goes on once it is there.
            self._refused(Ending.UNAUTHORISED, self.terms.keyless, dialect)
            return
        try:
            request = read_request(raw, place, self.terms.role, self.terms.counted)
        except Forbidden as problem:
            self._refused(Ending.FORBIDDEN, str(problem), dialect, model=problem.model)
            return
        worst = self.terms.prices.worst(request, dialect)
        if worst is None:
            self._refused(Ending.UNPRICED, self._no_price(request.model), dialect, request)
            return
        tried = self._tries(dialect, request, Amounts(usd=worst, tokens=request.worst_in + request.limit), headers)
        self._tell(dialect, request, tried)

    def _tries(self, dialect: Dialect, request: ModelRequest, worst: Amounts, headers: Mapping[str, str]) -> _Tried:
        """Each is reserved and settled by itself: while we wait nothing is held, and a pause holds."""
        end = self.began + self.terms.provider.seconds
        while True:
            tried = self._once(dialect, request, worst, headers, end)
            told = tried.answered
            if asked_otherwise := self._other_limit(dialect, request, tried):
                request = asked_otherwise
                continue
            if not tried.again or self.tries > self.terms.provider.retries:
                return tried
            wait = told.retry_after if told else None
            if wait is None:
                most = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self.tries - 1))
                wait = most * random.uniform(0.5, 1)  # noqa: S311  # so that agents side by side do not ask at once
            if time.monotonic() + wait >= end or self.closing.wait(wait):
                return tried

    @staticmethod
    def _other_limit(dialect: Dialect, request: ModelRequest, tried: _Tried) -> ModelRequest | None:
        """The request with its limit under the dialect's other name, if the provider says that it wants that."""
        first, *others = dialect.limits
        if tried.ending is not Ending.REJECTED or first not in request.body or tried.answered is None:
            return None
        for other in others:
            if other.encode() in tried.answered.body:
                body = {name: value for name, value in request.body.items() if name != first} | {other: request.limit}
                return replace(request, body=body, sent=written(body))
        return None

    def _once(
        self, dialect: Dialect, request: ModelRequest, worst: Amounts, headers: Mapping[str, str], end: float
    ) -> _Tried:
        try:
            reserved = self.terms.purse.reserve(worst)
        except ControlUnavailable as problem:
            return _Tried(Ending.PAUSED, f"Control could not be asked: {problem}", _NOTHING)
        if isinstance(reserved, NotReserved):
            return _Tried(reserved.ending, reserved.reason, _NOTHING)
        self.tries += 1
        tried = self._up(dialect, request, worst, headers, max(0.1, end - time.monotonic()))
        crashpoint("exchange.midway")
        return self._settled(reserved, tried)

    def _settled(self, reserved: Reserved, tried: _Tried) -> _Tried:
        note = tried.reason if tried.cost is None else ""
        try:
            self.terms.purse.settle(reserved, tried.cost, note)
        except ControlUnavailable as problem:
            return tried._replace(reason=f"its cost could not be told: {problem}", bound=True, again=False)
        return tried

    def _up(
        self, dialect: Dialect, request: ModelRequest, worst: Amounts, headers: Mapping[str, str], seconds: float
    ) -> _Tried:
        with answer_within(seconds) as deadline:
            self.underway.add(deadline)
            try:
                if self.closing.is_set():
                    return _Tried(Ending.CUT, "the step was over before it went up", _NOTHING)
                answered = self.terms.upstream.ask(dialect, request.path, request.sent, headers, deadline, self.asking)
            except NotReached as problem:
                return _Tried(Ending.UNREACHABLE, str(problem), _NOTHING, again=True)
            except StoppedHalfWay as problem:
                return _Tried(Ending.CUT, str(problem), worst, bound=True)
            except Exception as problem:
                # No answer keeps an exchange from being settled and recorded, whatever it does to who reads it.
                return _Tried(Ending.CUT, f"the answer cannot be read: {type(problem).__name__}", worst, bound=True)
            finally:
                self.underway.discard(deadline)
        if _OK < answered.status < _MOVED:
            return _Tried(Ending.CUT, f"HTTP {answered.status} is no answer to this", worst, True, answered=answered)
        if answered.status != _OK:
            return _by_status(answered)
        if answered.cut:
            return _Tried(Ending.CUT, answered.cut, worst, bound=True, answered=answered)
        return self._whole(request, worst, answered)

    def _whole(self, request: ModelRequest, worst: Amounts, answered: UpstreamAnswer) -> _Tried:
        reading = answered.reading
        usage, why = reading.usage, reading.lies
        if usage and not _can_be(usage, request):
            why = f"the usage cannot be: {usage.tokens_in} tokens in, {usage.tokens_out} out"
            usage = None
        usd = self.terms.prices.cost(request.model, usage) if usage else None
        if usage is None or usd is None:
            if reading.ending is Ending.FAILED and not why:
                # Who fails tells no usage: it costs no more than if it had been cut.
                return _Tried(Ending.FAILED, "the provider failed", worst, bound=True, answered=answered)
            return _Tried(reading.ending, why or "the provider told no usage", None, bound=True, answered=answered)
        self.terms.counted.learn(request.body, usage.tokens_in)
        cost = Amounts(usd=usd, tokens=usage.tokens_in + usage.tokens_out)
        return _Tried(reading.ending, "", cost, answered=answered)

    def _no_price(self, model: str) -> str:
        return f'no price is known of {model}: enter [prices."{model}"] in charter.toml'

    def _refused(
        self, ending: Ending, reason: str, dialect: Dialect | None, request: ModelRequest | None = None, model: str = ""
    ) -> None:
        record = self._record(dialect, request, _Tried(ending, reason, _NOTHING), model)
        self.asking.answer(403, error(record.reason, ending))

    def _tell(self, dialect: Dialect, request: ModelRequest, tried: _Tried) -> None:
        """Record it, then end the answer: an agent that has seen the end finds its exchange recorded."""
        record, answered = self._record(dialect, request, tried), tried.answered
        if answered and answered.streamed:
            self.asking.end(whole=not answered.cut)
        elif answered and not answered.cut and tried.ending not in _SAID_STATUS:
            # Also of a request that the provider rejects: from its words agents learn that a context is too long.
            self.asking.answer(answered.status, answered.body)
        else:
            self.asking.answer(_SAID_STATUS.get(tried.ending, 403), error(record.reason, tried.ending))

    def _record(
        self, dialect: Dialect | None, request: ModelRequest | None, tried: _Tried, model: str = ""
    ) -> Exchange:
        answered = tried.answered
        reading = answered.reading if answered else None
        # What nobody knows is shown at its upper bound, as Control keeps it.
        cost = tried.cost or _NOTHING
        if tried.cost is None and dialect and request:
            worst = self.terms.prices.worst(request, dialect) or 0
            cost = Amounts(usd=worst, tokens=request.worst_in + request.limit)
        usage = reading.usage if reading else None
        if usage and usage.tokens_in + usage.tokens_out != cost.tokens:
            usage = None
        record = Exchange(
            number=self.number,
            at=self.at,
            model=request.model if request else blanked(model, self.terms.upstream.key),
            dialect=dialect.name if dialect else "",
            ending=tried.ending,
            reason=shortened(blanked(_text(tried.reason), self.terms.upstream.key), _LONGEST_REASON),
            status=answered.status if answered else 0,
            retry_after=answered.retry_after if answered else None,
            tries=self.tries,
            tokens_in=usage.tokens_in if usage else max(0, cost.tokens - (request.limit if request else 0)),
            tokens_out=usage.tokens_out if usage else min(cost.tokens, request.limit if request else 0),
            usd=cost.usd,
            bound=tried.bound,
            seconds=round(time.monotonic() - self.began, 3),
            tools=tuple(_text(name) for name in reading.tools) if reading else (),
        )
        if request:
            self.terms.transcript.add(record, request.body, _said(answered), request.taken_out)
        self.keep(record)
        return record


def _by_status(answered: UpstreamAnswer) -> _Tried:
    output = answered.body.decode("utf-8", "replace")
    reason = shortened(f"HTTP {answered.status}: {output}".rstrip(": "), _LONGEST_REASON)
    again = answered.status in _MENDS or answered.status >= _BROKEN
    if answered.status in _UNAUTHORISED:
        ending = Ending.UNAUTHORISED
    elif answered.status == _LIMITED:
        ending = Ending.RATE_LIMITED
    elif again:
        ending = Ending.UNREACHABLE
    else:
        if answered.status < _FAULTY:
            reason = f"HTTP {answered.status}: no redirect is followed; set the provider's url to where it answers"
        ending = Ending.REJECTED
    return _Tried(ending, reason, _NOTHING, again=again, answered=answered)


def _text(text: str) -> str:
    """What JSON can say and UTF-8 cannot (half of a pair) must not keep a record from being written."""
    return text.encode("utf-8", "replace").decode()


def _can_be(usage: Usage, request: ModelRequest) -> bool:
    """A token is a byte at least; nothing is answered without a question."""
    least, most = 1, request.most_in + _SLACK_IN
    parts = usage.cached + usage.written <= usage.tokens_in
    return least <= usage.tokens_in <= most and usage.tokens_out <= request.limit + _SLACK_OUT and parts


def _said(answered: UpstreamAnswer | None) -> dict[str, Any]:
    if answered is None:
        return {}
    reading = answered.reading
    message: dict[str, Any] = {"text": "".join(reading.text)}
    if calls := [{"name": call[0], "arguments": "".join(call[1:])} for call in reading.calls.values()]:
        message["calls"] = calls
    if answered.status != _OK or answered.cut:
        message["body"] = answered.body.decode("utf-8", "replace")
    return message


def error(reason: str, code: str = "refused") -> bytes:
    """In words that clients of every dialect read."""
    body = {"type": "permission_error", "code": code, "message": reason}
    return json.dumps({"type": "error", "error": body}).encode()

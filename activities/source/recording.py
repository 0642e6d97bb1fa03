"""What a run uses of its target's sources, recorded by Sensing: later steps read this, and ask nobody (P6)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from activities.governance.kept_proposals import KeptProposals
from activities.source.reading import SourceReader
from activities.step_session import StepSession
from contracts import messages
from contracts.proposal import PolicyEdit, PolicyProposal
from contracts.source import BY_CONTROL, Grade, Reading, SourceBook, SourceState, SourceUse
from policies.governance.edits import SOURCES_FILE
from policies.settings.sources import SourcePolicy
from policies.source.lifecycle import USED, in_force, refused, stands_in
from policies.source.quality import in_conflict
from ports.control_desk import ControlUnavailable
from ports.sources import SourceRequest


@dataclass(frozen=True)
class Recorded:
    """By source."""

    records: dict[str, bytes]
    """Also, as ``from/<name>``, the name of the fallback whose records these are."""
    missing: tuple[str, ...]
    """``source: <name>: <reason>`` of each that nothing was to be had of, nor of its fallback."""
    replaced: tuple[str, ...] = ()
    """Of each whose fallback stands in for it, or that is switched off, a sentence with the reason."""


def record_sources(session: StepSession, reader: SourceReader) -> Recorded:
    """Ask every source in use; one that is degraded, or breaches its thresholds, gives way to its fallback.

    Raises:
        ControlUnavailable: nobody knows how far a source is lowered, or hears how good it was.
        StoreError: an answer cannot be kept.
    """
    policy, records, missing, replaced = session.policy, {}, [], []
    ours = [each for each in policy.sources.of(session.run.target) if each.state in USED]
    if not ours:
        return Recorded({}, ())
    book = source_book(session)
    # One look for all of them: what is a source, a fallback and a baseline is asked once.
    request = SourceRequest(policy, session.repository, session.input.base_sha, session.alive)
    for source in ours:
        state, why = in_force(source, book.of(source.name))
        if refused(source) and book.of(source.name).lowered is None:
            # It is not asked any more, and somebody must hear why.
            _tell(session, source, Grade.BREACH)
        if state is SourceState.DISABLED:
            replaced.append(f"{source.name} is switched off, {why}")
            continue
        reasons = [f"{source.name}: {why}"] if why else []
        tried = [] if state is SourceState.DEGRADED else [source]
        tried += _fallback(session, source, book, reasons)
        for each in tried:
            reading = _read(session, reader, each, request)
            if reading.grade is not Grade.BREACH and reading.records:
                records[source.name] = reader.store.get(reading.records)
                session.save(f"sources/{source.name}/used.jsonl", records[source.name], "application/jsonl")
                if each is not source:
                    records[f"from/{source.name}"] = each.name.encode()
                    why = "; ".join(reasons).removeprefix(f"{source.name}: ") or "it is degraded"
                    replaced.append(f"{each.name} stands in for {source.name}: {why}")
                break
            reasons.append(f"{each.name}: {'; '.join(reading.reasons)}")
        else:
            missing.append(f"source: {'; '.join(reasons) or f'{source.name} is degraded and has no fallback'}")
    _propose(session, ours)
    return Recorded(records, tuple(missing), tuple(replaced))


def source_book(session: StepSession) -> SourceBook:
    """How far Control's books have lowered each source.

    Raises:
        ControlUnavailable: nobody knows.
    """
    book = session.bench.control.query(session.run.target, messages.SOURCES)
    if book is None:
        raise ControlUnavailable("Control does not say how far each source is lowered")
    return book


def _fallback(session: StepSession, source: SourcePolicy, book: SourceBook, reasons: list[str]) -> list[SourcePolicy]:
    """The source that stands in, unless it may not: that is said."""
    found = session.policy.sources.named(source.fallback)
    if found is None:
        return []
    if problem := stands_in(found, book.of(found.name)):
        reasons.append(f"its fallback {found.name} may not stand in: {problem}")
    return [] if problem else [found]


def _read(session: StepSession, reader: SourceReader, source: SourcePolicy, request: SourceRequest) -> Reading:
    reading = reader.read(source, session.policy.sources, request, datetime.now(UTC), session.save)
    quality = reading.quality
    session.note("source asked", source=source.name, grade=reading.grade, records=quality.records,
                 answer=reading.fetched.body.sha256 if reading.fetched.body else "")  # fmt: skip
    _tell(session, source, reading.grade, reading.reasons, clash=in_conflict(source, reading.quality))
    return reading


def _tell(
    session: StepSession, source: SourcePolicy, graded: Grade, reasons: tuple[str, ...] = (), *, clash: bool = False
) -> None:
    use = SourceUse(
        run_id=session.run.run_id,
        source=source.name,
        grade=graded,
        reasons=reasons,
        in_conflict=clash,
        refused=refused(source),
        sustained=source.thresholds.sustained,
        trial=source.trial,
    )
    session.bench.control.ask(session.run.target, messages.SOURCE_USED, use)


def _propose(session: StepSession, ours: list[SourcePolicy]) -> None:
    """A demotion is made lasting by a person: what Control lowered by itself is proposed, once."""
    book = session.bench.control.query(session.run.target, messages.SOURCES) or SourceBook()
    for source in ours:
        record = book.of(source.name)
        lowered, since = record.lowered, record.since
        if lowered in {None, source.state} or since is None or record.by != BY_CONTROL:
            continue
        if source.trial in record.passed:
            continue
        edit = PolicyEdit(table="", entry=source.name, key="state", before=source.state, after=lowered)
        KeptProposals(session.bench.store).keep(
            PolicyProposal(
                proposal_id=f"demote-{source.name}-{since:%Y%m%d%H%M}",
                kind="source_demotion",
                file=SOURCES_FILE,
                edits=(edit,),
                because=f"{source.name} is {lowered} since {since:%Y-%m-%d}: {record.reason}",
                made_at=since,
            )
        )

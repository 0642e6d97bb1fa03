"""Step 2: what is there, measured on the base commit (``state_snapshot.json``)."""

from dataclasses import dataclass

from temporalio import activity

from activities.api import SENSE
from activities.governance.kept_proposals import KeptProposals
from activities.governance.past_decisions import NotKept
from activities.run.asking import gather
from activities.run.coverage import REPORT, covered
from activities.run.flaky_checks import flaky_checks
from activities.run.open_pulls import answers, baseless, closing, moot, moot_of, outlived, overtaken, removals
from activities.run.questions import by_rule
from activities.run.strangers import tell_of_strangers
from activities.source.reading import SourceReader
from activities.source.recording import Recorded, record_sources
from activities.step_session import StepPorts, StepSession, written
from contracts.handover import PlannedWrite, StepInput, StepResult
from contracts.modes import Role, StepName
from contracts.pull_request import PullRequest
from contracts.task import Finding, OpenPullRequest, StateSnapshot
from policies.after.open_pulls import OUTLIVED, closed_overtaken
from policies.counted import counted
from policies.release.checks import unseen
from policies.source.scouting import CATALOGUE
from policies.verdicts import allow, deny
from ports.measures import Look
from ports.store import RunIndex

_LISTED = 2000
"""Findings and unread files that a snapshot lists of each; the rest is counted."""


@dataclass(frozen=True)
class Sensing:
    """Looks; changes nothing."""

    bench: StepPorts
    index: RunIndex

    @activity.defn(name=SENSE.name, no_thread_cancel_exception=True)
    def sense(self, request: StepInput) -> StepResult:
        """Count, detect, and read what is open on the forge."""
        return self.bench.perform(request, StepName.SENSE, Role.SENSING, self._work)

    def _work(self, session: StepSession) -> StepResult:
        base, policy, run = session.input.base_sha, session.policy, session.run
        facts = session.repository.facts(base)
        with self.bench.folder("sense") as tree:
            session.repository.checkout(base, tree)
            recorded = record_sources(session, SourceReader(self.bench.connectors, self.bench.store))
            proposed = _proposals(session)
            tests = _of_tests(session, self.index)
            everything = recorded.records | proposed.records | tests.records
            environment = session.environment
            look = Look(tree, policy, session.alive, recorded=everything, environment=environment)
            seen = self.bench.measures.detect(look)
        for tool, found_out in seen.lookups.items():
            session.save(f"lookups/{tool}.json", found_out)
        session.keep_asked(environment)
        findings, missing = seen.findings, (*seen.missing, *recorded.missing, *proposed.missing, *tests.missing)
        # The remote before the logs: what is ours is in them before it is on the remote.
        pulls, heads = self.bench.forges(policy.target).pull_requests(), session.repository.remote_heads()
        known = tell_of_strangers(session, pulls, heads)
        # A run that was reset meets the pull request it opened: that is adopted, and waits for nobody else's answer.
        opened = [pull for pull in pulls if pull.state == "open" and pull.run_id != run.run_id]
        late = {pull.number: OUTLIVED for pull in opened if outlived(session, pull, seen)}
        late |= {pull.number: why for pull in opened if (why := baseless(session, pull, heads))}
        done = late.keys() | {pull.number for pull in opened if moot(session, pull)}
        snapshot = StateSnapshot(
            run_id=run.run_id,
            target=run.target,
            base_branch=policy.target.base_branch,
            base_sha=base,
            files=facts.files,
            bytes=facts.bytes,
            languages=facts.suffixes,
            completeness=seen.completeness,
            missing=missing,
            unread=seen.unread[:_LISTED],
            findings=findings[:_LISTED],
            open_pull_requests=tuple(
                OpenPullRequest(number=pull.number, branch=pull.branch, task_id=pull.task_id, url=pull.url)
                for pull in opened
                if pull.number not in done
            ),
            moot_pull_requests=tuple(moot_of(pull) for pull in opened if pull.number in done),
            truncated=max(0, len(findings) - _LISTED) + max(0, len(seen.unread) - _LISTED),
        )
        session.save("state_snapshot.json", snapshot)
        wanted = gather(session, self.index)
        session.note(
            "sensed",
            files=facts.files,
            findings=len(findings),
            missing=len(missing),
            unread=len(seen.unread),
            coverage="looked at" if "lookups/coverage" in tests.records else "no check has written any",
        )
        whys = {number: closed_overtaken(why) for number, why in late.items()}
        writes = tuple(closing(session, m, whys.get(m.number, "")) for m in snapshot.moot_pull_requests)
        writes += removals(session, pulls, heads, known)
        writes += by_rule(session, wanted)
        writes += _on_open(session, [pull for pull in opened if pull.number not in done], findings, proposed)
        asked_for = [counted(len(wanted.tasks), "task") + " asked of an agent"] if wanted and wanted.tasks else []
        least = policy.autopilot.candidates.minimum_snapshot_completeness
        rule = "the snapshot is complete enough"
        if snapshot.completeness < least:
            looked = "of the files could be looked at" if snapshot.unread else "of the tools could look"
            reason = f"{snapshot.completeness:.0%} {looked}, {least:.0%} are needed: {'; '.join(unseen(snapshot))}"
            return session.done(deny(rule, reason), confidence=snapshot.completeness, writes=writes)
        verdict = allow(
            rule,
            "; ".join(
                [
                    f"{counted(len(findings), 'finding')} in {counted(facts.files, 'file')}",
                    *asked_for,
                    *recorded.replaced,
                    *(f"could not look: {each}" for each in (*unseen(snapshot), *(wanted.unseen if wanted else ()))),
                ]
            ),
            completeness=snapshot.completeness,
        )
        return session.done(verdict, confidence=snapshot.completeness, writes=writes, next_role=Role.TRIAGING)


def _of_tests(session: StepSession, index: RunIndex) -> Recorded:
    """What runs tell of the target's tests, kept with the run; of flaky ones nothing where its owner wants none."""
    records: dict[str, bytes] = {}
    missing: tuple[str, ...] = ()
    if session.policy.target.improve.tests:
        flaky, missing = flaky_checks(session, index)
        if flaky.checks:
            session.save("lookups/flaky_checks.json", flaky)
            records["lookups/flaky_checks"] = written(flaky)
    if found := covered(session):
        look, report = found
        session.save("lookups/coverage.json", look)
        session.save(REPORT, report, "text/plain")
        records |= {"lookups/coverage": written(look), "coverage/report": report}
    return Recorded(records, missing)


def _proposals(session: StepSession) -> Recorded:
    """What is proposed to be changed in the policy, where this target's repository holds it; kept with the run."""
    folder = session.policy.target.policy_folder
    if folder is None:
        return Recorded({}, ())
    try:
        found = KeptProposals(session.bench.store).open()
    except NotKept as damage:
        return Recorded({}, (f"policy: a proposal is damaged: {damage}",))
    bodies = {f"proposals/{each.proposal_id}": written(each) for each in found}
    for name, body in bodies.items():
        session.save(f"{name}.json", body)
    # Review sees the changed files alone; what a promotion is held to is as much a part of it as its text.
    catalogue = session.repository.read(session.input.base_sha, f"{folder.path}/{CATALOGUE}")
    if catalogue is not None:
        session.save(CATALOGUE, catalogue, "application/toml")
        bodies[CATALOGUE] = catalogue
    return Recorded(bodies, ())


def _on_open(
    session: StepSession, opened: list[PullRequest], findings: tuple[Finding, ...], proposed: Recorded
) -> tuple[PlannedWrite, ...]:
    """What is said on pull requests that wait, or closes them."""
    late: dict[int, str] = {}
    # Where a proposal is damaged nobody knows what is proposed, and nothing is closed for it.
    if session.policy.target.policy_folder and not proposed.missing:
        late = overtaken(session, opened, findings)
    closed = [closing(session, moot_of(pull), closed_overtaken(late[pull.number])) for pull in opened
              if pull.number in late]  # fmt: skip
    return (*closed, *answers(session, [pull for pull in opened if pull.number not in late]))

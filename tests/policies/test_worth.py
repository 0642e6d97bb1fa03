"""Why what was found is worth a run, or is not (P12)."""

from __future__ import annotations

from contracts.modes import RunStatus
from contracts.task import CandidateTasks, FindingFacts, SuppressedCandidate, TaskType
from policies.task.candidates import LISTED, judge_worth, rank, untouched
from policies.verdicts import allow, deny
from reporting.wording import in_one_sentence
from tests.policies.sample_policy import policy
from tests.policies.test_candidates import FRESH, POLICY, found


def tasks(candidates=(), suppressed=()) -> CandidateTasks:
    return CandidateTasks(run_id="r", base_sha="b", candidates=candidates, suppressed=suppressed)


def idea(number: int = 1) -> SuppressedCandidate:
    return SuppressedCandidate(task_id=f"t{number}", title=f"fix {number}", reason="rejected on 2026-11-20")


def test_the_whole_answer_of_a_day_without_work():
    """What is suppressed and by what; what has no safe fix; what no task may touch."""
    mute = found("src/a.py", rule="X")[0].model_copy(update={"facts": FindingFacts()})
    findings = (*found("src/a.py", 2, fixable=False), *found("LICENSE", tool="codespell", rule="docs"), mute)
    no_fix = "its tool has no fix for it that is known to be safe"
    said = f"nothing worth doing: 4 findings, 1 idea suppressed; ruff UP: {no_fix}, and 2 more kinds"
    expected = allow("there is something worth doing", said)
    children = (
        deny("fix 1", "suppressed: rejected on 2026-11-20", task="t1"),
        deny("ruff UP: 2 findings", "its tool has no fix for it that is known to be safe"),
        deny(
            "codespell docs: 1 finding", "its task may not touch the file: it is of a kind that its tool may not change"
        ),
        deny("ruff X: 1 finding", "its tool does not say how sure its fixes are"),
    )

    assert expected.model_copy(update={"children": children}) == judge_worth(
        tasks(suppressed=(idea(),)), findings, POLICY
    )


def test_what_keeps_a_file_out_is_the_one_rule():
    """The first that does, in words that lead to it."""
    facts = FindingFacts(confidence=1, may_change=("*",), type=TaskType.DOCUMENTATION_UPDATE)
    reasons = {
        "a\u202eb.md": "its name is refused",
        "pyproject.toml": "it defines checks or instructs agents, and programs read it",
        ".env": "it is protected",
        "LICENSE": "it is a licence text",
        "data/days.json": "it is outside allowed_paths of the target's file",
        "docs/a.md": "",
    }
    narrow = policy(target={"allowed_paths": ("docs/", "LICENSE", ".env", "pyproject.toml")})
    for path, reason in reasons.items():
        said = untouched(narrow, path, facts)
        assert (bool(reason), True) == (bool(said), said.startswith(reason)), (path, said)
    assert "it is of a kind that its tool may not change" == untouched(narrow, "docs/a.md", FindingFacts())
    (data,) = found("data/days.json")
    (child,) = judge_worth(tasks(), (data.model_copy(update={"facts": facts}),), narrow).children
    assert "its task may not touch the file: it is outside allowed_paths of the target's file" == child.reason


def test_a_day_without_a_look_is_no_good_day():
    """It comes first in the reason, and in the sentence that a person reads."""
    reason = judge_worth(tasks(), (), POLICY, ("source: days: status 503", "ruff")).reason
    assert "could not look: source: days: status 503, and 1 more; nothing worth doing: no findings" in reason
    said = "Found nothing worth doing, but could not look everywhere: source: days: status 503, and 1 more."
    assert said == in_one_sentence(RunStatus.NOTHING_TO_DO, "", reason)
    good = judge_worth(tasks(), (), POLICY).reason
    assert "Looked today, and found nothing worth doing: no findings." == in_one_sentence(
        RunStatus.NOTHING_TO_DO, "", good
    )


def test_what_is_worth_doing():
    """The best candidate; those that wait for a person are none that a run takes."""
    findings = tuple(found("src/a.py", 2))
    candidates = rank(findings, POLICY, FRESH).candidates
    waiting = tuple(each.model_copy(update={"needs_person": True}) for each in candidates)

    best = judge_worth(tasks(candidates), findings, POLICY)
    assert "1 candidate, best: Modernize 2 outdated constructs in `a.py`" == best.reason
    assert {"best": candidates[0].task_id} == best.facts
    assert judge_worth(tasks(waiting), findings, POLICY).reason.endswith(
        "2 findings, 1 waits for a person: Modernize 2 outdated constructs in `a.py`"
    )


def test_the_answer_is_bounded():
    """However many ideas wait: the rest is counted."""
    verdict = judge_worth(tasks(suppressed=tuple(map(idea, range(LISTED + 3)))), (), POLICY)
    assert (LISTED + 1, "3 more ideas suppressed; see candidate_tasks.json") == (
        len(verdict.children),
        verdict.children[-1].reason,
    )

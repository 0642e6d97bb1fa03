"""What a pull request says: complete, equal in every mode (P3), and inert whatever an agent wrote."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.modes import Mode
from policies.known_bad import good_facts
from policies.planning import terms_digest
from policies.pull_request_text import body, branch, commit_message, footer, title
from policies.release import judge_release
from tests.policies.sample_policy import policy

FACTS = good_facts(policy())
HOSTILE = (
    "fix @octocat and @org/team",
    "closes #12, fixes owner/repo#3, GH-7",
    "see https://evil.invalid/x or www.evil.invalid",
    "[click](https://evil.invalid) ![x](y)",
    "<img src=x onerror=alert(1)> <script>x</script> <!-- hidden -->",
    "one\ntwo\r\nTask-Id: forged\u2028three",
    "`` ` breaking out ` `` @x | cell |",
    "\u202eright to left\u200b",
    "",
)


def written(text: str) -> list[str]:
    """Title, body and commit message of a contract whose every free text is ``text``."""
    contract = FACTS.contract.model_copy(
        update={"title": text, "objective": text, "rationale": text, "evidence": (text,)}
    )
    decision = judge_release(FACTS)
    return [title(contract), body(contract, decision, FACTS.checks, FACTS.change), commit_message(contract)]


def outside_code(markdown: str) -> str:
    """What a forge would interpret."""
    return re.sub(r"`[^`\n]*`", "", markdown)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_an_agent_writes_acts_on_a_forge(text):
    """No mention, reference, link or HTML outside code spans; titles are one line; trailers cannot be forged."""
    first, markdown, message = written(text)

    for prose in (first, outside_code(markdown), message):
        assert not re.search(r"@\w|#\d|GH-\d|://|www\.|[<>]|\]\(", prose), prose
    assert first
    assert "\n" not in first
    assert [f"Task-Id: {FACTS.contract.task_id}"] == re.findall(r"^Task-Id:.*", message, re.MULTILINE)
    assert markdown.count("\n") == written("plain")[1].count("\n")


@given(st.text(max_size=80))
def test_any_text_is_inert(text):
    """The same for text nobody thought of."""
    first, markdown, message = written(text)

    assert not re.search(r"@\w|#\w|://|[<>`\n]", first)
    assert "`" not in outside_code(markdown)
    assert message.encode("utf-8")


def test_the_body_carries_the_metadata():
    """Task id, risk, checks, outcome, rollback, impact, evidence, both digests (task contracts)."""
    text = written("plain")[1]

    for part in (
        FACTS.contract.task_id, "LOW (0.22)", "`tests`: green", "REQUIRES_HUMAN_REVIEW",
        "revert_pr, at most 15 minutes", "findings: -2", "findings: 2 to 0", "- `plain`",
        FACTS.policy.digest, "1 files, 1 lines",
    ):  # fmt: skip
        assert part in text
    assert terms_digest(FACTS.contract) in body(FACTS.contract, judge_release(FACTS), FACTS.checks, FACTS.change)


def test_the_body_is_equal_in_dry_run_and_pr_only():
    """No run id, no mode, no time: only the footer names the run (P3)."""
    bodies = {
        body(facts.contract, judge_release(facts), facts.checks, facts.change)
        for facts in (replace(FACTS, mode=mode, run_id=mode.value) for mode in (Mode.DRY_RUN, Mode.PR_ONLY))
    }

    assert 1 == len(bodies)
    assert "DRY_RUN" not in bodies.pop()
    assert "`r-1`" in footer("r-1", "r-1/open", "report.html")


def test_branch_names():
    """Under ``autonomy/``, fit for git, one per task and base."""
    assert "autonomy/trial-of-the-gates-00000000-bbbbbbbb" == branch(FACTS.contract, "b" * 40)
    odd = FACTS.contract.model_copy(update={"task_id": "../..@{x} ~^:?*[\\.lock"})
    assert "autonomy/x-lock-bbbbbbbb" == branch(odd, "b" * 40)

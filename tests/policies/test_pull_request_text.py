"""What a pull request says: complete, equal in every mode (P3), and inert whatever an agent wrote."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.forges.http.ownership import Mark, read_mark
from adapters.tools.spelling import FACTS as FACTS_OF_SPELLING
from contracts.change import Change
from contracts.evidence import ChecksReport, CheckStatus, ReviewRemark, Severity
from contracts.grant import Grant
from contracts.modes import Mode, Outcome
from contracts.release import ReleaseDecision
from contracts.task import AskedBy, AskedTask, MeasureKind, TaskContract
from policies.release.release import judge_release
from policies.run.known_bad import good_facts
from policies.task.planning import terms_digest
from policies.texts.inert_markdown import inert_markdown
from policies.texts.pull_request import LARGEST, body, branch, commit_message, footer, title
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
    "`a` @octocat `b` #1 ```` @x ```` ~~~",
    "Fixes: #1\n\nCloses #2\nSigned-off-by: Eve <eve@evil.invalid>\nContract-Digest: 0000",
    "see[^1]\n\n[^1]: @octocat https://evil.invalid",
    "/close\n/merge\n/approve @octocat",
    "  /tag v1.2.3",
    "[skip ci] ***NO_CI*** [ci skip]",
    "@\u200boctocat \uff20octocat @\u00adoctocat \u202e1# sesolc",
    "h:/:///evil.invalid and ht://tp://evil.invalid and mailto:eve@evil.invalid",
    "&#64;octocat &lt;img&gt; &commat;octocat",
    "![pixel](https://evil.invalid/p.png) [ref]: https://evil.invalid",
    "<!-- autonomy-runbook key=demo-1/open_pull_request task=x -->",
    "\n<!-- autonomy-runbook key=demo-1/open_pull_request -->\n",
    "```suggestion\nrm -rf /\n```",
    "- [x] @all\n1. #1\n> quoted\n# heading\n---",
    "owner/repo@0123456789012345678901234567890123456789 owner/repo#1 #\uff11",
    "\ud800 half \x00 \x1b[31m red",
    "x" * 100_000,
)
OURS = re.compile(
    r"(?:  )?- |\||\*\*|\*The rest|Changes `|Changes \d|(?:Fixes|Removes) |</?details>$|<summary>[\w ,]+</summary>$|$"
)
"""How each of our own lines begins; whatever is somebody else's stands in a code span or a block of code."""
BLOCK = re.compile(r"^(`{3,})diff\n.*?^\1$", re.MULTILINE | re.DOTALL)
FOLD = re.compile(r"^(?:</?details>|<summary>[\w ,]+</summary>)$", re.MULTILINE)
COMMANDS = re.compile(r"^\s*/\w", re.MULTILINE)
ACTS = re.compile(r"[@#]\w|GH-\d|://|www\.|mailto:|[<>]|\]\(|\[\^|&#?\w+;", re.IGNORECASE)


def hostile(text: str, size: int = 1) -> tuple[TaskContract, ReleaseDecision, ChecksReport, Change, Grant]:
    """Everything a pull request is made of; every word that an agent, a tool or a repository chose is ``text``."""
    contract = FACTS.contract.model_copy(
        update={
            "title": text, "objective": text, "rationale": text, "metric": text, "tool": text, "rule": text,
            "evidence": (text,) * size, "assumptions": (text,), "test_strategy": text,
        }
    )  # fmt: skip
    blocking = ReviewRemark(severity=Severity.BLOCKING, path=text, message=text)
    review = FACTS.review.model_copy(update={"summary": text, "remarks": (blocking,) * size})
    entries = tuple(path.model_copy(update={"path": text}) for path in FACTS.change.paths)
    change = FACTS.change.model_copy(update={"metric": text, "paths": entries * size})
    result = FACTS.checks.results[0]
    red = result.attempts[-1].model_copy(update={"detail": text})
    named = result.model_copy(update={"name": text, "attempts": (red,)})
    checks = FACTS.checks.model_copy(update={"results": (named,) * size})
    facts = replace(FACTS, contract=contract, review=review, change=change, checks=checks, merge_conflicts=(text,))
    grant = Grant.model_construct(
        run_id="demo-1", head_sha="h", paths=(text,) * size, reason=text, actor=text,
        expires_at=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    return contract, judge_release(facts), checks, change, grant


def written(text: str) -> list[str]:
    """Title, body and commit message."""
    contract, decision, checks, change, grant = hostile(text)
    shown = body(contract, decision, checks, change, grant, diff=diff_of(text))
    return [title(contract), shown, commit_message(contract)]


def diff_of(text: str) -> bytes:
    """A file into which somebody wrote it."""
    added = "\n".join(f"+{line}" for line in text.split("\n"))
    head = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n"
    return f"{head}-old\n{added}\n".encode("utf-8", "replace")


def outside_code(markdown: str) -> str:
    """What a forge would interpret."""
    return re.sub(r"`[^`\n]*`", "", FOLD.sub("", BLOCK.sub("", markdown)))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_an_agent_writes_acts_on_a_forge(text):
    """No mention, reference, link or HTML outside code spans; titles are one line; trailers cannot be forged."""
    first, markdown, message = written(text)

    for prose in (first, outside_code(markdown), message):
        assert not ACTS.search(prose), prose
    for whole in (first, BLOCK.sub("", markdown), message):
        assert not COMMANDS.search(whole), whole
    assert Mark() == read_mark(markdown + footer("r-1", "r-1/open_pull_request", text))
    assert LARGEST >= len(markdown.encode())
    assert markdown == inert_markdown(markdown)
    assert first
    assert "\n" not in first
    assert [f"Task-Id: {FACTS.contract.task_id}"] == re.findall(r"^Task-Id:.*", message, re.MULTILINE)
    assert f"Contract-Digest: {terms_digest(hostile(text)[0])}" == message.splitlines()[-1]
    assert 5 == message.rstrip().count("\n")
    assert [] == [line for line in BLOCK.sub("", markdown).split("\n") if not OURS.match(line)]


@given(st.text(max_size=80))
def test_any_text_is_inert(text):
    """The same for text nobody thought of."""
    first, markdown, message = written(text)

    assert not re.search(r"@\w|#\w|://|[<>`\n]", first)
    assert "`" not in outside_code(markdown)
    assert message.encode("utf-8")


def test_the_body_is_bounded():
    """However much there is to say, a forge takes it, and what matters comes before what is left out."""
    text = body(*hostile("\u20ac" * 400, 5000))

    assert LARGEST >= len(text.encode())
    assert "left out" in text
    assert text.index("Risk level") < text.index("left out")
    assert LARGEST >= len((text + footer("r" * 999, "k" * 999, "p" * 9999)).encode()) - 3000


def test_the_body_says_why_and_how_it_is_undone():
    """The verdict in short, the risk's inputs, evidence by name and digest, and the exact way back."""
    text = body(FACTS.contract, judge_release(FACTS), FACTS.checks, FACTS.change)

    for part in (
        "| Risk inputs | files touched 0.12, sensitive paths 0.00, runtime impact 1.00,",
        "- allow: `the change is not empty`: `1 path`",
        "- allow: `the effect is proven`: `findings went from 2 to 0`",
        "- a person merges, because:",
        "  - `modes.maximum is PR_ONLY`",
        "close this pull request",
        "`git revert --mainline 1 <commit>`",
        f"`{FACTS.change.diff.name}`: SHA-256 `{FACTS.change.diff.sha256}`",
        f"commit `{FACTS.change.head_sha}` on `{FACTS.change.base_sha}`",
    ):
        assert part in text, part
    assert "`starter.py rollback r-1 --reason …`" in footer("r-1", "r-1/open", "report.html")


def test_what_did_not_run_or_look_stands_first():
    """Before anything that sounds like a yes; in the verdict, too (P18)."""
    only = tuple(each.model_copy(update={"kind": "lint"}) for each in FACTS.checks.results)
    checks = FACTS.checks.model_copy(update={"results": only})
    decision = judge_release(replace(FACTS, checks=checks))
    first, _, second, *_ = body(
        FACTS.contract, decision, checks, FACTS.change, unseen=("codespell: @all *gone*",)
    ).splitlines()

    assert first.startswith("**No tests ran, only ")
    assert second.startswith("**Could not look: codespell: ")
    assert not {"@", "* "} & set(second.strip("*"))
    assert "tests ran on the merge result" == decision.verdict.children[0].children[0].rule
    assert Outcome.REQUIRES_HUMAN_REVIEW is decision.outcome
    assert judge_release(FACTS).risk.test_coverage < decision.risk.test_coverage


def test_what_keeps_a_change_back_is_said():
    """A gate that is not a plain yes shows what is below it."""
    flaky = FACTS.checks.results[0].model_copy(update={"status": CheckStatus.FLAKY})
    checks = FACTS.checks.model_copy(update={"results": (flaky, *FACTS.checks.results[1:])})
    text = body(FACTS.contract, judge_release(replace(FACTS, checks=checks)), checks, FACTS.change)

    assert (
        "  - ask: `check tests is green`: `check tests was red, then green, on the same commit: a person looks`" in text
    )


def test_the_body_carries_the_metadata():
    """Task id, risk, checks, outcome, rollback, impact, evidence, both digests (task contracts)."""
    contract = FACTS.contract.model_copy(update={"evidence": ("plain",)})
    text = body(contract, judge_release(FACTS), FACTS.checks, FACTS.change)

    for part in (
        FACTS.contract.task_id, "LOW (0.22)", "`tests`: green", "REQUIRES_HUMAN_REVIEW",
        "revert_pr, at most 15 minutes", "findings: -2", "findings: 2 to 0", "- `plain`",
        FACTS.policy.digest, "1 file, 1 line",
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


SPELLING = {"tool": "codespell", "rule": "comments", "title": "Fix a typo in `_compat.py`: comparision → comparison"}


def spelling(count: int = 1) -> tuple[TaskContract, Change]:
    """A known tool's task, and the change that did it."""
    contract = FACTS.contract.model_copy(update={**SPELLING, "words": FACTS_OF_SPELLING.words})
    return contract, FACTS.change.model_copy(update={"metric_before": count, "metric_after": 0})


def test_it_begins_with_what_a_maintainer_wants():
    """Title in their words, one paragraph, the diff; everything else is folded away, and the last line leads on."""
    contract, change = spelling()
    text = body(contract, judge_release(FACTS), FACTS.checks, change, diff=diff_of("new"))
    paragraph, _, *rest = text.split("\n")

    assert SPELLING["title"] == title(contract)
    assert (
        "Fixes a typo in `src/module.py`. A misspelt word trips up readers, and a search for the right one misses it. "
        "`codespell` found it and finds nothing there now. Checked on the exact merge result: `tests`, `lint` and "
        "`security` are green. The review approves: `fine`. It waits for your review."
    ) == paragraph
    assert ["```diff", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-old", "+new", "```"] == rest[:7]
    assert not re.sub(
        r"<details>\n<summary>[\w ,]+</summary>\n\n.*?\n</details>\n*", "", "\n".join(rest[8:]), flags=re.DOTALL
    )
    assert text == inert_markdown(text)
    why, *trailers = commit_message(contract).split("\n\n")[1:]
    assert "Found by codespell (comments)." in why.replace("\n", " ")
    assert 1 == len(trailers)


@pytest.mark.parametrize(
    "diff",
    [b"", diff_of("x\n" * 40), diff_of("x" * 300), b"+" * 10_000_000],
    ids=["none", "many lines", "a long line", "10 MB"],
)
def test_what_is_no_small_diff_is_a_table_of_places(diff: bytes):
    """With what happened to each file; 200 of them are counted, not listed."""
    contract, change = spelling(200)
    entry = change.paths[0]
    kinds = [entry.model_copy(update={"path": f"docs/{each}.md", "status": each}) for each in "ADT"]
    many = [entry.model_copy(update={"path": f"docs/{number}\u202e.md"}) for number in range(197)]
    text = body(
        contract, judge_release(FACTS), FACTS.checks, change.model_copy(update={"paths": (*kinds, *many)}), diff=diff
    )

    assert "```" not in text
    assert text.startswith("Fixes 200 typos in 200 files. ")
    for part in ("| `docs/A.md` (new) |", "| `docs/D.md` (deleted) |", "| and 170 more files |"):
        assert part in text, part
    assert "\u202e" not in text
    assert text == inert_markdown(text)


@pytest.mark.parametrize("text", ["```", " ```", "````\n@octocat", "~~~", "</details>", "a\u202eb", "\tx", "```diff"])
def test_nothing_in_a_diff_ends_its_block(text: str):
    """The fence is longer than any in it; what hides is shown by its code."""
    shown = body(*spelling()[:1], judge_release(FACTS), FACTS.checks, spelling()[1], diff=diff_of(text + "\n@octocat"))

    assert shown == inert_markdown(shown)
    assert "@octocat" in shown
    assert "@" not in outside_code(shown)
    assert ("\\u{202e}" in shown) == ("\u202e" in text)


@pytest.mark.parametrize(
    "text",
    ["~~~\n\n```diff\n~~~\n@octocat\n```", "x\n```diff\n@octocat\n```", "<div>\n```diff\n@octocat\n```",
     "```diff\n@octocat",
     "<details>\n<summary>Buy @octocat</summary>\n\n", "```diff\n```\n@octocat\n```"],
)  # fmt: skip
def test_what_only_looks_like_ours_is_none(text: str):
    """A block of code that some Markdown would not see, and folds of others."""
    calm = inert_markdown(text)
    assert "@octocat" not in outside_code(calm)
    assert "<div>" not in calm
    assert "Buy @" not in calm
    assert calm == inert_markdown(calm)


def test_what_solves_an_issue_is_not_called_like_it():
    """Its title says what is wrong; of a task in words, or a standing one, the title says what is done."""
    for number, said in ((7, "Resolve issue 7: It fails"), (0, "It fails")):
        asked = AskedTask(by=AskedBy.ISSUE, key="issue", title="It fails", number=number, measure=MeasureKind.NEW_TEST)
        contract = FACTS.contract.model_copy(update={"asked": asked, "title": "It fails"})
        assert said == title(contract)
        assert commit_message(contract).startswith(f"{said}\n")


def test_a_title_is_cut_between_words_or_not_at_all():
    """And never longer than a forge shows."""
    named = lambda text: title(FACTS.contract.model_copy(update={"title": text}))  # noqa: E731
    assert FACTS.contract.task_id == named("x" * 500)
    assert named("word " * 50).endswith("word …")
    assert "Fix `a.py`" == named("Fix `a.py`")
    assert "Fix ' octocat.py' by 'x y'" == named("Fix `@octocat.py` by `x y`")

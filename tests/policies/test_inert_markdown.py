"""The last word before a forge: whatever was written, nothing outside a code span acts."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from policies.release.release import judge_release
from policies.run.known_bad import good_facts
from policies.texts.inert_markdown import code_block, inert_line, inert_markdown
from policies.texts.pull_request import body, footer
from tests.policies.sample_policy import policy

ACTS = re.compile(r"[@#!]\w|GH-\d|://|www\.|[<>\[\]]|mailto:", re.IGNORECASE)


def outside_code(markdown: str) -> str:
    """What a forge would interpret."""
    return re.sub(r"(?<![`\\])`(?!`)[^`\n|]+`(?!`)", " · ", markdown)


@pytest.mark.parametrize(
    "text",
    [
        "@octocat and @org/team",
        "closes #12, fixes owner/repo#3, !4, GH-7",
        "https://evil.invalid and www.evil.invalid and mailto:x@y",
        "[click](https://evil.invalid) ![x](y) [ref]: z",
        "<img src=x onerror=alert(1)><!-- hidden -->",
        "``@x` y`",
        r"\`@x`",
        "`a | @b`",
        "`a\n@b`",
        "@@octocat ##1 ht://tp://x",
        "&#64;octocat",
        "x" * 100_000 + "://evil.invalid",
        ":/:///evil.invalid",
    ],
)
def test_known_tricks(text: str):
    """Pings, references, links, HTML, and code that only looks like it."""
    assert not ACTS.search(outside_code(inert_markdown(text)))
    assert not ACTS.search(inert_line(text))


@given(st.text(alphabet=st.sampled_from("ab1@#!<>[]()`\\|\n:/.wW&;-GHgh "), max_size=60))
def test_any_text_is_inert_and_stays_so(text: str):
    """Nobody thought of all tricks; once through is enough."""
    once = inert_markdown(text)
    assert not ACTS.search(outside_code(once))
    assert once == inert_markdown(once)
    assert "\n" not in inert_line(text)


@given(st.text(alphabet=st.sampled_from("ab7@#!<>[]()\\|\n:/& "), max_size=40))
def test_our_own_pull_requests_are_links_and_nothing_else_is(text: str):
    """By the words and the number we gave: foreign text around it stays as inert as it is without."""
    own = inert_markdown(f"{text} pull request #7, #8, closes #7, pull request #77 {text}", (7, 9))
    assert "pull request #7, # 8" not in own
    assert "pull request #7,  8, closes  7, pull request  77" in own
    assert not ACTS.search(outside_code(own).replace("pull request #7", ""))
    assert own == inert_markdown(own, (7, 9))
    assert "pull request  7" in inert_markdown("pull request #7")


def test_code_and_our_own_pull_request_text_stay_as_they_are():
    """What the rules of pull requests wrote is inert already: equal in every mode (P3)."""
    facts = good_facts(policy())
    own = body(facts.contract, judge_release(facts), facts.checks, facts.change) + footer("r-1", "r-1/x", "/a/b.html")
    assert own == inert_markdown(own)
    assert "`@x <y> #1`" == inert_markdown("`@x <y> #1`")


PARTS = (
    "```", "````", "~~~", "diff", "text", "\n", "\n\n", " ", "    ", "@octocat", "`", "> ", "- ", "<details>",
    "</details>",
    "<summary>Budget</summary>", "<div>", "<pre>", "|", "1. ", "[x](https://e.invalid)", "#1", "```diff\n", "\n```\n",
    "<!--", "-->", "---\n", "\\",
)  # fmt: skip
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
FOLD = re.compile(r"</details>|<details>(?:\s*<summary>Budget</summary>)?")


@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
@example("</details>\n`@octocat`")
@example("~~~\n\n```diff\n~~~\n@octocat\n```")
def test_a_real_markdown_sees_it_the_same_way(text: str):
    """What we take for code is code, what we fold away is a fold; nothing else is a link, HTML or a mention."""
    for token in MARKDOWN.parse(inert_markdown(text)):
        assert token.type != "html_block" or FOLD.fullmatch(token.content.strip())
        for part in token.children or ():
            assert part.type not in {"link_open", "image"}
            assert part.type != "html_inline" or FOLD.fullmatch(part.content)
            assert part.type != "text" or "@octocat" not in part.content
    own = f"One.\n\n{code_block(text, 'diff')}\n\nTwo."
    assert own == inert_markdown(own)
    kinds = [token.type for token in MARKDOWN.parse(own)]
    assert ["paragraph_open", "inline", "paragraph_close", "fence", *kinds[:3]] == kinds

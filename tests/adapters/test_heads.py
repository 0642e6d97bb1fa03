"""Our block at the head of a text: one, ours alone, and never over what a person wrote."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.forges.http.ownership import edited, headed, marked, read_mark

TEXT = st.text(alphabet=st.sampled_from("ab\n\r-<!> *"), max_size=40).filter(lambda text: "\r\r" not in text)
HEAD = st.text(alphabet=st.sampled_from("ab\n- *"), max_size=20)


@given(TEXT, HEAD, HEAD)
def test_every_other_word_stays(body: str, first: str, second: str) -> None:
    """Whatever stood there, an earlier head apart."""
    once = headed(body, f"x{first}")
    assert once.endswith(body.replace("\r\n", "\n"))
    assert headed(once, f"y{second}") == headed(body, f"y{second}")
    assert body == headed(body, "")


@given(TEXT, HEAD)
def test_only_what_is_ours_to_the_letter_is_not_edited(body: str, head: str) -> None:
    """Our head and a page's line ends are no edits; a word is, and so is a text of which nobody knows."""
    body = body.replace("\r", "")
    sealed = marked(f"x{body}", "r-1/x", "t-1", sealed=True)
    assert not edited(headed(sealed, f"y{head}").replace("\n", "\r\n"))
    assert all(map(edited, (f"word {sealed}", f"{sealed}word", marked(f"x{body}", "r-1/x", "t-1"), body)))


def test_a_head_that_somebody_wrote_into_is_theirs_and_stays() -> None:
    """Line ends of a web page are no words; the mark is found behind it all the same."""
    ours = headed(marked("text", "r-1/x", ""), "**Merged**\n\n- as `a`")
    assert "**Merged**" not in headed(ours.replace("\n", "\r\n"), "**Rolled back**")
    theirs = headed(ours.replace("- as `a`", "- as `a`, and it broke the shop"), "**Rolled back**")
    assert ("and it broke the shop" in theirs, theirs.count("**Rolled back**")) == (True, 1)
    assert theirs.index("**Rolled back**") < theirs.index("the shop")
    assert headed(theirs, "**Kept**").count("the shop") == 1
    assert "r-1/x" == read_mark(theirs).run_key

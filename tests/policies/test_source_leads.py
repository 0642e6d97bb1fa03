"""What the Scout reads, and what an agent as Scout may name: a catalogue's entries, and addresses (runbook §5)."""

from contracts.trial import Lead
from policies.source.scouting import catalogue_of, is_prose, leads_in, named_leads
from tests.policies.test_source_trials import known


def test_5_a_catalogue_is_read_entry_by_entry() -> None:
    """What is wrong is said in words, and keeps no other entry from being tried."""
    text = """
[[sources]]
name = "good"
licence = "CC0-1.0"
fallback = "kept"
http.url = "https://good.example/"
file.path = "data/days.json"
[[sources]]
name = "lost"
fallback = "nowhere"
http.url = "https://lost.example/"
file.path = "data/days.json"
[[sources]]
name = "bold"
state = "DISABLED"
http.url = "https://bold.example/"
file.path = "data/days.json"
[[sources]]
name = "kept"
http.url = "https://twice.example/"
file.path = "data/days.json"
[[sources]]
name = "theirs"
targets = ["other"]
http.url = "https://theirs.example/"
file.path = "data/days.json"
"""
    found, wrong = catalogue_of(text, known(), "days")
    assert ["good"] == [each.name for each in found]
    assert ["lost", "bold"] == [each.split()[1].rstrip(":") for each in wrong]
    assert "'nowhere' is no other source of this file" in wrong[0]
    assert catalogue_of("sources = ", known(), "days")[1][0].startswith("catalogue.toml is no TOML")


def test_5_leads_are_addresses_that_look_like_data() -> None:
    """Without credentials, without queries, and only in prose."""
    text = "See <https://me:secret@a.example/v1/days.json?key=1>, https://a.example/about and (https://b.example/feed)."
    assert ["https://a.example/v1/days.json", "https://b.example/feed"] == [each.url for each in leads_in("x", text)]
    assert [True, True, False] == [is_prose(path) for path in ("README.md", "docs/a/b.rst", "src/notes.md")]


def test_what_an_agent_names_is_a_lead_with_its_own_word():
    """Whole https addresses of somewhere else, at most ten, none twice; credentials and queries fall away."""
    urls = (
        "https://a.example/days.json",
        "https://user:pw@b.example/v1?key=1",
        "http://c.example/x.json",
        "https://localhost/x.json",
        "https://d.example/x.json and a lie",
        "javascript:alert(1)",
        "https://[::1/x",
        "",
        "https://b.example/v1",
        *(f"https://e.example/{number}.csv" for number in range(20)),
    )
    said = [Lead(url=url, path="../../etc", licence="MIT" if "b." in url else "unknown") for url in urls]
    found = named_leads(said, {"https://a.example/days.json"}, "m-1")
    assert [each.url for each in found[:2]] == ["https://b.example/v1", "https://e.example/0.csv"]
    assert len(found) == 10
    assert {(each.path, each.named_by) for each in found} == {("", "m-1")}
    assert (found[0].licence, found[1].licence) == ("MIT (says m-1)", "unknown")

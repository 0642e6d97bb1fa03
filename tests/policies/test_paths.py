"""Protected means protected (P5): in every spelling, by every kind of entry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.change import ChangedPath
from contracts.task import TaskType
from contracts.verdict import Decision
from policies.paths.rules import canonical, hostile_name, judge_paths, matches, protection, within
from policies.run import known_bad
from policies.run.known_bad import BASE_PATHS, entry
from tests.policies.sample_policy import policy

POLICY = policy()
CONTRACT = known_bad.contract(POLICY)

HOSTILE = (
    # absolute, escaping, empty
    "", "/etc/passwd", "../up", "a/../b", "a/..", "./a", "a/./b", "a//b", "a/",
    # options and separators
    "-rf", "--output=x", "a\\b", "a/b\\..\\c", "a\u2044b", "a\u2215b", "a\uff0fb", "a\uff3cb",
    # control and line characters
    "a\nb", "a\tb", "a\rb", "a\x00b", "a\x1b[31mb", "a\x7fb", "a\u0085b", "a\u2028b", "a\u2029b",
    # invisible and direction characters
    "a\u200bb", "a\u200cb", "a\u200db", "a\u2060b", "a\ufeffb", "a\u00adb", "a\u202eb", "a\u202db", "a\u2066b",
    "a\u2069b", "a\u061cb", "a\u034fb", "a\ufe0fb", "a\U000e0100b", "a\u3164b", "a\u115fb", "a\U000e0041b",
    # not UTF-8, private, unassigned
    "caf\udce9", "a\ue000b", "a\U0010ffffb", "a\u0378b",
    # tails and heads
    "a.", "a ", " a", "a/b. ", "a. /b", "\u00a0a", "a\u2003b",
    # Windows
    "con", "NUL.txt", "com1", "LPT9.log", "CONIN$", "a/aux.py", "GIT~1", "GITHUB~1/x", "PROGRA~1.TXT", ".env::$DATA",
    "a:b", "a?b", "a*b", 'a"b', "a<b", "a|b",
    # look-alikes
    ".\u0435nv", ".g\u0456thub/x", "p\u0430ckage.py", "\u03bfauth.py", ".g\u0131thub/x",
    "\u24d6it", "\uff0eenv", "\ufb01le.py", "\u00aab",
    "x\u0332y", "\u0261it", "a\u0338b", "\u13aauth.py", "a" * 256,
)  # fmt: skip

HONEST = (
    "README.md", "src/a b.py", ".env", ".github/x", "naïve.py", "nai\u0308ve.py", "тест.py", "テスト_test.py",
    "データ.csv", "test_данные.py", "한글.txt", "foo~", "a-b_c+d@e.txt", "setup.cfg", "console.py", "a/b/c/__init__.py",
    "file(1).txt", "ελληνικά.md", "C++.md", "#notes#", "é/ü.py",
)  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_hostile_names_are_refused_whole(path):
    """A name that some reader or file system takes for another is no name; the refusal says why."""
    assert hostile_name(path)
    verdict = judge_paths(known_bad.change(entry(path, "A")), POLICY, CONTRACT, BASE_PATHS)
    assert verdict.decision in {Decision.DENY, Decision.ESCALATE}
    assert verdict.model_dump_json()


@pytest.mark.parametrize("path", HONEST, ids=ascii)
def test_honest_names_are_not_refused(path):
    """Repositories in other languages work."""
    assert hostile_name(path) is None


PROTECTED = (
    ".env", ".env.local", "config/.env.prod", ".github/workflows/ci.yml", ".git/config", "src/.git/hooks/x", "uv.lock",
    "package-lock.json", "conf/auth.toml", "deploy/run.sh", "Dockerfile", "CODEOWNERS", "billing.yaml",
    "keys/server.key", ".gitattributes", "a/.gitmodules",
)  # fmt: skip
LOOKALIKE = dict(zip("aceiopxysj", "асеіорхуѕј", strict=True))  # noqa: RUF001 -- Cyrillic on purpose
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0f\u202e\u034f\x00\n\U000e0101"


def _at(path: str, position: int, text: str) -> str:
    position %= len(path) + 1
    return path[:position] + text + path[position:]


def _widen(path: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in path)


TRANSFORMS = st.one_of(
    st.just(str.upper),
    st.just(str.title),
    st.just(str.swapcase),
    st.just(_widen),
    st.just(lambda p: p.replace("i", "İ")),
    st.just(lambda p: p.replace("k", "\u212a").replace("s", "\u017f")),
    st.just(lambda p: p.replace("/", "\\")),
    st.just(lambda p: p.replace("/", "//")),
    st.just(lambda p: p.replace("/", "/./")),
    st.just(lambda p: p + "::$DATA"),
    st.just(lambda p: p + ":x"),
    st.sampled_from([". ", " ", ".", "..."]).map(lambda tail: lambda p: p + tail),
    st.sampled_from(["x/../", "./", "/"]).map(lambda head: lambda p: head + p),
    st.sampled_from(sorted(LOOKALIKE)).map(lambda letter: lambda p: p.replace(letter, LOOKALIKE[letter])),
    st.tuples(st.integers(0, 60), st.sampled_from(INVISIBLE)).map(lambda at: lambda p: _at(p, *at)),
    st.tuples(st.integers(0, 60), st.sampled_from("\u0332\u0336\u20dd")).map(lambda at: lambda p: _at(p, *at)),
)


@given(st.sampled_from(PROTECTED), st.lists(TRANSFORMS, max_size=3))
def test_every_spelling_of_a_protected_path_is_protected_or_refused(path, transforms):
    """For every protected p and transforms t: canonical(t(p)) is protected, or the name is refused (P5)."""
    for transform in transforms:
        path = transform(path)

    verdict = judge_paths(known_bad.change(entry(path, "A")), POLICY, CONTRACT, BASE_PATHS)
    assert protection(path, POLICY, TaskType.CODE_IMPROVEMENT) or hostile_name(path)
    assert verdict.decision in {Decision.ESCALATE, Decision.DENY}


@given(st.text(max_size=40))
def test_canonical_is_stable_and_total(path):
    """Any text has a canonical form, which is its own canonical form."""
    assert canonical(path) == canonical(canonical(path))
    hostile_name(path)


@pytest.mark.parametrize("case", list(known_bad.bad_paths()), ids=lambda case: case.name)
def test_known_bad_changes_are_refused(case):
    """Each fixture gets exactly the refusal it must get."""
    assert judge_paths(case.change, POLICY, CONTRACT, BASE_PATHS).decision is case.expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([entry("src/module.py")], Decision.ALLOW),
        ([entry("src/new.py", "A")], Decision.ALLOW),
        ([entry("src/run.sh", old="100755", new="100755")], Decision.ALLOW),
        ([entry("src/run.sh", old="100755")], Decision.DENY),
        ([entry("src/run.sh", "A", new="100755")], Decision.DENY),
        ([entry("src/link", "D", old="120000")], Decision.DENY),
        ([entry("src/link", "T", old="120000")], Decision.DENY),
        ([entry("src/odd", new="100664")], Decision.DENY),
        ([entry("SRC/other.py", "A")], Decision.DENY),
        ([entry("src/Twin.py", "A"), entry("src/twin.py", "A")], Decision.DENY),
        ([entry("src/module.py", "D"), entry(".env.bak", "A")], Decision.ESCALATE),
        ([entry("deploy", "A")], Decision.ESCALATE),
        ([entry("src/module.py"), entry("src/a\u202eb.py", "A")], Decision.DENY),
    ],
)
def test_entries_of_a_change(paths: list[ChangedPath], expected):
    """Kinds of entries, modes, twins among themselves: the worst decides."""
    assert judge_paths(known_bad.change(*paths), POLICY, CONTRACT, BASE_PATHS).decision is expected


@pytest.mark.parametrize(
    ("scope", "allowed", "expected"),
    [
        ({"allowed_paths": ("src/module.py",)}, ("**",), Decision.ALLOW),
        ({"allowed_paths": ("module.py",)}, ("**",), Decision.DENY),
        ({"allowed_paths": ("src/",)}, ("**",), Decision.ALLOW),
        ({"allowed_paths": ()}, ("**",), Decision.DENY),
        ({"allowed_paths": ("**",)}, ("docs/**",), Decision.DENY),
        ({"allowed_paths": ("**",)}, ("**", "!src/**"), Decision.DENY),
        ({"allowed_paths": ("**",)}, ("**", "!/src/module.py"), Decision.DENY),
        ({"allowed_paths": ("**",), "blocked_paths": ("SRC/*",)}, ("**",), Decision.DENY),
    ],
)
def test_scope_and_target_bound_the_change(scope, allowed, expected):
    """Merely out of scope is DENY, never a violation; an entry without a wildcard is one exact path."""
    contract = CONTRACT.model_copy(update={"scope": CONTRACT.scope.model_copy(update=scope)})
    change = known_bad.change(entry("src/module.py"))

    assert judge_paths(change, policy(target={"allowed_paths": allowed}), contract, BASE_PATHS).decision is expected


@pytest.mark.parametrize(
    "path",
    [
        ".env. ",
        ".env::$DATA",
        ".ENV",
        "\uff0eenv",
        "x/../.env",
        ".\u0435nv",
        ".e\u200bnv",
        "a\\.env",
        ".env\u0332",
        ".\udcffenv",
    ],
    ids=ascii,
)
def test_a_disguised_protected_path_is_a_violation(path):
    """Refusing the name would be enough to stop it; disguising it is a reason to pause (runbook §6.1)."""
    assert ".env" == canonical(path).removeprefix("a/")
    assert judge_paths(known_bad.change(entry(path, "A")), POLICY, CONTRACT, BASE_PATHS).decision is Decision.ESCALATE


def test_a_word_written_wholly_in_look_alikes_is_a_twin():
    """No mix of scripts gives it away."""
    change = known_bad.change(entry("\u0441\u043e\u0440\u0443.md", "A"))

    (verdict,) = judge_paths(change, POLICY, CONTRACT, ("copy.md",)).children
    assert "path has no twin" == verdict.rule
    assert judge_paths(change, POLICY, CONTRACT, ()).allowed


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("120000", "is a symbolic link"), ("160000", "is a submodule"), ("100755", "becomes executable")],
)
def test_special_entries_say_what_they_are(mode, reason):
    """The refusal explains itself (P12)."""
    change = known_bad.change(entry("src/x", "A", new=mode))

    assert f"src/x {reason}" == judge_paths(change, POLICY, CONTRACT, BASE_PATHS).children[0].reason


def test_a_twin_that_was_there_before_is_none():
    """A tree that already holds both spellings can still be worked on."""
    base = ("Docs/a.md", "docs/b.md")

    change = known_bad.change(entry("docs/c.md", "A"), entry("Docs/d.md", "A"))
    assert judge_paths(change, POLICY, CONTRACT, base).decision is Decision.ALLOW


def test_a_listed_task_type_may_touch_a_protected_path():
    """``unless`` opens a rule for its task types only."""
    rule = {"patterns": ["/CHANGES.md"], "reason": "released text", "unless": ["documentation_update"]}
    opened = policy(target={"protected": [rule]})
    change = known_bad.change(entry("CHANGES.md"))
    documentation = CONTRACT.model_copy(update={"type": TaskType.DOCUMENTATION_UPDATE})

    assert judge_paths(change, opened, CONTRACT, ("CHANGES.md",)).decision is Decision.ESCALATE
    assert judge_paths(change, opened, documentation, ("CHANGES.md",)).decision is Decision.ALLOW


def test_a_huge_refusal_stays_small_and_keeps_the_worst():
    """The verdict travels through Temporal: bounded, the violation listed first."""
    many = [entry(f"a\u200b{number}.py", "A") for number in range(3000)]
    verdict = judge_paths(known_bad.change(*many, entry(".env", "A")), POLICY, CONTRACT, BASE_PATHS)

    assert verdict.decision is Decision.ESCALATE
    assert verdict.children[0].facts["path"] == ".env"
    assert len(verdict.model_dump_json()) < 20_000


def test_patterns_are_matched_on_the_canonical_form():
    """Case and width of neither side matter."""
    assert matches("Docs/\uff32EADME.MD", ["docs/readme.md"])
    assert matches("docs/readme.md", ["DOCS/*.MD"])
    assert not within("docs/readme.md", ["readme.md"])

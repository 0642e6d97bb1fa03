"""Policy files are read whole or refused, and the refusal says where to look (P6, P13)."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from adapters.policy_files import PolicyFiles
from adapters.policy_files.policy_document import key_lines
from contracts.modes import Mode
from policies.digests import policy_digest
from ports.policy_source import PolicyError, UnknownTarget

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped policy folder with the example target."""
    found = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", found, ignore=shutil.ignore_patterns("*.py", "__pycache__", "targets"))
    (found / "targets").mkdir()
    shutil.copy(ROOT / "examples" / "targets" / "example.toml", found / "targets")
    return found


def edit(folder: Path, file: str, old: str, new: str) -> int:
    """Change one place of a file; the line where the new text ends."""
    text = (folder / file).read_text(encoding="utf-8")
    before, after = text.split(old, 1)
    (folder / file).write_text(before + new + after, encoding="utf-8")
    return (before + new).count("\n") + 1


def refusal(folder: Path) -> list[str]:
    """The lines of the error."""
    with pytest.raises(PolicyError) as caught:
        PolicyFiles(folder).effective("example")
    return str(caught.value).splitlines()


def line_of(folder: Path, file: str, text: str) -> int:
    """Where a text stands."""
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_the_shipped_folder_with_the_example_is_a_policy(folder):
    """What a new operator starts from works, and carries the digest of its content."""
    source = PolicyFiles(folder)
    policy = source.effective("example")

    assert ("example",) == source.names()
    assert policy.digest == policy_digest(policy) == source.effective("example").digest
    assert policy.autopilot.modes.maximum is Mode.PR_ONLY


COMMON, OWN, TIGHTEN = "autopilot.toml", "targets/example.toml", "; a target may only tighten"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            COMMON,
            "runs_per_day = 10",
            "runs_per_dya = 10",
            "caps.runs_per_dya: unknown key; did you mean runs_per_day?",
        ),
        (COMMON, "[caps]", "[cap]", "cap: unknown key; did you mean caps?"),
        (
            COMMON,
            "queue_limit = 20",
            "suppress_days = 3",
            "control.suppress_days: unknown key; did you mean candidates.suppress_days?",
        ),
        (COMMON, "files = 8", "files = 0", "diff_budget.files: must be greater than or equal to 1, found 0"),
        (COMMON, "files = 8", 'files = "8"', "diff_budget.files: must be a valid integer, found '8'"),
        ("charter.toml", 'families = ["F"]', 'families = "F"', "families: must be a list, [\"…\"], found 'F'"),
        (COMMON, "files = 8", "files = true", "diff_budget.files: must be a valid integer, found True"),
        (COMMON, "usd_per_run = 5.0", "usd_per_run = nan", "caps.usd_per_run: must be a finite number, found nan"),
        (
            COMMON,
            'maximum = "PR_ONLY"',
            'maximum = "PR_ONYL"',
            "modes.maximum: 'PR_ONYL' is not valid; did you mean PR_ONLY?",
        ),
        (COMMON, "past_failures = 0.15", "past_failures = 0.2", "risk: the five weights add up to 1.05, not 1"),
        (
            "charter.toml",
            "[roles.coding]",
            "[roles.codign]",
            "roles.codign: 'codign' is not valid; did you mean coding?",
        ),
        (
            "charter.toml",
            "[roles.sensing]\nbackend",
            "[roles.sensing]\nbackends",
            "roles.sensing.backends: unknown key; did you mean backend?",
        ),
        (
            "charter.toml",
            '[roles.coding]\nbackend = "tools"',
            '[roles.coding]\nbackend = "tool"',
            "roles.coding.backend: 'tool' is no backend; did you mean tools?",
        ),
        (
            "charter.toml",
            "[roles.coding]",
            "[roles.coding]\nrounds = 1",
            "roles.coding.rounds: 'tools' asks no agent; take it out, or name the backend command or model",
        ),
        ("protected_paths.toml", 'reason = "secrets"\n', "", "protected[0].reason: must be set"),
        (OWN, 'kind = "lint"', 'knid = "lint"', "checks[1].knid: unknown key; did you mean kind?"),
        (OWN, 'name = "lint"', 'name = "tests"', "checks[1].name: a second check is named 'tests'; names must differ"),
        (OWN, 'name = "example"', 'name = "other"', "name: 'other' differs from the file's name, 'example'"),
        (
            OWN,
            'name = "example"',
            'name = "example"\nforge = "gitae"',
            "forge: 'gitae' is not valid; did you mean gitea?",
        ),
        (OWN, '"UTC"', '"Europe/Olso"', "time_zone: 'Europe/Olso' is no IANA time zone, for example Europe/Oslo"),
        (OWN, '"UTC"', '"localtime"', "time_zone: 'localtime' is no IANA time zone, for example Europe/Oslo"),
        (OWN, "files = 4", "files = 9", "diff_budget.files: 9 is looser than diff_budget.files = 8" + TIGHTEN),
        (
            OWN,
            '"PR_ONLY"',
            '"SELECTIVE_AUTO"',
            "maximum_mode: SELECTIVE_AUTO is looser than modes.maximum = PR_ONLY" + TIGHTEN,
        ),
        (
            OWN,
            "seconds = 240",
            "seconds = 999",
            "checks[0].seconds: 999 is looser than sandbox.seconds = 300" + TIGHTEN,
        ),
        (
            OWN,
            '"/src/example/_vendor/**"',
            '"!.env"',
            "protected[0].patterns: '!.env' would unprotect; only additions are possible here",
        ),
        (
            OWN,
            "[review]",
            '[[probes]]\nname = "one"\nseconds = 9\n[review]',
            "probes[0]: give exactly one of argv and url",
        ),
        (
            OWN,
            "on = 2026-11-23",
            'on = "soon"',
            "review.on: must be a valid date in the format YYYY-MM-DD, input is too short, found 'soon'",
        ),
    ],
)
def test_what_is_wrong_and_where(folder, file, old, new, problem):
    """File, line, dotted key, nearest valid key or both values."""
    line = edit(folder, file, old, new)
    # What concerns a whole table is reported at the table.
    line -= {"risk": 5, "protected[0].reason": 1, "probes[0]": 3}.get(problem.split(":")[0], 0)

    assert f"{file}:{line}: {problem}" in refusal(folder)


def test_everything_wrong_is_listed_at_once(folder):
    """An operator fixes a file once, not error by error."""
    edit(folder, "autopilot.toml", "files = 8", "files = 0")
    edit(folder, "autopilot.toml", "lines = 400", "liens = 400")
    edit(folder, "charter.toml", "minutes = 5", "minutes = 0")

    assert 3 == len(refusal(folder))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[modes\n", "autopilot.toml:1: not TOML: "),
        (b"[modes]\nfirst = \n", "autopilot.toml:2: not TOML: "),
        (b"[caps]\n[caps]\n", "autopilot.toml:2: not TOML: "),
        (b"# caf\xe9\n", "autopilot.toml:1: not UTF-8"),
        (b"x = " + b"[" * 5000, "autopilot.toml:1: not TOML: "),
        (b"", "autopilot.toml:1: caps: must be set"),
    ],
)
def test_broken_files_are_refused_with_their_line(folder, body, problem):
    """Nothing is guessed from half a file."""
    (folder / "autopilot.toml").write_bytes(body)

    assert any(problem in line for line in refusal(folder))


def test_missing_files_are_named(folder):
    """With what to do."""
    (folder / "autopilot.toml").unlink()
    (folder / "charter.toml").unlink()
    (folder / "charter.toml").mkdir()

    assert ["is missing; copy it from", "cannot be read: Is a directory"] == [
        part
        for part in ("is missing; copy it from", "cannot be read: Is a directory")
        if part in "\n".join(refusal(folder))
    ]


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_what_has_no_end_is_not_waited_for(folder: Path, kind: str) -> None:
    """Every command and every step reads the policy."""
    charter = folder / "charter.toml"
    charter.unlink()
    os.mkfifo(charter) if kind == "a pipe" else charter.symlink_to("/dev/zero")

    assert [f"{charter} cannot be read: it is no file"] == refusal(folder)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("exmaple", "did you mean example?"),
        ("zzz", "known: example"),
        ("../autopilot", "known: example"),
        ("", "known"),
    ],
)
def test_unknown_targets(folder, name, hint):
    """The nearest name, or the list; a path is no name."""
    with pytest.raises(UnknownTarget, match=hint):
        PolicyFiles(folder).effective(name)


def test_no_target_yet(folder):
    """The first step is named."""
    (folder / "targets" / "example.toml").rename(folder / "targets" / ".example.toml")

    with pytest.raises(UnknownTarget, match=r"starter\.py init"):
        PolicyFiles(folder).effective("example")


def test_windows_editors_files_are_read(folder):
    """A byte order mark and CRLF change neither values nor digest."""
    before = PolicyFiles(folder).effective("example").digest
    file = folder / "autopilot.toml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))

    assert before == PolicyFiles(folder).effective("example").digest


def test_where_every_value_came_from(folder):
    """Value, file and line or ``default``, meaning: for the whole effective policy."""
    explained = {row.key: row for row in PolicyFiles(folder).explain("example")}
    budget = line_of(folder, "targets/example.toml", "files = 4")
    common = line_of(folder, "autopilot.toml", "lines = 400")
    maximum = line_of(folder, "targets/example.toml", "maximum_mode")

    assert ("4", f"targets/example.toml:{budget}") == _row(explained["autopilot.diff_budget.files"])
    assert ("400", f"autopilot.toml:{common}") == _row(explained["autopilot.diff_budget.lines"])
    assert ("400", f"autopilot.toml:{common}") == _row(explained["target.diff_budget.lines"])
    assert ('"PR_ONLY"', f"targets/example.toml:{maximum}") == _row(explained["autopilot.modes.maximum"])
    assert ('"local"', "default") == _row(explained["target.forge"])
    assert "targets/example.toml" in explained["protected_paths.protected[7].reason"].source
    assert (
        "Runs that may try the same idea before it is suppressed."
        == explained["autopilot.caps.attempts_per_task"].meaning
    )
    assert all(row.meaning and row.source for row in explained.values())
    assert explained["digest"].value == PolicyFiles(folder).effective("example").digest


def _row(found) -> tuple[str, str]:
    return found.value, found.source


def test_a_folder_that_is_edited_while_it_is_read_is_seen_before_or_after(folder):
    """Each file is read once: every answer is the policy of the old file or of the new one, never a mixture."""
    file, other = folder / "autopilot.toml", folder / "other"
    old = file.read_text(encoding="utf-8")
    new = old.replace("lines = 400", "lines = 40").replace("runs_per_day = 10", "runs_per_day = 1")
    source, stop, seen = PolicyFiles(folder), threading.Event(), set()

    def swap() -> None:
        while not stop.is_set():
            for text in (new, old):
                other.write_text(text, encoding="utf-8")
                other.replace(file)

    editor = threading.Thread(target=swap)
    editor.start()
    try:
        for _ in range(60):
            policy = source.effective("example")
            seen.add((policy.autopilot.diff_budget.lines, policy.autopilot.caps.runs_per_day))
    finally:
        stop.set()
        editor.join()
    assert seen <= {(400, 10), (40, 1)}


def test_what_the_same_bytes_say_is_not_worked_out_again(folder):
    """Every step of a run asks; a file that was edited, in the same second and size, is another one."""
    first = PolicyFiles(folder).effective("example")
    assert PolicyFiles(folder).effective("example") is first
    file = folder / "autopilot.toml"
    before = file.stat()
    edit(folder, "autopilot.toml", "runs_per_day = 10", "runs_per_day = 11")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert 11 == PolicyFiles(folder).effective("example").autopilot.caps.runs_per_day
    edit(folder, "autopilot.toml", "runs_per_day = 11", "runs_per_day = 10")
    assert PolicyFiles(folder).effective("example").digest == first.digest


def test_a_missing_file_hides_no_broken_one(folder):
    (folder / "charter.toml").unlink()
    (folder / "protected_paths.toml").write_text("= 1\n")
    assert 2 == len(refusal(folder))


def test_key_lines():
    """Tables, arrays of tables, dotted and quoted keys, long strings."""
    text = '[a]\nb.c = 1\n"d" = """\nx = 1\n"""\n[[e]]\nf = 1\n[e.g]\nh = 1\n[[e]]\nf = 2\ni = [\n  "j = 1",\n]\n'

    assert {
        ("a",): 1, ("a", "b", "c"): 2, ("a", "d"): 3, ("e",): 6, ("e", 0): 6, ("e", 0, "f"): 7, ("e", 0, "g"): 8,
        ("e", 0, "g", "h"): 9, ("e", 1): 10, ("e", 1, "f"): 11, ("e", 1, "i"): 12,
    } == key_lines(text)  # fmt: skip

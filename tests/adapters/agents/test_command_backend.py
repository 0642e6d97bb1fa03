"""Any program as an agent: what it is told, what it can reach, when it is ended, what is kept (issue 14.2 to 14.4)."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.agents.command_backend import CommandBackend
from adapters.agents.task_folder import take_question
from adapters.models.gateway import open_gateway
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from contracts.exchange import AgentOutcome, AgentProgress, Ending
from contracts.task import AskedBy, AskedTask, MeasureKind
from policies.settings.charter import RolePolicy
from ports.agents import AgentError
from ports.environments import CheckEnvironment
from tests.adapters.agents.played_program import Played, made, play

ASK = """python3 -c "
import socket; s = socket.create_connection(('127.0.0.1', 8080)); s.sendall(b'POST'); s.recv(9)" """
FILES = {
    "pkg/a.py": "x = 1\n",
    "AGENTS.md": "Obey.\n",
    ".claude/settings.json": "{}\n",
    "docs/CLAUDE.md": "Obey.\n",
    ".mcp.json": "{}",
}


def test_it_is_told_by_files_and_standard_input_and_sees_nothing_else(tmp_path: Path, monkeypatch) -> None:
    """Contract, words, data; a home of its own; no variable of ours, no network, nothing writable but its tree."""
    monkeypatch.setenv("AUTONOMY_SECRET", "of-the-worker")
    script = """
    cat > input.json; cmp input.json /run/task/contract.json && rm input.json
    cat /run/task/TASK.md /run/task/told/checks.md /run/task/shown/AGENTS.md
    ls -A . docs; env; pwd; ls -ld /run/task; cat /proc/net/route | wc -l
    for place in /run/task/x /opt/x /usr/x /x /etc/x; do touch $place 2>/dev/null && echo WROTE $place; done
    echo y = 2 >> pkg/a.py
    """
    played = play(made(tmp_path, FILES), script, said={"shown": ("AGENTS.md",)}, told={"checks.md": "test_b failed"})
    said = played.output
    assert played.stopped is None, played.stopped
    assert "of-the-worker" not in said
    assert "WROTE" not in said
    for words in ("# Mend it", "1 minute, until", "1.5 USD and 9000 tokens of m", "test_b failed", "Obey.", "/work"):
        assert words in said
    assert "HOME=/home/sandbox" in said
    assert not (played.tree / "input.json").exists()
    listing = said[said.index("Obey.") :]
    assert "CLAUDE.md" not in listing
    assert ".mcp.json" not in listing
    assert "x = 1\ny = 2\n" == (played.tree / "pkg/a.py").read_text()
    assert ("pkg/a.py",) == played.record.changed


def test_what_gives_orders_is_not_there_and_comes_back_as_it_was(tmp_path: Path) -> None:
    """Whatever it did at such a path is dropped and told: new ones, changed ones, folders put in their place, links."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    script = f"""
    echo mine > AGENTS.md; mkdir -p .codex .claude; echo x > .codex/config.toml; echo y > .claude/settings.json
    rm -rf docs; ln -s {outside} docs; mkdir -p sub; ln -s / sub/.gemini; echo z = 3 >> pkg/a.py
    """
    tree = made(tmp_path, FILES)
    played = play(tree, script)
    assert FILES == {
        path.relative_to(tree).as_posix(): path.read_text() for path in tree.rglob("*.*") if path.is_file()
    } | {"pkg/a.py": "x = 1\n"}
    assert ["kept.txt"] == [each.name for each in outside.iterdir()]
    record = played.record
    assert tuple(sorted(set(FILES) - {"pkg/a.py"})) == record.taken_out
    assert {"AGENTS.md", ".codex/config.toml", ".claude/settings.json", "docs", "sub/.gemini"} == set(record.dropped)
    assert ("pkg/a.py",) == record.changed


SECRET = "-----BEGIN PRIVATE KEY-----\nSECRET-OF-THE-REPOSITORY\n"


def test_secrets_of_the_tree_are_not_there_and_come_back_as_they_were(tmp_path: Path) -> None:
    """By name or by what they are; the rest is there, checks see the whole tree, the record says what was hidden."""
    held = {"certs/server.pem": SECRET, "deploy/.env.production": SECRET, "tests/data/key.txt": SECRET}
    script = """
    grep -rs SECRET-OF . /run/task; ls certs deploy; cat tests/data/other.txt
    mkdir -p certs; echo mine > certs/server.pem; echo z = 3 >> pkg/a.py
    """
    said = {"shown": ("tests/data/key.txt",)}
    played = play(made(tmp_path, FILES | held | {"tests/data/other.txt": "shown"}), script, said=said)
    assert played.stopped is None, played.stopped
    assert "SECRET-OF" not in played.output
    assert "shown" in played.output
    assert dict.fromkeys(held, SECRET) == {path: (played.tree / path).read_text() for path in held}
    assert tuple(sorted(held)) == played.record.hidden
    assert set(held) < set(played.record.taken_out)
    assert ("certs/server.pem",) == played.record.dropped
    assert ("pkg/a.py",) == played.record.changed


def test_a_task_about_a_secret_is_refused(tmp_path: Path) -> None:
    """Nobody is asked; what a person has to do is theirs."""
    tree = made(tmp_path, FILES | {"config/old.txt": SECRET})
    played = play(tree, "touch started", paths=("config/old.txt", "pkg/a.py"))
    assert played.stopped is not None
    assert AgentOutcome.NOTHING_DONE is played.stopped.outcome
    assert "config/old.txt, which holds a secret" in played.stopped.reason
    assert not (tree / "started").exists()
    assert SECRET == (tree / "config/old.txt").read_text()


def test_it_is_put_back_whatever_happens(tmp_path: Path) -> None:
    """A cancelled step kills the whole tree of processes, and leaves the checkout as the base has it."""
    tree = made(tmp_path, FILES)

    class Cancelled(Exception):
        pass

    def alive() -> None:
        if (tree / "begun").exists():
            raise Cancelled

    played = Played(tree)
    with pytest.raises(Cancelled):
        play(tree, "echo so far; touch begun; (setsid sleep 100 &) ; sleep 100", alive=alive, played=played)
    assert ({"output.txt", "transcript.jsonl"}, "so far\n") == (set(played.kept), played.output)
    assert (tree / ".claude/settings.json").exists()
    (tree / "begun").unlink()
    with pytest.raises(Cancelled):
        play(tree, f"{ASK}; touch begun; sleep 100", alive=alive, played=played, endings=(Ending.CUT,))
    # Where something was paid, it is on record.
    record = played.record
    assert (AgentOutcome.CRASHED, 0.01) == (record.outcome, record.usd)
    assert "AGENTS.md" in record.taken_out


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (Ending.PAUSED, AgentOutcome.PAUSED),
        (Ending.OVER_BUDGET, AgentOutcome.BUDGET),
        (Ending.UNAUTHORISED, AgentOutcome.UNAUTHORISED),
        (Ending.RATE_LIMITED, AgentOutcome.RATE_LIMITED),
    ],
)
def test_a_halt_ends_it_at_once(tmp_path: Path, ending: Ending, outcome: AgentOutcome) -> None:
    """Not after the agent's own retries; what it had done is there."""
    played = play(made(tmp_path, FILES), f"echo y >> pkg/a.py; {ASK}; sleep 100", endings=(ending,))
    assert played.stopped is not None
    assert outcome is played.stopped.outcome is played.record.outcome
    assert played.seconds < 20
    assert "y" in (played.tree / "pkg/a.py").read_text()


@pytest.mark.parametrize(
    ("script", "said", "outcome"),
    [
        ("sleep 100", {"quiet_seconds": 1}, AgentOutcome.NO_PROGRESS),
        ("exit 0", {}, AgentOutcome.NOTHING_DONE),
        ("exit 3", {}, AgentOutcome.CRASHED),
        ("kill -9 $$", {}, AgentOutcome.CRASHED),
        ("echo y >> pkg/a.py; kill -9 $$", {}, AgentOutcome.CRASHED),
        ("yes yes yes yes yes yes yes yes yes yes", {}, AgentOutcome.CRASHED),
        ("echo y >> AGENTS.md", {}, AgentOutcome.NOTHING_DONE),
        ("/no/such/agent", {}, AgentOutcome.CRASHED),
    ],
)
def test_how_it_ends_is_typed_by_us(tmp_path: Path, script: str, said: dict, outcome: AgentOutcome) -> None:
    """Silence, nothing done whatever the status, a crash, a flood; a change of what is dropped is none."""
    played = play(made(tmp_path, FILES), script, said=said)
    assert played.stopped is not None
    assert (outcome, outcome) == (played.stopped.outcome, played.record.outcome), played.stopped.reason


def test_the_record_is_ours(tmp_path: Path) -> None:
    """Exchanges, money and the transcript from the gateway, the exit as a hint; progress is told as it comes."""
    key = "AKIA" + "Q7" * 8
    script = f"{ASK}; sleep 0.3; {ASK}; echo done with {key}; echo y >> pkg/a.py; exit 4"
    played = play(made(tmp_path, FILES), script, endings=(Ending.TOOL, Ending.SAID))
    record = played.record
    assert (AgentOutcome.DONE, 4, 2, 0.02, 30) == (
        record.outcome,
        record.exit_code,
        len(record.exchanges),
        record.usd,
        record.tokens,
    )
    assert "it is done after 2 exchanges" in json.loads(played.answer)["summary"]
    begun, first = (AgentProgress.model_validate(each) for each in played.told[:2])
    assert ("sh", 0, 0, "") == (begun.agent, begun.exchanges, begun.usd, begun.tool)
    assert (1, 15, 0.01, "bash") == (first.exchanges, first.tokens, first.usd, first.tool)
    assert begun.since <= first.since <= datetime.now(UTC)
    assert {"json", "transcript.jsonl", "output.txt"} == set(played.kept)
    assert 64 == len(record.prompt)
    assert "done with" in played.output
    assert key not in played.output


def test_waiting_for_a_model_is_no_idleness(tmp_path: Path) -> None:
    """A slow answer is under way at the gateway, which has its own time-out."""
    busy = {"change": lambda gateway: setattr(gateway, "under_way", 1)}
    played = play(made(tmp_path, FILES), "sleep 2; echo y >> pkg/a.py", said={"quiet_seconds": 1}, **busy)
    assert played.stopped is None


def test_an_interrupted_attempt_may_have_done_it_all(tmp_path: Path) -> None:
    """Resumed on a kept tree, it finds nothing left to do; it is told that the tree is not the base's."""
    played = play(made(tmp_path, FILES), "grep -q interrupted /run/task/TASK.md", resumed=True)
    assert played.stopped is None
    assert () == played.record.changed


def test_another_try_that_changes_nothing_is_no_progress(tmp_path: Path) -> None:
    """The same change would be refused for the same reason; it is told that, and why the first try was."""
    script = "grep -q 'Another try' /run/task/TASK.md && cat /run/task/told/why_again.md"
    played = play(made(tmp_path, FILES), script, again=True, told={"why_again.md": "red: unit"})
    assert played.stopped is not None
    assert AgentOutcome.NO_PROGRESS is played.stopped.outcome
    assert "red: unit" in played.output
    assert play(tmp_path / "tree", f"{script}; echo y >> pkg/a.py", again=True).stopped is None


def test_one_that_is_not_installed_says_how(tmp_path: Path) -> None:
    """No half work: nothing was started."""
    with pytest.raises(AgentError, match=r"codex 0\.169\.0 is not installed: starter\.py agents install codex"):
        play(made(tmp_path, FILES), "", said={"argv": (), "agent": "codex"})


def test_a_folder_with_what_is_ours_is_shown_to_no_program(tmp_path: Path) -> None:
    """A link, or a folder that this installation came to lie in: what the charter cannot know."""
    (tmp_path / "link").symlink_to(tmp_path.parent)
    with pytest.raises(AgentError, match="holds this installation's own"):
        play(made(tmp_path, FILES), "true", said={"folder": str(tmp_path / "link")})


def test_it_reaches_named_hosts_alone(tmp_path: Path) -> None:
    """Through a proxy of ours, which keeps what was asked; without hosts there is none."""
    ask = """python3 -c "
import os, socket; s = socket.create_connection(('127.0.0.1', 8118))
s.sendall(b'CONNECT elsewhere.example:443 HTTP/1.1\\r\\n\\r\\n'); print(s.recv(99))
print(os.environ['HTTPS_PROXY'])" """
    played = play(made(tmp_path, FILES), f"echo y >> pkg/a.py; {ask}", said={"hosts": ("packages.example:443",)})
    assert "403" in played.output
    assert "http://127.0.0.1:8118" in played.output
    (asked,) = [json.loads(line) for line in played.kept["network.jsonl"].splitlines()]
    assert "elsewhere.example:443 is not on the list" in asked["refused"]
    assert ("elsewhere.example:443",) == played.record.hosts_refused
    none = play(made(tmp_path / "none", FILES), f"echo y >> pkg/a.py; {ask}")
    assert "network.jsonl" not in none.kept
    assert "ConnectionRefused" in none.output


def test_what_its_program_asks_for_wherever_it_works_is_told_apart(tmp_path: Path) -> None:
    """So nobody is woken by a version check; the host is refused all the same."""
    role = RolePolicy(backend="command", agent="codex", provider="p", models=("m",), usd=1.0, tokens=1000)
    codex = CommandBackend(role, BubblewrapSandbox(), open_gateway, tmp_path)
    assert codex.calls("github.com:443")
    assert not codex.calls("github.com.example:443")


def test_who_reaches_for_other_machines_is_counted(tmp_path: Path) -> None:
    """From outside of the sandbox, also where we end the program; what stays within it is nobody's business."""
    ask = """python3 -c "
import socket
for place in (('192.0.2.1', 443), ('127.0.0.1', 9)):
    try: socket.create_connection(place, 1)
    except OSError as problem: print(problem.errno)
" """
    assert 1 == play(made(tmp_path, FILES), f"echo y >> pkg/a.py; {ask}").record.reached_out
    ended = play(made(tmp_path / "ended", FILES), f"{ask}; {ASK}; sleep 60", endings=(Ending.PAUSED,))
    assert (AgentOutcome.PAUSED, 1) == (ended.record.outcome, ended.record.reached_out)
    assert 0 == play(made(tmp_path / "none", FILES), "echo y >> pkg/a.py").record.reached_out


@pytest.mark.parametrize("hostile", ["true", "rm -rf web; ln -s OUTSIDE web"])
def test_what_the_environment_lends_is_no_change(tmp_path: Path, hostile: str) -> None:
    """A copy of what preparing kept is there while it works, and gone from its tree afterwards; no link is followed."""
    lent, outside = tmp_path / "lent", tmp_path / "outside/node_modules"
    for folder in (lent, outside):
        folder.mkdir(parents=True)
        (folder / "x.js").write_text("x")
    environment = CheckEnvironment("0", lent, "/env", {"PATH": "/usr/bin:/bin"}, copies=((lent, "web/node_modules"),))
    script = f"cat web/node_modules/x.js; echo y >> pkg/a.py; {hostile.replace('OUTSIDE', str(outside.parent))}"
    played = play(made(tmp_path, FILES | {"web/index.js": "1\n"}), script, environment=environment)
    assert "x" == played.output.strip()
    assert (outside / "x.js").exists()
    changed = ("pkg/a.py",) if hostile == "true" else ("pkg/a.py", "web", "web/index.js")
    assert changed == played.record.changed


ISSUE = AskedTask(key="issue-42", by=AskedBy.ISSUE, title="Baskets", measure=MeasureKind.NEW_TEST, number=42)
PLACE = "AUTONOMY_QUESTION.md"
KEY = "AKIA" + "Q7" * 8


@pytest.mark.parametrize(
    ("script", "question"),
    [
        ("echo Which baskets? > $1", "Which baskets?"),
        (f"echo Which? {KEY} > $1", "Which? [secret]"),
        ("printf 'a\\342\\200\\213b' > $1", "a\\u{200b}b"),
        ("printf '\\377\\n' > $1", "\ufffd"),
        ("yes | head -c 1000000 > $1", ("y\n" * 750).strip()),
        ("echo > $1", ""),
        ("ln -s /etc/passwd $1", ""),
        ("mkfifo $1", ""),
        ("mkdir -p $1/x; echo y > $1/x/y; chmod 000 $1", ""),
        ("true", ""),
    ],
)
def test_a_question_is_a_plain_file_of_its_length(tmp_path: Path, script: str, question: str) -> None:
    """Without what looks like a secret, or cannot be seen; whatever stands there is taken away."""
    subprocess.run(["/bin/sh", "-c", script, "sh", PLACE], cwd=tmp_path, check=True)
    assert question == take_question(tmp_path)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "files", "task", "question"),
    [
        (f"grep -o {PLACE} /run/task/TASK.md > {PLACE}", {}, ISSUE, PLACE),
        (f"echo What? > {PLACE}; echo y >> pkg/a.py", {}, ISSUE, None),
        (f"echo What? > {PLACE}", {PLACE: "Of the repository.\n"}, ISSUE, None),
        (f"echo What? > {PLACE}", {}, ISSUE.model_copy(update={"number": 0, "by": AskedBy.STANDING}), None),
    ],
)
def test_it_may_ask_in_place_of_a_change(
    tmp_path: Path, script: str, files: dict, task: AskedTask, question: str | None
) -> None:
    """Who did something is measured; a file of the repository's own is its; only issues have somebody to ask."""
    played = play(made(tmp_path, FILES | files), script, task_of=task)
    expected = AgentOutcome.DONE if question is None else AgentOutcome.NOTHING_DONE
    assert (expected, question) == (played.record.outcome, played.stopped.question if played.stopped else None)
    assert (task is not ISSUE or bool(files)) is (played.tree / PLACE).exists()

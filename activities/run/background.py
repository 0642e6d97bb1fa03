"""What an agent is told beside its task: conventions, related files, findings, past attempts. Data, each bounded."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from activities.run.asking import gathered
from activities.step_session import StepSession
from contracts.report import IndexedRun, RunReport
from contracts.task import AskedTask, CandidateTasks, StateSnapshot, TaskContract
from policies.agents.context import LARGEST, defined, named, related, told
from policies.settings.charter import PAID_BY_EXCHANGE
from policies.task.questions import by_trust
from ports.store import StoreError

_CONVENTIONS = ("contributing", "hacking", "style", "styleguide", "development", ".editorconfig")
"""Names of files, without suffix, in which a repository says how it wants to be worked on."""
_FILES, _LARGEST_FILE, _ALL = 5_000, 200_000, 40 << 20
"""How much is looked through for related files: how many, bytes of one, bytes of all."""
_COMMITS, _REMEMBERED, _ATTEMPTS, _LISTED, _OFFERED = 300, 400, 5, 20, 5


def asks_an_agent(session: StepSession) -> bool:
    """Whether the step's role is played by an agent of others' making."""
    role_policy = session.policy.charter.roles.get(session.role)
    return role_policy is not None and role_policy.backend in PAID_BY_EXCHANGE


def lately(session: StepSession) -> dict[str, str]:
    """Before there is a task: what was tried here, what people made of it, how this repository is worked on.

    As ``background``, and likewise empty where no agent is asked.
    """
    if not asks_an_agent(session):
        return {}
    ended = [each for each in session.bench.index.latest(_REMEMBERED, session.run.target) if each.idea][:_LISTED]
    lines = [_line(each) for each in ended]
    return told({"history.md": "\n".join(lines), "conventions.md": _conventions(session)}, LARGEST)


def background(session: StepSession, contract: TaskContract, tree: Path | None = None) -> dict[str, str]:
    """By the name of a file; empty where the step's role asks no agent.

    Everything is read from the base and from our own artifacts: no change can bring it about (P6).

    Args:
        session: of the step.
        contract: the task.
        tree: a checkout in which related files are looked for.

    Raises:
        RepositoryError, StoreError: could not be read; the step is tried again.
    """
    if not asks_an_agent(session):
        return {}
    texts = {
        "findings.md": _findings(session, contract),
        "attempts.md": _attempts(session, contract),
        **_below(session, [contract.asked]),
        "related.md": _related(session, contract, tree) if tree else "",
        "conventions.md": _conventions(session),
    }
    return told(texts, LARGEST)


def said_below(session: StepSession, candidates: CandidateTasks) -> dict[str, str]:
    """What people said below the issues of the best candidates; empty where no agent is asked."""
    best = [each.asked for each in candidates.candidates if each.asked][:_OFFERED]
    return _below(session, best) if asks_an_agent(session) else {}


def _below(session: StepSession, tasks: Iterable[AskedTask | None]) -> dict[str, str]:
    wanted = gathered(session)
    talks = [wanted.below(each) for each in tasks if each] if wanted else []
    return {name: text for talk in talks if talk for name, text in by_trust(talk).items()}


def _findings(session: StepSession, contract: TaskContract) -> str:
    known = session.load("state_snapshot.json", StateSnapshot).findings
    about = [each for each in known if (each.tool, each.rule) == (contract.tool, contract.rule)]
    lines = [f"{each.path}:{each.line}: {each.rule}: {each.message}" for each in about]
    return "\n".join(lines or contract.evidence)


def _attempts(session: StepSession, contract: TaskContract) -> str:
    """The latest runs of the same task, or of its kind in one of its files, and how they ended."""
    mine = session.run.run_id
    ended = session.bench.index.latest(_REMEMBERED, session.run.target)
    alike = [each for each in ended if each.run_id != mine and _is_alike(each, contract)][:_ATTEMPTS]
    return "\n".join(_line(each, f": {_reason(session, each)}") for each in alike)


def _is_alike(entry: IndexedRun, contract: TaskContract) -> bool:
    if entry.task_id == contract.task_id:
        return True
    idea = entry.idea
    if idea is None or (idea.tool, idea.rule) != (contract.tool, contract.rule):
        return False
    return bool(set(idea.paths) & set(contract.scope.allowed_paths))


def _line(entry: IndexedRun, reason: str = "") -> str:
    title = f" ({entry.idea.title})" if entry.idea else ""
    return f"- {entry.date}, {entry.run_id}{title}: {entry.status.value}{reason}" + f"; {entry.became}" * bool(
        entry.became
    )


def _reason(session: StepSession, entry: IndexedRun) -> str:
    ref = session.bench.store.find(entry.run_id, "run_report.json")
    try:
        return RunReport.model_validate_json(session.bench.store.get(ref)).reason if ref else "no report"
    except (StoreError, ValueError):
        # It only helps: how the run ended is in the list.
        return "its report cannot be read"


def _conventions(session: StepSession) -> str:
    base, repository = session.input.base_sha, session.repository
    found = []
    for path in repository.paths(base):
        folder, _, name = path.rpartition("/")
        stem = name.lower().rpartition(".")[0] or name.lower()
        if folder.lower() in {"", "docs", ".github"} and stem in _CONVENTIONS:
            body = repository.read(base, path) or b""
            found.append(f"{path}:\n{body[:_LARGEST_FILE].decode('utf-8', 'replace')}")
    return "\n\n".join(found)


def _related(session: StepSession, contract: TaskContract, tree: Path) -> str:
    own = set(contract.scope.allowed_paths)
    texts = dict(_texts(tree))
    phrases = (contract.asked.title, contract.asked.text) if contract.asked else ()
    words = " ".join((contract.title, contract.objective, contract.rationale, *contract.evidence, *phrases))
    names = named(words).union(*(defined(texts[path]) for path in own & texts.keys()))
    together = session.repository.together(session.input.base_sha, own, _COMMITS)
    there = {path: commits for path, commits in together.items() if path in texts}
    return "\n".join(f"- {each.path}: {each.why}" for each in related(own, names, texts.items(), there))


def _texts(tree: Path) -> Iterator[tuple[str, str]]:
    """Path and text of the tree's files, as many as are looked at; no link is followed."""
    left, files, folders = _ALL, 0, [os.fspath(tree)]
    begins = len(folders[0]) + 1
    while folders:
        with os.scandir(folders.pop()) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        folders += [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
        for entry in found:
            if not entry.is_file(follow_symlinks=False):
                continue
            size = entry.stat(follow_symlinks=False).st_size
            if size > _LARGEST_FILE:
                continue
            left, files = left - size, files + 1
            if left < 0 or files > _FILES:
                return
            body = Path(entry.path).read_bytes()
            if b"\0" not in body:
                yield entry.path[begins:], body.decode("utf-8", "replace")

"""``policy``: what is in force and where it came from, what another would have decided, what is proposed."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import DAY, AsJson, TargetName, emit, guarded, operator_name, out, say, show
from composition import Adapters, compose
from contracts.proposal import PolicyProposal
from contracts.release import WhatIf
from contracts.source import SourceBook
from policies.counted import counted
from policies.settings.schema import EffectivePolicy
from policies.settings.section import nearest
from policies.task.task_words import does
from policies.texts.proposal import proposal_words
from ports.policy_source import PolicyError
from reporting.wording import visible
from settings import Settings

if TYPE_CHECKING:
    from activities.governance.kept_proposals import KeptProposals

app = typer.Typer(help="What policy says, and what another would have decided.", no_args_is_help=True)
_SHARED = ("autopilot.toml", "protected_paths.toml", "charter.toml", "alerts.toml", "sources.toml")
_LEFT_OUT = 5
"""Runs that are named where a decision could not be made again; --json has all."""


@app.command()
@guarded
def explain(
    target: TargetName,
    key: Annotated[str, typer.Argument(help="Only keys that contain this, for example diff_budget.")] = "",
    as_json: AsJson = False,
) -> int:
    """Every effective value of a target, the file and line it came from, and what it means."""
    policies = compose(Settings()).policies
    digest = policies.effective(target).digest
    found = [one for one in policies.explain(target) if key in one.key]
    if not found:
        raise CommandFailed(Exit.USAGE, f"no key of {target}'s policy contains {key!r}; without one, all are shown")
    if as_json:
        emit({"target": target, "digest": digest, "values": [vars(one) for one in found]})
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("key", "value", "from", "meaning"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(*(Text(visible(cell)) for cell in (one.key, one.value, one.source, one.meaning)))
    out.print(table)
    show(f"digest {digest}")
    return Exit.OK


def _strays(effective: EffectivePolicy, names: Collection[str]) -> dict[str, str]:
    """By file, what is for a target that nobody has: no policy is wrong by it, and it would wait for ever."""
    wrong: dict[str, str] = {}
    for file, kind, those in (
        ("tasks.toml", "tasks", effective.standing.tasks),
        ("sources.toml", "sources", effective.sources.sources),
    ):
        strays = [(each.name, one) for each in those for one in each.targets if one not in names]
        told = [f"{kind}.{name}.targets: no target is called {one!r}; {nearest(one, names)}" for name, one in strays]
        wrong |= {file: "\n".join(told)} if told else {}
    return wrong


@app.command()
@guarded
def check(as_json: AsJson = False) -> int:
    """Read every target's policy as a run would; says file, line and the nearest key of what is wrong."""
    adapters = compose(Settings())
    wrong: dict[str, str] = {}
    good: dict[str, str] = {}
    names = adapters.policies.names()
    for name in names:
        try:
            effective = adapters.policies.effective(name)
        except PolicyError as problem:
            wrong[name] = str(problem)
            continue
        good[name] = effective.digest
    if good:
        # Both files are every target's.
        wrong |= _strays(effective, names)
    for name, meant in adapters.policies.misnamed().items():
        wrong[name] = f"nobody reads a file of this name; did you mean {meant}?"
    try:
        adapters.policies.alerts()
    except PolicyError as problem:
        wrong["alerts.toml"] = str(problem)
    if as_json:
        emit({"ok": good, "wrong": wrong})
    else:
        for name, digest in good.items():
            show(f"ok      {name}  {digest[:12]}")
        for name, complaint in wrong.items():
            show(f"not ok  {name}", "red")
            show(complaint)
    if not good and not wrong:
        say(f"{adapters.settings.policies} has no targets; make one: starter.py init <path-or-url>")
    return Exit.BAD_POLICY if wrong else Exit.OK


@app.command("what-if")
@guarded
def what_if(
    other: Annotated[
        Path,
        typer.Argument(help="A policy file under its own name (autopilot.toml, <target>.toml), or a folder of them."),
    ],
    target: Annotated[str | None, typer.Option(help="Only decisions on this target; default: all.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=DAY, metavar="YYYY-MM-DD", help="Only runs that ended from this day on, UTC; default: all."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Make every past release decision again, as if these files stood in the policy folder. Changes nothing.

    Decisions are made again from the facts that were kept with them; what a policy decides before a release (which task
    is chosen, what it may cost) is not asked again.
    """
    # Only this command needs the steps' side.
    from activities.governance.past_decisions import PastDecisions  # noqa: PLC0415

    adapters = compose(Settings())
    if target:
        adapters.policies.effective(target)
    past = PastDecisions(adapters.store, adapters.index)
    policies = adapters.policies.instead(_files(adapters.settings.policies, other))
    found = past.under(policies.effective, target, since.replace(tzinfo=UTC) if since else None)
    if as_json:
        emit(found)
    else:
        _show_what_if(found)
    return Exit.OK


@app.command()
@guarded
def proposals(as_json: AsJson = False) -> int:
    """What is proposed to be changed in the policy, by reviews and by trials of sources, and why. Changes nothing.

    Where a target's `policy_folder` says that its repository holds the policy, each becomes a pull request there.
    """
    # Only these commands need the steps' side, here and below.
    from activities.governance.kept_proposals import KeptProposals  # noqa: PLC0415

    adapters = compose(Settings())
    found = [(each, _shown_proposal(adapters, each)) for each in KeptProposals(adapters.store).open()]
    if as_json:
        emit({"proposals": [shown for _, shown in found]})
        return Exit.OK
    for each, shown in found:
        words = proposal_words(each)
        show(f"{each.proposal_id}: {does(words)} {words.one}. {visible(words.why)}", "bold")
        for point in words.more:
            show(f"  {visible(point)}")
        if shown["done"]:
            show("  It is in the policy folder.", "green")
        elif shown["problem"]:
            show(f"  It cannot be applied: {visible(str(shown['problem']))}", "yellow")
        else:
            show(str(shown["patch"]).rstrip())
            show(f"  starter.py policy apply {each.proposal_id}")
    if not found:
        say("nothing is proposed")
    return Exit.OK


@app.command("apply")
@guarded
def apply_command(proposal_id: Annotated[str, typer.Argument(help="As `policy proposals` names it.")]) -> int:
    """Make a proposal's edits in the policy folder of this machine; its comments stay. All of them or none."""
    adapters = compose(Settings())
    _, proposal = _proposal(adapters, proposal_id)
    show(apply_proposal(adapters, proposal), "green")
    return Exit.OK


@app.command()
@guarded
def withdraw(
    proposal_id: Annotated[str, typer.Argument(help="As `policy proposals` names it.")],
    reason: Annotated[str, typer.Option(help="Why; kept for the record.")],
) -> int:
    """Say no to a proposal for good: it is not shown, not made a pull request and not proposed by reviews again."""
    kept, _ = _proposal(compose(Settings()), proposal_id)
    kept.withdraw(proposal_id, reason, operator_name(), datetime.now(UTC))
    show(f"{proposal_id} is withdrawn; an open pull request of it is closed by that target's next run", "green")
    return Exit.OK


def _proposal(adapters: Adapters, proposal_id: str) -> "tuple[KeptProposals, PolicyProposal]":
    from activities.governance.kept_proposals import KeptProposals  # noqa: PLC0415

    kept = KeptProposals(adapters.store)
    proposal = kept.find(proposal_id)
    if proposal is None:
        raise CommandFailed(Exit.USAGE, f"no proposal is named {proposal_id!r}; see: starter.py policy proposals")
    return kept, proposal


def apply_proposal(adapters: Adapters, proposal: PolicyProposal, book: SourceBook | None = None) -> str:
    """By a person's command: the edits in the local policy folder; what was done, in words.

    ``book``: how far Control has lowered each source; None: only what the file says is known.

    Raises:
        CommandFailed: refused, with the reason; the folder is as it was.
    """
    from policies.governance.edits import applied  # noqa: PLC0415

    found = applied(_text(adapters, proposal.file), proposal, adapters.policies.catalogue(), book)
    if found.done:
        return f"{proposal.file} says so already"
    if found.problem:
        raise CommandFailed(Exit.REFUSED, found.problem)
    adapters.policies.write(proposal.file, found.text)
    what = ", ".join(each.name for each in proposal.edits) or "one source added"
    return f"{adapters.settings.policies / proposal.file}: {what}"


def _shown_proposal(adapters: Adapters, proposal: PolicyProposal) -> dict[str, object]:
    from policies.governance.edits import applied, patch  # noqa: PLC0415

    text, catalogue = _text(adapters, proposal.file), adapters.policies.catalogue()
    found = applied(text, proposal, catalogue)
    return {
        "proposal": proposal.model_dump(mode="json", by_alias=True),
        "done": found.done,
        "problem": found.problem,
        "patch": patch(text, proposal, catalogue),
    }


def _text(adapters: Adapters, file: str) -> str:
    """Empty where the folder has no such file yet."""
    return adapters.policies.text(file) if (adapters.settings.policies / file).exists() else ""


def _files(folder: Path, other: Path) -> dict[str, bytes]:
    """What to read instead, by the names that they have in the policy folder."""
    if other.is_dir():
        files = [path for path in other.rglob("*.toml") if path.relative_to(other).parts[:-1] in {(), ("targets",)}]
    else:
        files = [other] if other.is_file() else []
    if not files:
        raise CommandFailed(Exit.USAGE, f"{other} is no policy file and no folder of them")
    found = {}
    for path in files:
        known = path.name if path.name in _SHARED else f"targets/{path.name}"
        if known not in _SHARED and not (folder / known).exists():
            names = ", ".join((*_SHARED, "targets/<target>.toml"))
            raise CommandFailed(
                Exit.USAGE, f"{path} would replace nothing: name it as the file it stands for ({names})"
            )
        found[known] = path.read_bytes()
    return found


def _show_what_if(found: WhatIf) -> None:
    if not found.decisions:
        say("no past release decision can be made again yet: each run keeps its own from now on")
    else:
        text = counted(len(found.others), "would change", "would change")
        show(f"of {counted(found.decisions, 'decision')}, {text}")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("run", "was", "would be", "because", "became"):
        table.add_column(title, overflow="fold")
    for one in found.others:
        cells = (one.run_id, one.decided, one.would_be, one.because, one.became)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    if found.others:
        out.print(table)
    for run_id, reason in list(found.left_out.items())[:_LEFT_OUT]:
        say(f"left out {run_id}: {reason}")
    if (more := len(found.left_out) - _LEFT_OUT) > 0:
        say(f"left out {counted(more, 'more run')}: --json names them")

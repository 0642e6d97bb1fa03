"""``issue``: what somebody wants done, for a target without a forge of its own; with a label it is an agent's task."""

import sys
from typing import Annotated

import typer

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, TargetName, emit, guarded, operator_name, show
from composition import LocalIssues, compose, local_issues
from settings import Settings

app = typer.Typer(help="Issues of a target without a forge of its own.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The issue's number, as `issue list` shows it.")]


@app.command("open")
@guarded
def open_(
    target: TargetName,
    title: Annotated[str, typer.Option("--title", help="What is wrong, in a line.")],
    body: Annotated[str, typer.Option("--body", help="More about it; `-`: from standard input.")] = "",
    label: Annotated[
        str | None, typer.Option("--label", help="Default: the label that the target's file names, if it does.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Open one; with the label that the target's file names, the next run may take it."""
    issues, usual = _of(target)
    if not title.strip():
        raise CommandFailed(Exit.USAGE, "--title must say what is wrong")
    labels = tuple(filter(None, [usual if label is None else label]))
    words = sys.stdin.read() if body == "-" else body
    issue = issues.open(" ".join(title.split()), words, labels, operator_name())
    if as_json:
        emit({"target": target, **issue.model_dump(mode="json", by_alias=True)})
        return Exit.OK
    taken = f"; a run may take it, or now: starter.py try {target} --issue {issue.number}" if usual in labels else ""
    if not usual:
        taken = f"; no run takes it: targets/{target}.toml has no [issues] with the label of those that are tasks"
    show(f"#{issue.number} is open{taken}")
    return Exit.OK


@app.command("list")
@guarded
def list_(
    target: TargetName,
    everything: Annotated[bool, typer.Option("--all", help="Include closed ones.")] = False,
    as_json: AsJson = False,
) -> int:
    """Open issues, newest first."""
    issues, _ = _of(target)
    found = [each for each in issues.newest() or () if everything or each.state == "open"]
    if as_json:
        emit({"issues": [each.model_dump(mode="json", by_alias=True) for each in found]})
        return Exit.OK
    for each in found:
        show(f"#{each.number:<4} {each.state:<7} {each.title}{''.join(f' [{label}]' for label in each.labels)}")
    if not found:
        show("no issue" if everything else "no open issue; --all shows the others")
    return Exit.OK


@app.command("show")
@guarded
def show_(target: TargetName, number: Number, as_json: AsJson = False) -> int:
    """An issue, and what is said below it: questions of ours, and answers."""
    issues, _ = _of(target)
    found = next((each for each in issues.newest() or () if each.number == number), None)
    if found is None:
        raise CommandFailed(Exit.USAGE, f"{target} has no issue {number}: see `starter.py issue list {target} --all`")
    comments = issues.comments(number)
    if as_json:
        told = [each.model_dump(mode="json", by_alias=True) for each in comments]
        emit({**found.model_dump(mode="json", by_alias=True), "said": told})
        return Exit.OK
    show(f"#{found.number} {found.state}: {found.title}")
    for author, text in ((found.author, found.body), *((each.author, each.body) for each in comments)):
        show(f"\n{author}:\n{text or '(nothing)'}")
    return Exit.OK


@app.command()
@guarded
def comment(
    target: TargetName,
    number: Number,
    text: Annotated[str, typer.Option("--text", help="What you say; `-`: from standard input.")],
    as_json: AsJson = False,
) -> int:
    """Say something below it: an answer to a question of ours, or what an agent should know of."""
    issues, _ = _of(target)
    body = sys.stdin.read() if text == "-" else text
    if not body.strip():
        raise CommandFailed(Exit.USAGE, "--text must say something")
    if refused := issues.say(number, body, operator_name()):
        raise CommandFailed(Exit.REFUSED, f"not said: {refused}")
    if as_json:
        emit({"target": target, "number": number, "said": len(issues.comments(number))})
    else:
        show(f"said on #{number}")
    return Exit.OK


@app.command()
@guarded
def close(target: TargetName, number: Number, as_json: AsJson = False) -> int:
    """Close it: no run takes it any more."""
    issues, _ = _of(target)
    if refused := issues.close(number):
        raise CommandFailed(Exit.REFUSED, f"not closed: {refused}")
    if as_json:
        emit({"target": target, "number": number, "state": "closed"})
    else:
        show(f"#{number} is closed")
    return Exit.OK


def _of(target: str) -> tuple[LocalIssues, str]:
    """They, and the label of those that are tasks; empty: none are."""
    settings = Settings()
    policy = compose(settings).policies.effective(target)
    if policy.target.forge != "local":
        message = f"{target} is on a forge of its own ({policy.target.forge}): open its issues there"
        raise CommandFailed(Exit.REFUSED, message)
    return local_issues(settings, target), policy.target.issues.label if policy.target.issues else ""

"""``pr``: a person's answer to pull requests on the local forge, which has no page to give it on."""

from contextlib import nullcontext, suppress
from typing import Annotated

import typer
from temporalio.service import RPCError

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, TargetName, emit, guarded, operator_name, say, show
from composition import LocalDesk, ServerUnavailable, compose, local_desk
from contracts.pull_request import PullRequest
from policies.counted import counted
from ports.repository import RepositoryError
from settings import Settings
from workflows import api

app = typer.Typer(help="Pull requests of a target without a forge of its own.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The pull request's number, as `pr list` shows it.")]


@app.command("list")
@guarded
def list_(
    target: TargetName,
    everything: Annotated[bool, typer.Option("--all", help="Include merged and closed ones.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="With --all: how many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> int:
    """Open pull requests, newest first."""
    forge = _desk(target).forge()
    pulls = forge.newest(limit) if everything else forge.open_ones()
    if as_json:
        emit({"pullRequests": [pull.model_dump(mode="json", by_alias=True) for pull in pulls]})
        return Exit.OK
    for pull in pulls:
        show(f"#{pull.number:<4} {pull.state:<7} {pull.title}")
    if everything and pulls and pulls[-1].number > 1:
        say(f"… and {counted(pulls[-1].number - 1, 'older one')}: --limit {limit * 5}")
    if not pulls:
        show("no pull request" if everything else "no open pull request; --all shows the others")
    return Exit.OK


@app.command("show")
@guarded
def show_(target: TargetName, number: Number, as_json: AsJson = False) -> int:
    """One pull request: what it says, and what it changes."""
    desk = _desk(target)
    pull = _pull(desk, number)
    diff = ""
    # What was answered long ago may be fetched from nowhere any more.
    with suppress(RepositoryError) if pull.state != "open" else nullcontext():
        diff = desk.diff(pull)
    if as_json:
        emit(pull.model_dump(mode="json", by_alias=True) | {"diff": diff})
        return Exit.OK
    show(f"#{pull.number} {pull.title}", "bold")
    show(f"{pull.state}, {pull.branch} into {pull.base_branch}\n")
    # The marks by which we find our own lines again are for no reader.
    show("\n".join(line for line in pull.body.splitlines() if not line.startswith("<!-- autonomy-runbook ")))
    for comment in desk.comments(pull):
        show(f"\n{comment.author} says below:", "bold")
        show(comment.body)
    show(diff)
    return Exit.OK


@app.command()
@guarded
async def close(target: TargetName, number: Number, as_json: AsJson = False) -> int:
    """Close it without merging: a no, which is remembered."""
    desk = _desk(target)
    pull = _pull(desk, number)
    return await _answered(desk, pull, desk.close(pull), "closed", as_json)


@app.command()
@guarded
async def merge(target: TargetName, number: Number, as_json: AsJson = False) -> int:
    """Merge it into the base, with a merge commit under your name."""
    desk = _desk(target)
    pull = _pull(desk, number)
    return await _answered(desk, pull, desk.merge(pull), "merged", as_json)


def _desk(target: str) -> LocalDesk:
    settings = Settings()
    policy = compose(settings).policies.effective(target)
    if policy.target.forge != "local":
        message = f"{target} is on a forge of its own ({policy.target.forge}): answer its pull requests there"
        raise CommandFailed(Exit.REFUSED, message)
    return local_desk(settings, policy.target, operator_name())


def _pull(desk: LocalDesk, number: int) -> PullRequest:
    found = desk.forge().pull_request(number)
    if found is None:
        message = f"{desk.target.name} has no pull request {number}: see `starter.py pr list {desk.target.name} --all`"
        raise CommandFailed(Exit.USAGE, message)
    return found


async def _answered(desk: LocalDesk, pull: PullRequest, refused: str, done: str, as_json: bool) -> int:
    if refused:
        raise CommandFailed(Exit.REFUSED, f"not {done}: {refused}")
    await _tell(pull)
    if as_json:
        emit({"target": desk.target.name, "number": pull.number, "state": done})
    else:
        show(f"#{pull.number} is {done}")
    return Exit.OK


async def _tell(pull: PullRequest) -> None:
    """Have its follow-up look at once; without a server, it notices at its next look."""
    with suppress(ServerUnavailable, CommandFailed, RPCError):
        client = await client_of(Settings())
        await client.get_workflow_handle(api.follow_up_id(pull.run_id)).signal(api.REFRESH)
        say("its follow-up is looking now")

"""The command line: which command is where. A command's module is imported when it is typed, and no other."""

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from commands.exit_statuses import Exit
from policies.counted import joined

_WORK, _LOOK, _BRAKE, _CARE = "Work", "Look", "Stop and go", "Care"


class Entry(NamedTuple):
    """Where a command is, and its line in ``--help``; a test holds the line to what the command itself says."""

    module: str
    panel: str
    line: str


COMMANDS = {
    "init": Entry(
        "commands.init",
        _WORK,
        "Look at a repository and write a commented policies/targets/<name>.toml. No server needed.",
    ),
    "run": Entry(
        "commands.run",
        _WORK,
        "Start a run, show its progress, print how it ended.",
    ),
    "try": Entry(
        "commands.try_agent",
        _WORK,
        "Try an agent on one task in a DRY_RUN: its diff, checks, cost and transcript on a page; nothing is written.",
    ),
    "up": Entry("commands.up", _WORK, "Run the embedded Temporal server with its UI and a worker, until Ctrl-C."),
    "schedule": Entry("commands.schedule", _WORK, "The daily start of a target, by a Temporal Schedule."),
    "issue": Entry("commands.issue", _WORK, "Issues of a target without a forge of its own."),
    "pr": Entry("commands.pr", _WORK, "Pull requests of a target without a forge of its own."),
    "status": Entry(
        "commands.status", _LOOK, "The global status, and each target's: mode, epoch, writes in flight, runs, pauses."
    ),
    "watch": Entry("commands.watch", _LOOK, "Follow a run until it ends; of a target, the one that runs or waits now."),
    "why": Entry(
        "commands.why",
        _LOOK,
        "Why a target works, or does not; why a run went as it did; what an incident is: with the facts they used.",
    ),
    "queue": Entry(
        "commands.status",
        _LOOK,
        "Runs that wait for a slot, first come first served, and failed changes that are to be tried again.",
    ),
    "dashboard": Entry("commands.dashboard", _LOOK, "The target's dashboard ticket, as the forge shows it."),
    "runs": Entry(
        "commands.report",
        _LOOK,
        "The newest ended runs, newest first; also attempts that were not allowed to start, with the reason.",
    ),
    "report": Entry(
        "commands.report", _LOOK, "A run's report: task, steps, change, checks, decision tree, writes, review."
    ),
    "review": Entry(
        "commands.review",
        _LOOK,
        "Every baseline metric with its target, what was accepted and what was not, incidents, and what is overdue.",
    ),
    "alerts": Entry("commands.alerts", _LOOK, "What was raised, what became of it, and a test of every channel."),
    "pause": Entry("commands.pause", _BRAKE, "Stop: no new run, no push, no pull request, until a person resumes."),
    "resume": Entry(
        "commands.resume",
        _BRAKE,
        "State the cause and the evidence; a green DRY_RUN smoke then opens the target in PR_ONLY.",
    ),
    "rollback": Entry(
        "commands.rollback",
        _BRAKE,
        "Undo the merge of a run's change, once: mode DRY_RUN first, then the exact revert, then health confirmed.",
    ),
    "mode": Entry("commands.mode", _BRAKE, "Set what runs of a target may do: DRY_RUN, PR_ONLY or SELECTIVE_AUTO."),
    "decide": Entry(
        "commands.mode",
        _BRAKE,
        "Decide for a run that waits for a person: approve its task contract, or end a run that holds.",
    ),
    "budget": Entry(
        "commands.budget",
        _BRAKE,
        "Spent, reserved and capped: `budget [TARGET]`; `budget set`; `budget state-cost`.",
    ),
    "grant": Entry(
        "commands.grant",
        _BRAKE,
        "Release a quarantined change: exactly its commit, exactly these protected paths, once, until a time.",
    ),
    "silence": Entry(
        "commands.silence",
        _CARE,
        "Silence a kind of alert for a while. Policy violations and protected-path alerts can never be silenced.",
    ),
    "incident": Entry(
        "commands.incident", _CARE, "Incidents: what happened, what people know about it, what is still due."
    ),
    "doctor": Entry(
        "commands.doctor", _CARE, "Look at everything a run needs: tools, sandbox, server, worker, policy, disk."
    ),
    "recover": Entry(
        "commands.recover",
        _CARE,
        "Replace a Control whose workflow tasks keep failing, so that it answers again. It wakes up PAUSED.",
    ),
    "agents": Entry(
        "commands.agents",
        _CARE,
        "Coding agents of others' making: which there are, installing them, how they did here.",
    ),
    "audit": Entry("commands.audit", _CARE, "The tamper-evident audit logs."),
    "sources": Entry("commands.sources", _CARE, "Where Sensing learns something, and how good its answers are."),
    "charter": Entry(
        "commands.charter", _CARE, "Who acts in which role, what each may do and spend, and whether it answers."
    ),
    "policy": Entry("commands.policy", _CARE, "What policy says, and what another would have decided."),
}


class OnDemand(TyperGroup):
    """Lists every command by its one-line help, and loads only the one that is typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, at in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=at.line, rich_help_panel=at.panel)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # the shape is the library's
        """The real command; None: there is none of that name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def invoke(self, ctx: Any) -> Any:
        """Run what was typed; of what it lacks, all is named at once."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as problem:
            raise _with_all_that_is_missing(problem) from None

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # as above
        """In the order of the table."""
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The overview shows each command's line, and loads none of them."""
        TyperGroup(
            name=self.name,
            commands=dict(self.commands),
            params=self.params,
            help=self.help,
            epilog=self.epilog,
            rich_markup_mode="rich",
        ).format_help(ctx, formatter)


def _with_all_that_is_missing(problem: typer.BadParameter) -> typer.BadParameter:
    """The same; where an option is missing (the library names the first one), with each that is, and what it means."""
    ctx: Any = problem.ctx
    param = problem.param
    # Whatever was given was read before the first that was not.
    if ctx is None or param is None or not param.required or ctx.params.get(param.name) or problem.message:
        return problem
    lacking = [each for each in ctx.command.params if each.required and ctx.params.get(each.name) in (None, ())]
    meaning = [each.get_help_record(ctx) for each in lacking]
    told = [f"  {named}: {explanation.removesuffix('[required]').strip()}" for named, explanation in meaning]
    problem.message = "\n".join(["", *told, *filter(None, [ctx.command.epilog])])
    # In place of the kind and the name of the first one.
    missing: Any = problem
    missing.param, missing.param_type = None, joined([each.get_error_hint() for each in lacking])
    return problem


def load(name: str) -> Any:
    """Import a command: its module holds an ``app`` of several, or a function of its name, and its examples.

    Where Python reserves that (``try``), the function has the module's.
    """
    place = COMMANDS[name].module
    module = import_module(place)
    group = getattr(module, "app", None)
    if group is not None:
        # Not as a program of its own: that would offer options that install completion.
        command: Any = get_group(group)
    else:
        alone = typer.Typer(add_completion=False)
        examples = getattr(module, "EPILOG", None)
        alone.command(name, epilog=examples.get(name) if isinstance(examples, dict) else examples)(
            getattr(module, name, None) or getattr(module, place.rpartition(".")[2])
        )
        command = get_command(alone)
    command.name = name
    return command


def build_app() -> typer.Typer:
    """Every command, under its heading."""
    app = typer.Typer(
        cls=OnDemand,
        help="Runs coding agents on your repositories every day, and stops, explains and resumes them safely.",
        epilog=_epilog(),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    return app


def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected failure.")] = False,
) -> None:
    # Imported here: it knows how every failure is told, and --help needs none of that.
    from commands.terminal import tracebacks  # noqa: PLC0415

    tracebacks.wanted = debug


def _epilog() -> str:
    shown = [status for status in Exit if status not in {Exit.TROUBLE, Exit.USAGE, Exit.INTERRUPTED}]
    table = " · ".join(f"{status.value} {status.name.lower().replace('_', ' ')}" for status in shown)
    return f"Exit statuses: {table}. The README says what each means."

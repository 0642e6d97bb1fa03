"""``try``: one DRY_RUN with an agent on one task; nothing is written, everything is shown."""

from typing import Annotated

import typer

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.run import carry_out, known_target_name
from commands.terminal import AsJson, Embedded, Within, guarded, operator_name
from composition import compose
from contracts.admission import RunRequest
from contracts.asked import PersonsTask
from contracts.modes import Mode
from policies.task.asked import NOBODY, agent_codes
from settings import Settings

EPILOG = (
    "Examples: `starter.py try demo --issue 42` · "
    '`starter.py try demo --task "Handle an empty basket" --with-test --agent codex --embedded`'
)


@guarded
async def try_agent(
    target: Annotated[str, typer.Argument(help="A target of the policy folder; `policy check` lists them.")],
    task: Annotated[str, typer.Option("--task", help="The task, in words; or --issue.")] = "",
    issue: Annotated[
        int | None, typer.Option("--issue", min=1, help="The number of an open issue with the target's label.")
    ] = None,
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="A row of trials in charter.toml; default: who codes.")
    ] = "",
    with_test: Annotated[
        bool,
        typer.Option("--with-test", help="With --task: it counts only with a test that is red without the change."),
    ] = False,
    in_process: Embedded = False,
    within: Within = None,
    as_json: AsJson = False,
) -> int:
    """Try an agent on one task in a DRY_RUN: its diff, checks, cost and transcript on a page; nothing is written.

    It is a run like any other: admitted, gated, paused, paid and audited. Its page is named at the end.
    """
    settings = Settings()
    if bool(task.strip()) == (issue is not None):
        raise CommandFailed(Exit.USAGE, "say what to try: --task in words, or --issue with a number; one of the two")
    persons_task = PersonsTask(text=task.strip(), issue=issue or 0, agent=agent, with_test=with_test and not issue)
    request = RunRequest(
        target=known_target_name(settings, target),
        mode=Mode.DRY_RUN,
        again=True,
        actor=operator_name(),
        asked=persons_task,
    )
    policy = compose(settings).policies.effective(request.target)
    if not agent_codes(policy, persons_task):
        trials = ", ".join(sorted(policy.charter.trials)) or "none"
        unknown = f"no [trials.{agent}] in charter.toml; known: {trials}" if agent else NOBODY
        raise CommandFailed(Exit.USAGE, unknown)
    if issue and policy.target.issues is None:
        raise CommandFailed(Exit.USAGE, f"targets/{request.target}.toml has no [issues] with the label of such issues")
    return await carry_out(settings, request, within, as_json, in_process=in_process)

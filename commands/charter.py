"""``charter``: who acts in which role, what each may do and spend, and whether it can be reached."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import Adapters, compose
from contracts.modes import Role
from policies.agents.charter import may_do
from policies.counted import counted
from policies.settings.charter import PAID_BY_EXCHANGE, Charter, RolePolicy
from policies.settings.schema import EffectivePolicy
from reporting.wording import visible
from settings import Settings

app = typer.Typer(
    help="Who acts in which role, what each may do and spend, and whether it answers.", no_args_is_help=True
)
TargetName = Annotated[str, typer.Argument(help="A target, by whose files the rest is read; default: the first.")]


@app.command("show")
@guarded
def show_charter(target: TargetName = "", as_json: AsJson = False) -> int:
    """Each role: backend, model or program, money, tokens and time of a step, hosts, and what it is allowed to do."""
    policy = _policy(compose(Settings()), target)
    if as_json:
        emit({"target": policy.target.name, "roles": [_stated(role, policy) for role in policy.charter.roles]})
        return Exit.OK
    for role, said in policy.charter.roles.items():
        show(f"{role.value}: {_who(said)}", "bold")
        show(f"  {may_do(role, said)}")
        if said.backend in PAID_BY_EXCHANGE:
            for line in _bounds(said, policy.charter):
                show(f"  {visible(line)}")
    return Exit.OK


@app.command()
@guarded
def check(target: TargetName = "", as_json: AsJson = False) -> int:
    """Ask each role's model one short question, for a cent at most a role, and say what came of it.

    It asks as a run would: through the gateway, with the key of this shell's environment. It is in no budget's books:
    no run asks, you do, and what it cost is shown.
    """
    from composition import try_role  # noqa: PLC0415  # the gateway, for who tries

    policy = _policy(compose(Settings()), target)
    asking = [role for role, said in policy.charter.roles.items() if said.backend in PAID_BY_EXCHANGE]
    found = {role: try_role(policy, role) for role in asking}
    if as_json:
        emit({"roles": {role.value: asdict(tried) | {"mayDo": may_do(role, policy.charter.roles[role])}
                        for role, tried in found.items()}})  # fmt: skip
        return Exit.OK if all(each.ok for each in found.values()) else Exit.TROUBLE
    if not found:
        say("no role asks a model: every one is played by the tools, and costs nothing")
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("role", "model", "", "cost", "seconds", "what came of it"):
        table.add_column(title, overflow="fold")
    for role, tried in found.items():
        cost = f"{'at most ' * tried.bound}{tried.usd:.4f} USD"
        cells = (role.value, tried.model, "ok" if tried.ok else "not ok", cost, f"{tried.seconds:.1f}", tried.said)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out.print(table)
    for role in found:
        show(f"{role.value}: {may_do(role, policy.charter.roles[role])}")
    return Exit.OK if all(each.ok for each in found.values()) else Exit.TROUBLE


def _policy(adapters: Adapters, target: str) -> EffectivePolicy:
    names = adapters.policies.names()
    if not (target or names):
        raise CommandFailed(Exit.USAGE, "there is no target yet; make one: starter.py init <path-or-url>")
    return adapters.policies.effective(target or names[0])


def _who(said: RolePolicy) -> str:
    if said.backend not in PAID_BY_EXCHANGE:
        return said.backend
    program = said.agent or " ".join(said.argv)
    return f"{said.backend} {program}".strip() + f", {', '.join(said.models)} at {said.provider}"


def _bounds(said: RolePolicy, charter: Charter) -> list[str]:
    provider = charter.providers[said.provider]
    key = f"key from {provider.key_variable}" if provider.key_variable else "no key"
    step = f"a step: at most {said.usd:g} USD, {said.tokens} tokens, {counted(said.minutes, 'minute')}"
    lines = [
        f"{step}; an answer: at most {said.output_tokens} tokens",
        f"asks {provider.url} ({provider.dialect if said.backend == 'model' else 'as the program speaks'}), {key}",
    ]
    if said.hosts:
        lines.append(f"may also reach {', '.join(said.hosts)}")
    if said.shown:
        lines.append(f"is shown, as data: {', '.join(said.shown)}")
    if said.rounds:
        lines.append(f"up to {counted(said.rounds, 'round')} after failing checks or review remarks")
    return lines


def _stated(role: Role, policy: EffectivePolicy) -> dict[str, Any]:
    said = policy.charter.roles[role]
    return {"role": role.value, **said.model_dump(mode="json"), "mayDo": may_do(role, said)}

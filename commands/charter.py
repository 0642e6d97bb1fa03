"""``charter``: who acts in which role, what each may do and spend, and whether it can be reached."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, NamedTuple

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
    help="Who acts in which role, what each may do and spend, and whether it answers.",
    no_args_is_help=True,
)
TargetName = Annotated[str, typer.Argument(help="A target, by whose files the rest is read; default: the first.")]


class Player(NamedTuple):
    """Who plays a role, or may be tried in the one that codes."""

    name: str
    role: Role
    said: RolePolicy


@app.command("show")
@guarded
def show_charter(target: TargetName = "", as_json: AsJson = False) -> int:
    """Each role: backend, model or program, money, tokens and time of a run, hosts, and what it is allowed to do."""
    policy = _policy(compose(Settings()), target)
    if as_json:
        emit({"target": policy.target.name, "roles": [_stated(each) for each in _players(policy.charter)]})
        return Exit.OK
    for name, role, said in _players(policy.charter):
        show(f"{name}: {_who(said)}", "bold")
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
    no run asks, you do, and what it cost is shown. Of a program it is also looked at whether it is installed.
    """
    from composition import try_role  # noqa: PLC0415  # the gateway, for who tries

    adapters = compose(Settings())
    policy = _policy(adapters, target)
    asking = [each for each in _players(policy.charter) if each.said.backend in PAID_BY_EXCHANGE]
    here = adapters.installer.installed() if any(each.said.agent for each in asking) else {}
    found = [(each, try_role(policy, each.said), _missing(each.said, here)) for each in asking]
    ok = all(tried.ok and not missing for _, tried, missing in found)
    if as_json:
        emit({"roles": {player.name: asdict(tried) | {"ok": tried.ok and not missing, "missing": missing,
                                                      "mayDo": may_do(player.role, player.said)}
                        for player, tried, missing in found}})  # fmt: skip
        return Exit.OK if ok else Exit.TROUBLE
    if not found:
        say("no role asks a model: every one is played by the tools, and costs nothing")
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("role", "model", "", "cost", "seconds", "what came of it"):
        table.add_column(title, overflow="fold")
    for player, tried, missing in found:
        cost = f"{'at most ' * tried.bound}{tried.usd:.4f} USD"
        good = "ok" if tried.ok and not missing else "not ok"
        said = "; ".join(filter(None, (tried.said, missing)))
        cells = (player.name, tried.model, good, cost, f"{tried.seconds:.1f}", said)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out.print(table)
    for player, _, _ in found:
        show(f"{player.name}: {may_do(player.role, player.said)}")
    return Exit.OK if ok else Exit.TROUBLE


def _players(charter: Charter) -> list[Player]:
    roles = [Player(role.value, role, said) for role, said in charter.roles.items()]
    return roles + [Player(f"trial {name}", Role.CODING, said) for name, said in charter.trials.items()]


def _missing(said: RolePolicy, here: Mapping[str, str]) -> str:
    """Of a recipe that is not installed where this installs them; a folder of one's own is one's own."""
    if not said.agent or said.folder or said.agent in here:
        return ""
    return f"{said.agent} is not installed: starter.py agents install {said.agent}"


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
    run = f"a run: at most {said.usd:g} USD, {said.tokens} tokens, {counted(said.minutes, 'minute')}"
    lines = [
        f"{run}; an answer: at most {said.output_tokens} tokens",
        f"asks {provider.url} ({provider.dialect if said.backend == 'model' else 'as the program speaks'}), {key}",
    ]
    if said.hosts:
        lines.append(f"may also reach {', '.join(said.hosts)}")
    if said.shown:
        lines.append(f"is shown, as data: {', '.join(said.shown)}")
    if said.rounds:
        lines.append(f"up to {counted(said.rounds, 'round')} after failing checks or review remarks")
    return lines


def _stated(player: Player) -> dict[str, Any]:
    said = player.said.model_dump(mode="json")
    return {"role": player.name, **said, "mayDo": may_do(player.role, player.said)}

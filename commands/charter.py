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
    for name, role, role_policy in _players(policy.charter):
        show(f"{name}: {_who(role_policy)}", "bold")
        show(f"  {may_do(role, role_policy)}")
        if role_policy.backend in PAID_BY_EXCHANGE:
            for line in _bounds(role_policy, policy.charter):
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
        text = "; ".join(filter(None, (tried.said, missing)))
        cells = (player.name, tried.model, good, cost, f"{tried.seconds:.1f}", text)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    out.print(table)
    for player, _, _ in found:
        show(f"{player.name}: {may_do(player.role, player.said)}")
    return Exit.OK if ok else Exit.TROUBLE


def _players(charter: Charter) -> list[Player]:
    roles = [Player(role.value, role, role_policy) for role, role_policy in charter.roles.items()]
    return roles + [Player(f"trial {name}", Role.CODING, role_policy) for name, role_policy in charter.trials.items()]


def _missing(role_policy: RolePolicy, here: Mapping[str, str]) -> str:
    """Of a recipe that is not installed where this installs them; a folder of one's own is one's own."""
    if not role_policy.agent or role_policy.folder or role_policy.agent in here:
        return ""
    return f"{role_policy.agent} is not installed: starter.py agents install {role_policy.agent}"


def _policy(adapters: Adapters, target: str) -> EffectivePolicy:
    names = adapters.policies.names()
    if not (target or names):
        raise CommandFailed(Exit.USAGE, "there is no target yet; make one: starter.py init <path-or-url>")
    return adapters.policies.effective(target or names[0])


def _who(role_policy: RolePolicy) -> str:
    if role_policy.backend not in PAID_BY_EXCHANGE:
        return role_policy.backend
    program = role_policy.agent or " ".join(role_policy.argv)
    return f"{role_policy.backend} {program}".strip() + f", {', '.join(role_policy.models)} at {role_policy.provider}"


def _bounds(role_policy: RolePolicy, charter: Charter) -> list[str]:
    provider = charter.providers[role_policy.provider]
    key = f"key from {provider.key_variable}" if provider.key_variable else "no key"
    dialect = provider.dialect if role_policy.backend == "model" else "as the program speaks"
    run = (
        f"a run: at most {role_policy.usd:g} USD, {role_policy.tokens} tokens, {counted(role_policy.minutes, 'minute')}"
    )
    lines = [
        f"{run}; an answer: at most {role_policy.output_tokens} tokens",
        f"asks {provider.url} ({dialect}), {key}",
    ]
    if role_policy.hosts:
        lines.append(f"may also reach {', '.join(role_policy.hosts)}")
    if role_policy.shown:
        lines.append(f"is shown, as data: {', '.join(role_policy.shown)}")
    if role_policy.rounds:
        lines.append(f"up to {counted(role_policy.rounds, 'round')} after failing checks or review remarks")
    return lines


def _stated(player: Player) -> dict[str, Any]:
    fields = player.said.model_dump(mode="json")
    return {"role": player.name, **fields, "mayDo": may_do(player.role, player.said)}

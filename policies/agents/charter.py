"""What a charter may say of agents: refused at load where it is over-broad or contradicts itself (P6, P9)."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from contracts.modes import Role
from policies.counted import joined
from policies.paths.canonical import hostile_name
from policies.paths.rules import matches
from policies.settings.charter import PAID_BY_EXCHANGE, Charter, RolePolicy
from policies.settings.schema import CapSettings, ProtectedPaths
from policies.settings.section import nearest
from policies.settings.tightening import Fault

PLAYED_BY = {
    "model": (Role.TRIAGING, Role.PLANNING, Role.REVIEW, Role.SCOUT, Role.SOURCE_QA),
    "command": (Role.CODING,),
}
"""The roles that each backend of others' making may play. All others measure, judge by rules or write."""

_MAY = {
    ("model", Role.TRIAGING): "it may rank and leave out ideas that tools measured; it finds none",
    ("model", Role.PLANNING): "it may pick an idea and narrow its contract; it widens none",
    ("model", Role.REVIEW): "it may block a change that our own comparison let through; it releases none",
    ("model", Role.SCOUT): "it may name addresses for a person to look at; nothing of it is fetched",
    ("model", Role.SOURCE_QA): "it may stop a promotion that every gate let through; it promotes nothing",
}

_MOST_MINUTES = {Role.TRIAGING: 15, Role.PLANNING: 15, Role.REVIEW: 25}
"""A step has 20, 30 or, of the others, 60 minutes (``activities.api``); one that is cut off is tried and paid again."""
_USUALLY = 45
_OF_THE_MACHINE = frozenset({"boot", "dev", "etc", "proc", "run", "sys"})
Priced = Callable[[str, str, int], float | None]
"""USD for so many output tokens of a model at a provider's address; None: nobody knows its price."""


@dataclass(frozen=True)
class Known:
    """What tables outside of the policy know."""

    recipes: Collection[str] = ()
    prompts: Collection[str] = ()
    priced: Priced = lambda _url, _model, _tokens: None
    """Where the charter itself has no ``[prices]`` of a model."""


def charter_faults(charter: Charter, protected: ProtectedPaths, caps: CapSettings, known: Known) -> Iterator[Fault]:
    """Everything that forbids a charter, beyond its shape.

    Rules, in order: plain http only to this machine · an agent plays only what may be an agent's part · it has a
    provider, models with a price, and money for one exchange within the caps · only a program has a recipe or argv
    (one of the two), hosts and shown files · its folder is its own · a host is neither this network's nor the model's
    own · rounds and prompts are of who can use them · who reviews is not who codes.
    """
    for name, provider in charter.providers.items():
        if problem := _address_problem(provider.url):
            yield Fault("charter", ("providers", name, "url"), problem)
    for role, role_policy in charter.roles.items():
        for key, problem in _role_problems(role, role_policy, charter, protected, caps, known):
            yield Fault("charter", ("roles", role.value, *((key,) if key else ())), problem)
    for name, role_policy in charter.trials.items():
        for key, problem in _role_problems(Role.CODING, role_policy, charter, protected, caps, known):
            yield Fault("charter", ("trials", name, *((key,) if key else ())), problem)
    yield from _not_independent(charter)


def may_do(role: Role, role_policy: RolePolicy) -> str:
    """What a role is allowed to do, in one sentence for a person."""
    if role_policy.backend == "command":
        reach = f"the model and {', '.join(role_policy.hosts)}" if role_policy.hosts else "nothing but the model"
        words = "it may edit files in a copy of the base, in a sandbox that reaches"
        return f"{words} {reach}; what leaves its contract, or is protected, is refused"
    return _MAY.get((role_policy.backend, role), "our own tools and rules; it asks no model and costs nothing")


def _address_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"{url!r} is no address; write https://host or https://host:port"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"plain http would send the key readably to {host}; use https, or a server on this machine"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


_Problems = Iterator[tuple[str, str]]


def _role_problems(
    role: Role, role_policy: RolePolicy, charter: Charter, protected: ProtectedPaths, caps: CapSettings, known: Known
) -> _Problems:
    if role_policy.backend not in PAID_BY_EXCHANGE:
        yield from _without_agent(role_policy)
        return
    if role not in PLAYED_BY[role_policy.backend]:
        yield "backend", _not_its_part(role, role_policy.backend)
        return
    if not role_policy.provider:
        yield "provider", f"must be set: the name of a [providers] table that {role_policy.backend!r} asks"
    elif role_policy.provider not in charter.providers:
        named = ", ".join(sorted(charter.providers)) or "none is there"
        yield "provider", f"no [providers.{role_policy.provider}]; known: {named}"
    if role_policy.minutes > (most := _MOST_MINUTES.get(role, _USUALLY)):
        problem = f"{role_policy.minutes} minutes do not fit into the time of its step, with what is measured there"
        yield "minutes", f"{problem}; at most {most}"
    yield from _money(role_policy, charter, caps, known)
    yield from (
        _program(role_policy, charter, protected, known)
        if role_policy.backend == "command"
        else _no_program(role_policy)
    )
    if role_policy.rounds and role is not Role.CODING:
        yield "rounds", "only coding has rounds; take it out here"
    if role_policy.backend == "model" and role_policy.prompt and role_policy.prompt not in known.prompts:
        yield (
            "prompt",
            f"no prompt is named {role_policy.prompt!r}; known: {', '.join(sorted(known.prompts)) or 'none'}",
        )


_OF_AGENTS = ("provider", "models", "agent", "argv", "folder", "hosts", "shown", "prompt", "rounds")


def _without_agent(role_policy: RolePolicy) -> _Problems:
    for key in _OF_AGENTS:
        if getattr(role_policy, key):
            problem = f"{role_policy.backend!r} asks no agent; take it out, or name the backend"
            yield key, f"{problem} command or model"


def _not_its_part(role: Role, backend: str) -> str:
    others = [name for name, roles in PLAYED_BY.items() if role in roles]
    if others:
        why = (
            "a model only answers, and who codes edits files" if backend == "model" else "it gives an answer, no change"
        )
        return f"{role.value} is not for {backend!r} ({why}); use {others[0]!r} or 'tools'"
    return f"{role.value} is no agent's part: it measures, or decides by rules; leave it to 'tools'"


def _money(role_policy: RolePolicy, charter: Charter, caps: CapSettings, known: Known) -> _Problems:
    if not role_policy.models:
        yield "models", "must name at least one model that may be asked"
    if repeated := sorted({name for name in role_policy.models if role_policy.models.count(name) > 1}):
        yield "models", f"names {repeated[0]!r} twice"
    if role_policy.output_tokens > role_policy.tokens:
        problem = f"{role_policy.tokens} tokens do not hold one answer of output_tokens = {role_policy.output_tokens}"
        yield "tokens", f"{problem}, so nothing would be asked; raise tokens or lower output_tokens"
    for model in role_policy.models:
        price = charter.prices.get(model)
        free = price is not None and not (price.input or price.output)
        if price is not None:
            one_answer: float | None = role_policy.output_tokens * price.output / 1e6
        else:
            provider = charter.providers.get(role_policy.provider)
            one_answer = known.priced(provider.url, model, role_policy.output_tokens) if provider else 0.0
        if one_answer is None:
            yield "models", f'no price is known of {model!r}; add [prices."{model}"] with input and output'
        elif not free and one_answer >= role_policy.usd:
            problem = (
                f"one answer of {model!r} may cost {one_answer:.4g} USD, and the step may cost {role_policy.usd:g}"
            )
            yield "usd", f"{problem}: nothing would be asked; raise usd or lower output_tokens"
    for key, cap in (("usd", "usd_per_run"), ("tokens", "tokens_per_run"), ("minutes", "agent_minutes_per_run")):
        value, most = getattr(role_policy, key), getattr(caps, cap)
        if value > most:
            yield key, f"{value} is more than a whole run may take (caps.{cap} = {most}); lower it, or raise the cap"


def _no_program(role_policy: RolePolicy) -> _Problems:
    for key in ("agent", "argv", "folder", "hosts", "shown"):
        if getattr(role_policy, key):
            yield key, 'is for a program (backend = "command"); a model reaches nothing and runs nothing: take it out'


def _program(role_policy: RolePolicy, charter: Charter, protected: ProtectedPaths, known: Known) -> _Problems:
    if role_policy.agent and role_policy.argv:
        yield "argv", f"agent = {role_policy.agent!r} brings its own; keep one of the two"
    elif not (role_policy.agent or role_policy.argv):
        yield "agent", "must be set: a recipe, or argv with a program of your own"
    if role_policy.agent and role_policy.agent not in known.recipes:
        yield "agent", f"{role_policy.agent!r} is no recipe; {nearest(role_policy.agent, known.recipes)}"
    if role_policy.folder and (problem := _folder_problem(role_policy.folder)):
        yield "folder", problem
    for host in role_policy.hosts:
        if problem := _host_problem(host, [each.url for each in charter.providers.values()]):
            yield "hosts", f"{host} {problem}"
    if role_policy.prompt:
        yield "prompt", "is for a model; what a program is told is its task: take it out"
    for path in role_policy.shown:
        if path.startswith("/") or hostile_name(path):
            yield "shown", f"{path!r} is no path inside the repository"
        elif rule := next((rule for rule in protected.protected if matches(path, rule.patterns)), None):
            yield "shown", f"{path!r} is protected ({rule.reason}); no agent is shown it: take it out"


def _folder_problem(folder: str) -> str:
    """It is shown to a program that reads everything in it, and tells a model what it read."""
    place = PurePosixPath(folder)
    if not place.is_absolute() or ".." in place.parts:
        return f"{folder!r} must be a whole path, from / on, without .."
    top = place.parts[1] if len(place.parts) > 1 else ""
    broad = len(place.parts) < (4 if top == "home" else 3)
    if broad or top in _OF_THE_MACHINE:
        return (
            f"{folder!r} holds more than an agent's program, and all of it would be shown: name the agent's own folder"
        )
    return ""


def _host_problem(host_and_port: str, providers: Collection[str]) -> str:
    host, _, port = host_and_port.rpartition(":")
    host = host.lower().rstrip(".")
    if not 0 < int(port) < 65536:  # noqa: PLR2004
        return "has no port that exists"
    try:
        inner = not ip_address(host).is_global
    except ValueError:
        inner = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    if inner:
        return "is this machine or its own network, which no agent may reach; take it out"
    if host in map(_host_of, providers):
        return "is where the model answers: it is reached by our gateway alone; take it out"
    return ""


_EDITION = re.compile(r"([-@:](latest|20\d{6}|20\d\d-\d\d-\d\d|free|beta|nitro|v\d+(:\d+)?))+$")


def _model_meant(name: str) -> str:
    """A name without what routers and providers put around it: who made it, its date, how it is served."""
    return _EDITION.sub("", name.rpartition("/")[2].lower()).replace(".", "-")


def _not_independent(charter: Charter) -> Iterator[Fault]:
    """Review is another model than coded, or than is tried; else it would vote for itself (P6)."""
    reviewer = charter.roles.get(Role.REVIEW)
    if reviewer is None:
        return
    coders = {("roles", Role.CODING.value): charter.roles.get(Role.CODING)}
    for key, role_policy in (
        coders | {("trials", name): role_policy for name, role_policy in charter.trials.items()}
    ).items():
        coding = {_model_meant(model) for model in role_policy.models} if role_policy else set[str]()
        if shared := [model for model in reviewer.models if _model_meant(model) in coding]:
            problem = f"{joined(shared)} may also code ({'.'.join(key)}); who reviews must be another model"
            yield Fault("charter", ("roles", Role.REVIEW.value, "models"), f"{problem}: name one, or review by 'tools'")

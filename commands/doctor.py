"""``doctor``: what is missing, and what to do about it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from commands.alerts import alerts_view
from commands.conversations import has_worker
from commands.exit_statuses import Exit
from commands.failures import NoAnswer, Unreadable
from commands.home import client_of
from commands.sights import open_controls, registered, sight_installation, sight_targets
from commands.terminal import AsJson, emit, guarded, say, show
from composition import (
    Adapters,
    HomeUnusable,
    ServerUnavailable,
    compose,
    forge_checkup,
    open_forge,
    open_home,
    open_repository,
    retention,
)
from contracts.forge_facts import AccessFinding
from policies.counted import counted
from policies.release.ci import heard
from policies.release.ci_findings import CiSight, look_at_ci
from policies.run.strangers import OURS
from policies.settings.charter import Charter
from policies.settings.schema import Target
from policies.settings.tasks import Tasks
from ports.environments import EnvironmentUnavailable
from ports.forge import ForgeError
from ports.policy_source import PolicyError
from ports.repository import RepositoryError
from ports.sandbox import SandboxUnavailable
from settings import Settings
from workflows.api import SEARCH_ATTRIBUTES

_PYTHON = (3, 11)
_GIT = (2, 38)
_RETENTION = timedelta(days=90)
_DISK = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@guarded
async def doctor(
    target: Annotated[str, typer.Argument(help="Only this target, its check environment on the base, too.")] = "",
    as_json: AsJson = False,
) -> int:
    """Look at everything a run needs: tools, sandbox, server, worker, policy, disk.

    Exit status 1 when something is not ok; each line says what to do. With a target: its forge, mirror and base, and
    whether its check environment can be made on the base; if not, why, and what changed since it last worked.
    """
    adapters = compose(Settings())
    if target:
        findings = list(_target(adapters, target))
    else:
        findings = [*_machine(adapters), *_policies(adapters)]
        findings += [Finding(*found) for found in channel_findings(adapters)]
        findings += [finding async for finding in _server(adapters)]
    sick = [finding for finding in findings if not finding.ok]
    if as_json:
        emit({"ok": not sick, "findings": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            show(
                f"{'ok    ' if finding.ok else 'not ok'}  {finding.name:<18} {finding.detail}",
                "" if finding.ok else "red",
            )
            if not finding.ok:
                show(f"        {finding.remedy}")
        say("everything is ok" if not sick else f"{len(sick)} of {len(findings)} are not ok")
    return Exit.TROUBLE if sick else Exit.OK


def _machine(adapters: Adapters) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= _PYTHON, python, "use Python 3.11 or newer, then `make setup`")
    yield _git()
    verdict = adapters.sandbox.self_test()
    broken = "; ".join(child.rule for child in verdict.children if not child.allowed)
    remedy = "allow unprivileged user namespaces, or install the package `bubblewrap`; without a sandbox nothing runs"
    yield Finding("sandbox", verdict.allowed, f"{adapters.sandbox.name}: {broken or verdict.reason}", remedy)
    home = adapters.settings.home
    try:
        open_home(home)
    except HomeUnusable as unusable:
        yield Finding("home", ok=False, detail=str(unusable), remedy="set AUTONOMY_HOME to a folder of your own")
        return
    free = shutil.disk_usage(home).free
    yield Finding(
        "disk", free >= _DISK, f"{free >> 20} MiB free in {home}", "free at least 1 GiB, or move AUTONOMY_HOME"
    )


def _git() -> Finding:
    remedy = f"install git {_GIT[0]}.{_GIT[1]} or newer"
    try:
        version = subprocess.run(
            ["git", "version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as problem:
        return Finding("git", ok=False, detail=str(problem), remedy=remedy)
    found = re.search(r"(\d+)\.(\d+)", version)
    return Finding("git", found is not None and (int(found[1]), int(found[2])) >= _GIT, version, remedy)


def _policies(adapters: Adapters) -> Iterator[Finding]:
    folder, names = adapters.settings.policies, adapters.policies.names()
    yield Finding(
        "policy folder",
        folder.is_dir() and bool(names),
        f"{folder}, {counted(len(names), 'target')}",
        "set AUTONOMY_POLICIES, or make a target: starter.py init <path-or-url>",
    )
    charters: list[Charter] = []
    standing = Tasks()
    for name in names:
        try:
            policy = adapters.policies.effective(name)
        except PolicyError as problem:
            yield Finding(
                f"target {name}", ok=False, detail=str(problem), remedy="correct the file: starter.py policy check"
            )
        else:
            checked = bool(policy.target.checks)
            yield Finding(
                f"target {name}",
                ok=checked,
                detail=f"policy {policy.digest[:12]}" if checked else "no required check: every run of it is refused",
                remedy="write what its own CI runs into [[checks]] of its file, at least one of kind `tests`",
            )
            yield from (Finding(*found) for found in target_findings(adapters, policy.target))
            charters.append(policy.charter)
            standing = policy.standing
    # One charter is every target's, and so are the standing tasks.
    yield from _agents(adapters, charters[:1])
    for task in standing.tasks:
        for unknown in sorted({*task.targets} - {*names}):
            detail = f"no targets/{unknown}.toml: nobody looks after it there; known: {', '.join(names)}"
            yield Finding(f"task {task.name}", ok=False, detail=detail, remedy="correct `targets` in tasks.toml")


def _agents(adapters: Adapters, charters: list[Charter]) -> Iterator[Finding]:
    """The programs that a charter names, as far as we install them."""
    role_policies = [each for charter in charters for each in (*charter.roles.values(), *charter.trials.values())]
    for name in sorted({each.agent for each in role_policies if each.agent and not each.folder}):
        missing = adapters.installer.missing(name)
        detail = missing or adapters.installer.installed()[name]
        yield Finding(f"agent {name}", not missing, detail, f"install it: starter.py agents install {name}")


def _target(adapters: Adapters, name: str) -> Iterator[Finding]:
    policy = adapters.policies.effective(name)
    yield from (Finding(*found) for found in target_findings(adapters, policy.target))
    row = f"{name} environment"
    try:
        repository = open_repository(adapters.settings, policy.target)
        base = repository.fetch_base()
        made = adapters.environments.prepare(repository, base, policy, lambda: None)
    except (EnvironmentUnavailable, RepositoryError, SandboxUnavailable) as problem:
        reason, _, output = str(problem).partition("\n")
        last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
        remedy = f"settle that in [environment] of targets/{name}.toml, or on the base" + (
            f"; it said: {last}" if last else ""
        )
        yield Finding(row, ok=False, detail=reason, remedy=remedy)
    else:
        yield Finding(row, ok=True, detail="; ".join((f"{made.digest[:12]} of {base[:12]}", *made.notes)))


async def _server(adapters: Adapters) -> AsyncIterator[Finding]:
    start = "start one: starter.py up"
    try:
        client = await client_of(adapters.settings)
    except ServerUnavailable as absent:
        yield Finding("server", ok=False, detail=str(absent), remedy=start)
        return
    yield Finding("server", ok=True, detail=f"{client.service_client.config.target_host}, namespace {client.namespace}")
    yield await _retention(client)
    yield await _search_attributes(client)
    worked = await has_worker(client)
    detail = "one asks for work" if worked else "none asked for work lately"
    yield Finding("worker", worked, detail, "start one: starter.py up, or python -m worker")
    if worked:
        async for found in control_findings(client, adapters.policies.names()):
            yield Finding(*found)
        async for found in delivery_findings(client):
            yield Finding(*found)


async def _retention(client: Client) -> Finding:
    try:
        kept = await retention(client)
    except RPCError as problem:
        return Finding(
            "retention", ok=False, detail=problem.message, remedy="allow this client to describe the namespace"
        )
    remedy = (
        f"a worker sets it when it starts; by hand: temporal operator namespace update --retention {_RETENTION.days}d"
    )
    return Finding("retention", kept >= _RETENTION, f"closed runs are kept {kept.days} days", remedy)


async def _search_attributes(client: Client) -> Finding:
    remedy = "a worker registers them when it starts; by hand: temporal operator search-attribute create"
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as problem:
        return Finding("search attributes", ok=False, detail=problem.message, remedy=remedy)
    missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in listed.custom_attributes]
    detail = f"missing: {', '.join(missing)}" if missing else f"all {len(SEARCH_ATTRIBUTES)} are there"
    return Finding("search attributes", not missing, detail, remedy)


# What ``doctor`` says about alerts: the file, each channel's variable, and whether the watch looks.

Found = tuple[str, bool, str, str]
"""Name, whether it is all right, detail, remedy."""
_LOOKS = 3


def channel_findings(adapters: Adapters) -> Iterator[Found]:
    """Check the configuration. No URL is shown or tried: `alerts test` does that, from the worker."""
    name = "alerts.toml"
    try:
        policy = adapters.policies.alerts()
    except PolicyError as problem:
        yield name, False, str(problem), "correct the file; until then alerts reach the file and the terminal only"
        return
    there = (adapters.settings.policies / name).exists()
    plain = "alerts.jsonl" + (" and terminal" if policy.delivery.terminal else "")
    more = f", {counted(len(policy.channels), 'channel')}" if there else "; there is no file, so no more channels"
    yield name, True, f"{plain}{more}", ""
    for channel in policy.channels:
        there = bool(os.environ.get(channel.url_env, "").strip())
        kinds = f"{counted(len(channel.kinds), 'kind')}" if channel.kinds else "all kinds"
        detail = f"{kinds}, {channel.url_env} is {'set here' if there else 'not set here'}"
        remedy = f"export {channel.url_env}=<apprise URL> where the worker runs, then `starter.py alerts test`"
        yield f"channel {channel.name}", there, detail, remedy


async def delivery_findings(client: Client) -> AsyncIterator[Found]:
    """Whether alerts get through, and whether somebody looks for what is missing."""
    name, remedy = "alerts", "see `starter.py alerts`; a worker starts the workflow `alerts` when it starts"
    try:
        view = await alerts_view(client)
    except NoAnswer:
        yield name, False, "nobody answers", "start a worker; if one runs, its log says why `alerts` stands still"
        return
    if view is None:
        yield name, False, "the workflow `alerts` does not run: nobody watches", remedy
        return
    late = [record.id for record in view.undelivered if record.attempts]
    detail = f"undelivered: {', '.join(late[:10])}" if late else "nothing waits for delivery"
    yield name, not late, detail, remedy
    patience = _LOOKS * timedelta(minutes=view.settings.watch_minutes) + timedelta(minutes=1)
    looked = view.watched_at is not None and datetime.now(UTC) - view.watched_at < patience
    seen = f"looked last at {view.watched_at:%Y-%m-%d %H:%M} UTC" if view.watched_at else "has not looked yet"
    yield "watch", looked, seen, "the worker's log says why the activity `watch` fails"


# What ``doctor`` says about the Installation and each target's Control: whether the brake answers there.

_AGAIN = "ask again; the worker's log says more"


async def control_findings(client: Client, names: Iterable[str]) -> AsyncIterator[Found]:
    """A finding for each target; one that does not answer does not hide the others."""
    installation = await sight_installation(client)
    if installation.problem is not None:
        remedy = installation.problem.remedy if isinstance(installation.problem, Unreadable) else _AGAIN
        yield "installation", False, str(installation.problem), remedy
    elif installation.view is None:
        gone = installation.ended.sentence() if installation.ended else "nothing has run here yet"
        yield "installation", installation.ended is None, gone, "start a worker: it starts the Installation again"
    else:
        yield "installation", True, f"{installation.view.status}, epoch {installation.view.epoch}", ""
    known = registered(installation) if installation.view else await open_controls(client)
    for name, seen in (await sight_targets(client, sorted(known.union(names)), known)).items():
        if seen.problem is not None:
            remedy = seen.problem.remedy if isinstance(seen.problem, Unreadable) else _AGAIN
            yield f"control {name}", False, str(seen.problem), remedy
        elif seen.view is not None:
            yield f"control {name}", True, f"{seen.view.status}, mode {seen.view.mode}", ""
        else:
            detail = f"its Control {seen.ended.sentence()}" if seen.ended else "not started: its first run opens it"
            yield f"control {name}", True, detail, ""


# What ``doctor`` says about each target's remote and forge. Tokens are read here, shown nowhere.

_LOOK_SECONDS = 60
"""A mirror whose check takes longer is reported as one that could not be read in time."""
_EARLIER = 6
"""How many commits, the base included, are searched for a CI result."""


def target_findings(adapters: Adapters, target: Target) -> Iterator[Found]:
    """The base branch, our mirror of it, and for a forge with an API: token, account, rights, protection."""
    base, rows = _base(adapters, target), forge_checkup(target)
    if base[1] or all(row.ok for row in rows):
        # Else the forge says what keeps us out, and git would only repeat it with less.
        yield base
    yield _mirror(adapters, target)
    for found in (*rows, *_ci(adapters, target)):
        yield f"{target.name} {found.name}", found.ok, found.detail, found.remedy


def _ci(adapters: Adapters, target: Target) -> Iterator[AccessFinding]:
    """Whether the forge's CI can ever say yes; nothing where the rows before this one say why it cannot be asked."""
    if target.forge == "local":
        return
    try:
        forge, mirror = open_forge(adapters.settings, target), open_repository(adapters.settings, target)
        base = mirror.fetch_base()
        looks = (forge.reported_checks(commit) for commit in mirror.line(base, _EARLIER))
        began = (tuple(check for check in look if heard(check)) for look in looks)
        sight = CiSight(
            target=target,
            demanded=forge.protection().required_checks,
            reported=next(filter(None, began), ()),
            paths=mirror.paths(base),
        )
    except (ForgeError, RepositoryError):
        return
    yield from look_at_ci(sight)


def _mirror(adapters: Adapters, target: Target) -> Found:
    name = f"{target.name} mirror"
    try:
        mirror = open_repository(adapters.settings, target)
        found = mirror.damage(_LOOK_SECONDS)
    except RepositoryError as problem:
        return name, False, str(problem), "mend `remote` in the target's file"
    remedy = f"nothing: the next step that meets it sets it aside as {mirror.aside.name} and fetches anew"
    kept = f"; a damaged one is kept as {mirror.aside}: remove it when you know why" if mirror.aside.exists() else ""
    return name, not found, (f"damaged: {found}" if found else f"whole, or not fetched yet{kept}"), remedy


def _base(adapters: Adapters, target: Target) -> Found:
    name = f"{target.name} base"
    try:
        mirror = open_repository(adapters.settings, target)
        heads, named = mirror.remote_heads(), mirror.default_branch()
    except (ForgeError, RepositoryError) as problem:
        return name, False, str(problem), "mend the remote, or `remote` in the target's file"
    elsewhere = f"; the remote's default branch is {named}" if named and named != target.base_branch else ""
    remedy = f'was it renamed? then set base_branch = "{named}"' if elsewhere else "set base_branch to one it has"
    if target.base_branch not in heads:
        return name, False, f"the remote has no branch {target.base_branch}{elsewhere}", remedy
    if (taken := OURS.rstrip("/")) in heads:
        keeps = f"a branch called {taken} keeps the remote from taking any of ours, which are {OURS}…"
        return name, False, keeps, "rename or remove it"
    # Working on another branch than the default one is a choice; it is said, so that nobody makes it unknowingly.
    return name, True, f"{target.base_branch} at {heads[target.base_branch][:12]}{elsewhere}", ""

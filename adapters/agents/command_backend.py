"""Any coding-agent program, in the sandbox: told by files, held by the gateway, judged by what it left (P6, P8, P9)."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from adapters.agents.backends import Means
from adapters.agents.installing import unlike
from adapters.agents.recipes.recipe import AGENT, HOME, PORT, Recipe, recipe_of
from adapters.agents.taken_out import TakenOut, fingerprints, place_in, take_out
from adapters.agents.task_folder import PLACE, QUESTION, fill, take_question
from adapters.environments import forwarder
from adapters.environments.allow_list import AllowListProxy, certificates
from adapters.sandbox.bubblewrap import Capture
from adapters.sandbox.enclosure import TREE
from adapters.sandbox.interpreter import interpreter_mounts
from adapters.secret_shapes import blanked
from contracts.exchange import AgentOutcome, AgentRecord
from contracts.task import TaskContract
from policies.agents.hidden import BEGINNING, CODE, is_private_key
from policies.agents.outcome import Ended, Stop, Work, halting, outcome_of, progress
from policies.digests import sha256_hex
from policies.paths.rules import matches, readable
from policies.settings.charter import RolePolicy
from ports.agents import AgentError, AgentStopped, Brief
from ports.models import ModelGateway, OpenGateway, Purse
from ports.removal import remove_tree
from ports.sandbox import Command, Instead, Limits, Sandbox, SandboxUnavailable

_FORWARDER = "/opt/autonomy/forwarder.py"
_SOCKET = "/opt/autonomy/model.sock"
_PROXY = "/opt/autonomy/proxy.sock"
_PROXY_PORT = 8118
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_CPU = 4
"""Processor seconds for each second of its time."""
_FILES = "@FILES@"
_MOST_NAMED = 1000


class _Halted(Exception):
    """The program is to be ended now."""

    def __init__(self, stop: Stop | None) -> None:
        super().__init__()
        self.stop = stop


@dataclass(frozen=True)
class CommandBackend:
    """The charter's program for one role."""

    said: RolePolicy
    sandbox: Sandbox
    gateway: OpenGateway
    agents: Path
    """Where ``starter.py agents install`` puts them."""

    @property
    def name(self) -> str:
        """With its version, for reports."""
        recipe = self._recipe
        return f"{self.said.agent} {recipe.version}" if recipe else Path(self.said.argv[0]).name

    @property
    def leaves(self) -> tuple[str, ...]:
        """What its program is known to leave."""
        return self._recipe.leaves if self._recipe else ()

    def calls(self, host: str) -> bool:
        """Whether its program is known to ask for it."""
        return any(fnmatchcase(host, each) for each in (self._recipe.calls if self._recipe else ()))

    @property
    def _recipe(self) -> Recipe | None:
        return recipe_of(self.said.agent) if self.said.agent else None

    def answer(self, brief: Brief) -> str:
        """Let it edit the tree; see the port."""
        brief.meter.free()
        tree, contract = brief.tree, brief.contract
        if tree is None or contract is None or brief.purse is None:
            raise AgentError("the command backend edits a tree, under a contract, with a purse; one of them is missing")
        try:
            with tempfile.TemporaryDirectory(prefix="autonomy-agent-") as folder:
                attempt = _Attempt(self, brief, tree, contract, brief.purse, Path(folder))
                ended = attempt.run()
        except (SandboxUnavailable, OSError) as problem:
            raise AgentError(f"{self.name} could not be run: {problem}") from problem
        if ended.outcome is not AgentOutcome.DONE:
            asks = attempt.question if ended.outcome is AgentOutcome.NOTHING_DONE else ""
            raise AgentStopped(ended.outcome, f"{self.name}: {ended.reason}", ended.retry_after, asks)
        return json.dumps({"summary": f"{self.name}: {ended.reason}"})

    def program(self, task: str, paths: list[str]) -> tuple[tuple[str, ...], dict[str, str], dict[str, str], str]:
        """Its argv, variables, files of its home, and what it is given as standard input."""
        recipe, role_policy = self._recipe, self.said
        if recipe is None:
            return role_policy.argv, {}, {}, f"{PLACE}/contract.json"
        model = role_policy.models[0]
        argv = [recipe.filled(each, task, model) for each in recipe.argv if each != _FILES]
        argv += paths if _FILES in recipe.argv else []
        variables = {name: recipe.filled(text, task, model) for name, text in recipe.environment.items()}
        files = {f"{HOME}/{name}": recipe.filled(text, task, model) for name, text in recipe.files.items()}
        return tuple(argv), variables, files, ""

    def mounts(self) -> Iterator[tuple[Path, str]]:
        """What of this machine it is shown.

        Raises:
            AgentError: it is not installed.
        """
        if not (self.said.agent or self.said.folder):
            return
        folder = Path(self.said.folder) if self.said.folder else self.agents / self.said.agent
        recipe = self._recipe
        if recipe and not self.said.folder and (problem := unlike(folder, recipe)):
            raise AgentError(f"{problem}: starter.py agents install {self.said.agent}")
        if not folder.is_dir():
            raise AgentError(f"{self.name} is not in {folder}, which charter.toml names: put it there, or correct it")
        if self.agents.resolve().is_relative_to(folder.resolve()):
            raise AgentError(
                f"{folder}, which charter.toml names, holds this installation's own: nothing is shown of it"
            )
        yield folder.resolve(), AGENT
        python = folder / "bin" / "python"
        if python.is_symlink():
            yield from interpreter_mounts(python.resolve())


def open_command(role_policy: RolePolicy, means: Means) -> CommandBackend:
    """For the role that codes."""
    return CommandBackend(role_policy, means.sandbox, means.gateway, means.agents)


@dataclass
class _Attempt:
    """One program on one tree."""

    backend: CommandBackend
    brief: Brief
    tree: Path
    contract: TaskContract
    purse: Purse
    room: Path
    seen: int = 0
    sign: float = field(default_factory=time.monotonic)
    """When it last gave one of life."""
    began: float = field(default_factory=time.monotonic)
    gateway: ModelGateway | None = None
    dropped: tuple[str, ...] = ()
    reached_out: int | None = None
    hosts_refused: tuple[str, ...] = ()
    question: str = ""
    """What it wants to know of whoever opened the issue."""

    def __post_init__(self) -> None:
        self.output = Capture(self.brief.policy.autopilot.sandbox.output_kb << 10)
        # Told apart from those of other attempts, wherever they were made.
        self.name = f"{self.brief.role.value}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"

    def run(self) -> Ended:
        """Take out, run, put back, type the end, keep the record: also of what was paid before a step is cancelled."""
        limits = self.brief.policy.target.limits
        for name in ("task", "taken", "home"):
            (self.room / name).mkdir()
        before = fingerprints(self.tree, limits)
        may_ask = self.contract.asked and self.contract.asked.number and not os.path.lexists(self.tree / QUESTION)
        taken = take_out(self.tree, self.room / "taken", self.brief.policy.protected_paths, limits)
        needed = sorted(taken.hidden.intersection(self.contract.scope.allowed_paths))
        try:
            task, work = ("", Work((), changed=False, exit_code=0)) if needed else self._between(taken)
        except BaseException as problem:
            if self.gateway and self.gateway.exchanges:
                ended = Ended(
                    AgentOutcome.CRASHED, f"the step ended in the middle of its work: {type(problem).__name__}"
                )
                self._record("", Work(tuple(self.gateway.exchanges), changed=False), ended, taken, ())
            raise
        finally:
            if may_ask:
                self.question = take_question(self.tree)
            self.dropped = taken.put_back()
        after = fingerprints(self.tree, limits)
        changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        # What an interrupted attempt left may have been all there was to do.
        work = replace(work, changed=bool(changed) or self.brief.resumed)
        if self.brief.again and not changed and work.stopped is None:
            work = replace(work, stopped=Stop.SAME)
        ended = outcome_of(work)
        if needed:
            reason = f"its task is about {readable(needed[0])}, which holds a secret: no agent is shown that"
            ended = Ended(AgentOutcome.NOTHING_DONE, reason)
        self._record(task, work, ended, taken, changed)
        return ended

    def _between(self, taken: TakenOut) -> tuple[str, Work]:
        """The task's words, and how the work went; what the environment put into the tree is gone afterwards."""
        try:
            task = fill(self.room / "task", self.brief, self.contract, self.backend.said, taken)
            return task, self._work(task)
        finally:
            for source, inside in self.brief.environment.copies if self.brief.environment else ():
                if place := place_in(self.tree, inside):
                    remove_tree(place)
                    if source.is_dir() and place.parent.is_dir():
                        # So a checkout shows a submodule that nobody touched; of other empty folders git knows nothing.
                        place.mkdir()

    def _record(self, task: str, work: Work, ended: Ended, taken: TakenOut, changed: Sequence[str]) -> None:
        exchanges = tuple(work.exchanges)
        record = AgentRecord(
            run_id=self.brief.run.run_id,
            role=self.brief.role,
            backend="command",
            agent=self.backend.name,
            prompt=sha256_hex(task.encode()),
            outcome=ended.outcome,
            reason=ended.reason,
            exit_code=work.exit_code,
            exchanges=exchanges,
            usd=sum(each.usd for each in exchanges),
            tokens=sum(each.tokens_in + each.tokens_out for each in exchanges),
            bound=any(each.bound for each in exchanges),
            seconds=round(time.monotonic() - self.began, 3),
            transcript=f"agent/{self.name}.transcript.jsonl",
            changed=tuple(_shown(changed)),
            taken_out=tuple(_shown(taken.paths)),
            hidden=tuple(_shown(sorted(taken.hidden))),
            dropped=tuple(_shown(self.dropped)),
            litter=tuple(_shown(path for path in self.dropped if matches(path, self.backend.leaves))),
            reached_out=self.reached_out,
            hosts_refused=tuple(_shown(self.hosts_refused)),
            usual_hosts=tuple(_shown(host for host in self.hosts_refused if self.backend.calls(host))),
        )
        self._keep(".json", record.model_dump_json(indent=2).encode(), "application/json")

    def _work(self, task: str) -> Work:
        """Run the program beside the gateway; how both ended. What they said is kept however it ends."""
        brief, backend = self.brief, self.backend
        exit_code, killed_for, stopped = None, "", None
        gateway = self.gateway = backend.gateway(brief.policy, brief.role, self.purse, self.room)
        try:
            with gateway, self._hosts() as proxy:
                command = self._command(task, gateway, proxy)
                self.sign = time.monotonic()
                brief.tell(**progress(backend.name, ()))
                try:
                    result = backend.sandbox.run(command, lambda: self._look(gateway))
                    exit_code, killed_for = result.exit_code, result.killed_for
                except _Halted as halted:
                    stopped = halted.stop
        finally:
            output = blanked(self.output.kept.decode("utf-8", "replace"), known="")
            self._keep(".output.txt", output.encode("utf-8", "replace"), "text/plain")
            self._keep(".transcript.jsonl", gateway.transcript, "application/jsonl")
        if proxy:
            self.hosts_refused = tuple(sorted(proxy.refused))
            self._keep(".network.jsonl", proxy.journal(), "application/jsonl")
        return Work(
            tuple(gateway.exchanges), changed=False, exit_code=exit_code, killed_for=killed_for, stopped=stopped
        )

    @contextmanager
    def _hosts(self) -> Iterator[AllowListProxy | None]:
        hosts = self.backend.said.hosts
        if not hosts:
            yield None
            return
        with AllowListProxy(self.room / "proxy.sock", hosts) as proxy:
            yield proxy

    def _command(self, task: str, gateway: ModelGateway, proxy: AllowListProxy | None) -> Command:
        backend, policy, environment = self.backend, self.brief.policy, self.brief.environment
        named = [path for path in self.contract.scope.allowed_paths if (self.tree / path).is_file()]
        argv, variables, files, stdin = backend.program(task, named)
        source = self.tree / "src"
        variables = {
            "PYTHONDONTWRITEBYTECODE": "1",
            # The package as it is edited, not as it was built.
            "PYTHONPATH": f"{TREE}/src" if source.is_dir() and not source.is_symlink() else TREE,
            **variables,
        }
        python = Path(sys.executable).resolve()
        shown = [(Path(forwarder.__file__), _FORWARDER), (gateway.socket, _SOCKET), (self.room / "task", PLACE)]
        shown += [*interpreter_mounts(python), *backend.mounts()]
        for number, (place, text) in enumerate(files.items()):
            file = self.room / "home" / str(number)
            file.write_text(text, encoding="utf-8")
            file.chmod(0o644)
            shown.append((file, place))
        ways = [str(PORT), _SOCKET]
        if proxy:
            shown.append((proxy.path, _PROXY))
            ways += [str(_PROXY_PORT), _PROXY]
            through = f"http://127.0.0.1:{_PROXY_PORT}"
            variables |= {"HTTPS_PROXY": through, "https_proxy": through, "NO_PROXY": "127.0.0.1"}
            if trusted := certificates():
                shown.append((trusted, _CERTIFICATES))
                variables |= dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), _CERTIFICATES)
        inside = (str(python), "-I", "-S", _FORWARDER, *ways, *(("<", stdin) if stdin else ()), "--", *argv)
        seconds = backend.said.minutes * 60
        limits = replace(Limits.of(policy.autopilot.sandbox, seconds), cpu_seconds=_CPU * seconds)
        command = Command(argv=inside, tree=self.tree, limits=limits, environment=variables)
        if environment:
            command = environment.command(inside, self.tree, limits, **variables)
            command = replace(command, instead=_without_secrets(command.instead))
        mounts = (*command.read_only, *shown)
        return replace(command, read_only=mounts, reserves_memory=True, heard=self._heard, outbound=self._reached_out)

    def _keep(self, suffix: str, body: bytes, media_type: str) -> None:
        self.brief.keep(f"{self.name}{suffix}", body, media_type)

    def _heard(self, piece: bytes) -> None:
        self.sign = time.monotonic()
        self.output.feed(piece)

    def _reached_out(self, tries: int) -> None:
        self.reached_out = tries

    def _look(self, gateway: ModelGateway) -> None:
        """Several times a second: is it to go on?

        Raises:
            _Halted: no.
        """
        self.brief.alive()
        exchanges = tuple(gateway.exchanges)
        if len(exchanges) > self.seen:
            self.seen, self.sign = len(exchanges), time.monotonic()
            self.brief.tell(**progress(self.backend.name, exchanges))
        if halting(exchanges):
            raise _Halted(None)
        if gateway.under_way:
            self.sign = time.monotonic()
        if time.monotonic() - self.sign > self.backend.said.quiet_seconds:
            raise _Halted(Stop.NO_PROGRESS)


def _shown(paths: Iterable[str]) -> Iterator[str]:
    return (readable(path) for path in islice(paths, _MOST_NAMED))


def _without_secrets(instead: Instead | None) -> Instead | None:
    """No agent is shown what holds a secret, wherever its content is kept."""
    if instead is None:
        return None

    def is_secret(name: str) -> bool:
        with (instead.folder / name).open("rb") as file:
            return is_private_key(file.read(BEGINNING))

    return replace(
        instead, files=tuple(each for each in instead.files if each[0].endswith(CODE) or not is_secret(each[1]))
    )

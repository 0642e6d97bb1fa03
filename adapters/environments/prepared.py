"""PreparedEnvironments: a target's own commands make a base checkable, once; checks use what they left, offline."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from adapters.environments.allow_list import AllowListProxy
from adapters.environments.kept import counted, evict, held, run
from adapters.environments.online import HostsReached, forwarded, listening, reaching
from adapters.environments.prepare_words import explain, how
from adapters.environments.submodules import Beside
from adapters.sandbox.private_copy import put_copy
from policies.digests import digest
from policies.paths.rules import matches
from policies.settings.environment import EnvironmentPolicy
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.removal import held_folder
from ports.repository import Repository
from ports.sandbox import CommandResult, Instead, Limits, Sandbox

_LAYOUT = 1
"""Part of every digest: raise it when what is made of the same files and commands changes."""
_ENVIRONMENT = "/env"
_USUAL = ("/usr/local/bin", "/usr/bin", "/bin")
_CACHES = {
    "GOPATH": f"{_ENVIRONMENT}/go", "GOBIN": f"{_ENVIRONMENT}/bin",
    "GOCACHE": f"{_ENVIRONMENT}/go-build", "GOTOOLCHAIN": "local",
    "CARGO_HOME": f"{_ENVIRONMENT}/cargo", "npm_config_cache": f"{_ENVIRONMENT}/npm",
    "YARN_CACHE_FOLDER": f"{_ENVIRONMENT}/yarn", "YARN_GLOBAL_FOLDER": f"{_ENVIRONMENT}/yarn-global",
    "MAVEN_OPTS": f"-Dmaven.repo.local={_ENVIRONMENT}/m2", "npm_config_update_notifier": "false",
}  # fmt: skip
"""Where package managers put what they fetch, so that it is found again."""
_OFFLINE = {
    "GOPROXY": "off", "CARGO_NET_OFFLINE": "true", "npm_config_offline": "true", "GODEBUG": "goindex=0",
}  # fmt: skip
"""Says to programs what is so: without network, they fail at once instead of waiting for it.

Go writes an index of folders that are more than two seconds old into its cache, and ends where that is read-only.
"""


class PreparedEnvironments:
    """Below one folder of ours, by digest; several workers may share it."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self._kept = root / "prepared"
        self._scratch = root / "preparing"
        self._sandbox = sandbox

    def prepare(
        self,
        repository: Repository,
        base: str,
        policy: EffectivePolicy,
        alive: Callable[[], None],
        merged: str = "",
        beside: Beside | None = None,
    ) -> CheckEnvironment:
        """Found, or made by the target's commands, which find in their tree what is ``beside`` it; see the port.

        Raises:
            EnvironmentUnavailable: a command failed, or was stopped; says what to do.
        """
        chosen = policy.target.environment
        of_base = _deciding(repository, base, chosen)
        again: tuple[str, ...] = ()
        if merged:
            of_change = _deciding(repository, merged, chosen)
            again = tuple(sorted({path for path, _ in of_base.items() ^ of_change.items()}))
        if not again and not of_base:
            raise EnvironmentUnavailable(
                f"no file of the base matches `environment.keyed_by` ({', '.join(chosen.keyed_by)}): correct it"
            )
        commit = merged if again else base
        # What a change prepared is never found by another: its other files may have had a say in it.
        of_what = ["change", repository.tree_of(merged)] if again else ["base", of_base]
        made_of = [_LAYOUT, of_what, chosen.prepare, chosen.keep, chosen.variables, list(_identities(chosen))]
        found = beside or Beside()
        place = self._kept / digest(made_of + ([found.key] if found.key else []))[:32]

        def make() -> None:
            self._make(place, repository, commit, policy, alive, found)
            evict((self._kept,), chosen.kept_gb)

        worked = _LastThatWorked(self._kept / f"{policy.target.name}.json")
        try:
            kept = held(place, make, alive)
        except EnvironmentUnavailable as problem:
            if again:
                problem.of_change = again
                raise
            reason, _, output = str(problem).partition("\n")
            told = f"{reason}. {worked.since(of_base)}\n{output}"
            raise EnvironmentUnavailable(told, unreachable=problem.unreachable, records=problem.records) from problem
        if not again:
            worked.remember(base, of_base)
        made_here = CheckEnvironment(
            digest=place.name,
            path=place / "env",
            guest=_ENVIRONMENT,
            environment=_variables(chosen) | _OFFLINE | chosen.variables,
            read_only=_toolchains(chosen),
            copies=tuple((place / "keep" / str(number), inside) for number, inside in enumerate(chosen.keep)),
            reserves_memory=True,
            records=_records(place),
            prepared_again=again,
            held=kept,
        )
        return replace(made_here, online=HostsReached(self._sandbox, chosen, made_here, self._scratch))

    def _make(
        self,
        place: Path,
        repository: Repository,
        commit: str,
        policy: EffectivePolicy,
        alive: Callable[[], None],
        beside: Beside,
    ) -> None:
        """Prepare beside its place, then move it there: never half there."""
        with held_folder(self._scratch) as scratch:
            tree, made = scratch / "tree", scratch / "made"
            for folder in (tree, made, made / "env", made / "keep"):
                folder.mkdir()
            repository.checkout(commit, tree)
            for source, inside in beside.copies:
                put_copy(source, tree, inside)
            records = _Preparation(self._sandbox, policy, tree, made / "env", alive, beside.instead).run()
            try:
                _gather(tree, made, policy.target.environment)
            except EnvironmentUnavailable as problem:
                raise EnvironmentUnavailable(str(problem), records=records) from problem
            for name, body in records:
                (made / name).write_bytes(body)
            made.rename(place)


@dataclass
class _Preparation:
    """The commands of one `prepare`, one after the other, on one checkout."""

    sandbox: Sandbox
    policy: EffectivePolicy
    tree: Path
    env: Path
    alive: Callable[[], None]
    instead: Instead | None = None

    def run(self) -> tuple[tuple[str, bytes], ...]:
        """What is kept of it.

        Raises:
            EnvironmentUnavailable: a command failed or was stopped.
        """
        chosen = self.policy.target.environment
        messages: list[bytes] = []
        with listening(chosen) as proxy:
            for number, argv in enumerate(chosen.prepare, 1):
                result = self._run(argv, proxy)
                ended = how(argv, result)
                messages.append(f"$ {' '.join(argv)}\n".encode() + result.output + f"\n[{ended}]\n".encode())
                if result.killed_for or result.exit_code:
                    records = _named(b"".join(messages), proxy)
                    step = f"`prepare` {number} of {len(chosen.prepare)}, `{' '.join(argv)}`, {ended}"
                    words, unreachable = explain(step, result, proxy, chosen.minutes)
                    raise EnvironmentUnavailable(words, unreachable=unreachable, records=records)
            return _named(b"".join(messages), proxy)

    def _run(self, argv: tuple[str, ...], proxy: AllowListProxy) -> CommandResult:
        chosen = self.policy.target.environment
        environment = CheckEnvironment(
            digest="",
            path=self.env,
            guest=_ENVIRONMENT,
            environment=_variables(chosen),
            read_only=_toolchains(chosen),
            instead=self.instead,
            reserves_memory=True,
        )
        environment = reaching(environment, proxy, chosen.variables)
        seconds = chosen.minutes * 60
        limits = replace(Limits.of(self.policy.autopilot.sandbox, seconds), cpu_seconds=4 * seconds)
        command = environment.command(forwarded(argv), self.tree, limits)
        # Mounted last, it is writable there alone.
        return self.sandbox.run(replace(command, writable=((self.env, _ENVIRONMENT),)), self.alive)


def _named(body: bytes, proxy: AllowListProxy) -> tuple[tuple[str, bytes], ...]:
    return ("prepare.txt", body), ("network.jsonl", proxy.journal())


def _records(place: Path) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, (place / name).read_bytes()) for name in ("prepare.txt", "network.jsonl"))


def _deciding(repository: Repository, commit: str, chosen: EnvironmentPolicy) -> dict[str, str]:
    """The files that decide, with a digest of each."""
    found = (path for path in repository.paths(commit) if matches(path, chosen.keyed_by))
    return {path: digest((repository.read(commit, path) or b"").decode("latin-1")) for path in found}


def _variables(chosen: EnvironmentPolicy) -> dict[str, str]:
    return {"PATH": ":".join((*map(str, _programs(chosen)), f"{_ENVIRONMENT}/bin", *_USUAL)), **_CACHES}


def _programs(chosen: EnvironmentPolicy) -> Iterator[Path]:
    for toolchain in map(Path, chosen.toolchains):
        yield toolchain / "bin" if (toolchain / "bin").is_dir() else toolchain


def _toolchains(chosen: EnvironmentPolicy) -> tuple[tuple[Path, str], ...]:
    return tuple((Path(each).resolve(), each) for each in chosen.toolchains)


def _identities(chosen: EnvironmentPolicy) -> Iterator[str]:
    """Another one when a toolchain is another: its programs' sizes and times; nothing of it is started.

    Raises:
        EnvironmentUnavailable: one is not on this machine.
    """
    folders = list(_programs(chosen))
    for toolchain, folder in zip(chosen.toolchains, folders, strict=True):
        if not Path(toolchain).is_dir():
            raise EnvironmentUnavailable(
                f"the toolchain {toolchain} is not on this machine: install it, or correct `environment.toolchains`"
            )
        yield from (f"{toolchain} {_stamp(each)}" for each in sorted(folder.iterdir())[:200])
    for argv in chosen.prepare:
        beside = os.pathsep.join((*map(str, folders), *_USUAL))
        if "/" not in argv[0] and (found := shutil.which(argv[0], path=beside)):
            yield _stamp(Path(found).resolve())


def _stamp(program: Path) -> str:
    known = program.stat() if program.exists() else program.lstat()
    return f"{program.name} {known.st_size} {known.st_mtime_ns}"


def _gather(tree: Path, made: Path, chosen: EnvironmentPolicy) -> None:
    """Put what is kept of the tree beside /env, readable for another user than wrote it, and note the size."""
    for number, inside in enumerate(chosen.keep):
        _plain(tree, inside).rename(made / "keep" / str(number))
    run("chmod", "-R", "a+rX,u+w", "--", str(made))
    size = counted(made)
    if size > chosen.kept_gb * 1e9:
        raise EnvironmentUnavailable(
            f"what `prepare` left takes {size / 1e9:.1f} GB, and all that is kept may take {chosen.kept_gb:g}: "
            "raise `environment.kept_gb`, or let it leave less"
        )


def _plain(tree: Path, inside: str) -> Path:
    """What ``prepare`` was to make there: below folders, not links, which it may have planted.

    Raises:
        EnvironmentUnavailable: it is not there, or not to be trusted.
    """
    place = tree
    for part in PurePosixPath(inside).parts:
        place /= part
        if place.is_symlink() or not place.exists():
            kind = "a symbolic link" if place.is_symlink() else "not there"
            raise EnvironmentUnavailable(
                f"`environment.keep` names {inside}, and after `prepare` that is {kind}: correct one or the other"
            )
    if place.is_dir():
        place.chmod(0o755)
    return place


@dataclass(frozen=True)
class _LastThatWorked:
    """What decided when a target's base was last prepared, so that it can be told why it breaks later."""

    file: Path

    def remember(self, base: str, deciding: dict[str, str]) -> None:
        """It worked with these."""
        if self._known().get("deciding") != deciding:
            self.file.write_text(json.dumps({"base": base, "deciding": deciding}))

    def since(self, deciding: dict[str, str]) -> str:
        """What is different now."""
        known = self._known()
        if not known:
            return "It never worked here before"
        changed = sorted({path for path, _ in known["deciding"].items() ^ deciding.items()})
        then = f"Since it last worked, on {known['base'][:12]},"
        if changed:
            return f"{then} {', '.join(changed[:5])} changed"
        return f"{then} no file that decides has changed: what it fetches did (a version taken back?), or this machine"

    def _known(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return dict(json.loads(self.file.read_text()))
        return {}

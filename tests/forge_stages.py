"""The same small stage on every forge: a repository, our mirror of it holding a change, and a person's deeds."""

from __future__ import annotations

import io
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from faulty_proxy import Fault, FaultyProxy
from gitea_server import BOT, OWNER, GiteaServer
from github_server import GitHubServer
from world import git

from adapters.effects import child, runner
from adapters.effects.process_jail import JailEnd
from adapters.effects.runner import EffectRunner
from adapters.forges.gitea.forge import open_gitea_forge
from adapters.forges.github.forge import open_github_forge
from adapters.forges.http.tokens import reading_environment, writing_environment
from adapters.forges.local import open_local_forge
from adapters.git.mirror import Mirror, open_mirror
from contracts.clearance import Clearance
from contracts.effect import Effect, EffectResult
from contracts.modes import WriteAction, WriteClass
from contracts.pull_request import PullRequest
from policies.settings.forge_access import ForgeAccess, TokenSource
from policies.settings.schema import ReviewStamp, Target
from ports.clock import since_boot
from ports.forge import Forge, ForgeError

BRANCH = "autonomy/tidy-abc-00000000"
LANDING = "Merge pull request #1: Tidy a.txt\n\nRun: demo-1\n"
TOKEN = "STAGE_BOT_TOKEN"  # the variable's name


def in_this_process(
    argv: Sequence[str], stdin: bytes, environment: Mapping[str, str], writable: Sequence[Path]
) -> JailEnd:
    """The child's own program and environment without its process: what it says to a forge is the same.

    Most of an effect is its process, whose jail and clock have tests of their own (test_effect_processes.py).
    """
    del argv, writable
    given, out, error = io.TextIOWrapper(io.BytesIO(stdin)), io.StringIO(), io.StringIO()
    with ExitStack() as inside:
        inside.enter_context(patch.dict(os.environ, environment, clear=True))
        inside.enter_context(patch.object(child, "die_at"))
        inside.enter_context(patch.object(sys, "stdin", given))
        inside.enter_context(redirect_stdout(out))
        inside.enter_context(redirect_stderr(error))
        code = child.main()
    return JailEnd(code, out.getvalue().encode(), error.getvalue().strip())


@dataclass
class Stage(ABC):
    """One repository on one forge."""

    home: Path
    target: Target
    person: Path
    """A person's clone; its ``origin`` may be pushed to."""
    base: str = ""
    head: str = ""
    runner: EffectRunner = field(init=False)
    jailed: bool = field(default=False, init=False)
    """Each effect in a process of its own, where that is the point; so is whatever has less time than usual."""
    lands_by_pull: ClassVar[bool] = False
    """The forge itself merges pull requests; else the base is moved by git."""

    def __post_init__(self) -> None:
        """Fetch the base and make a change in our mirror."""
        self.runner = EffectRunner(self.home / "mirrors", self.home, writing_environment, reading_environment)
        mirror = self.mirror
        self.base = mirror.fetch_base()
        self.head = self.change("better\n")

    @property
    def mirror(self) -> Mirror:
        """Our git folder."""
        return open_mirror(self.home / "mirrors", reading_environment)(self.target)

    @property
    @abstractmethod
    def forge(self) -> Forge:
        """The read side."""

    @abstractmethod
    def person_merges(self, pull: PullRequest) -> None:
        """As in the forge's own page."""

    @abstractmethod
    def person_closes(self, pull: PullRequest) -> None:
        """Without merging."""

    @abstractmethod
    def person_writes(self, pull: PullRequest, body: str) -> None:
        """Another text for it."""

    def person_pushes(self, text: str, branch: str = BRANCH) -> str:
        """Something of a person's own over the branch, whatever was there; the new head."""
        git("fetch", "--quiet", "origin", cwd=self.person)
        git("checkout", "--quiet", "--detach", "origin/main", cwd=self.person)
        (self.person / "theirs.txt").write_text(text)
        git("add", "--all", cwd=self.person)
        git("commit", "--quiet", "--message=By a person", cwd=self.person)
        git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}", cwd=self.person)
        return git("rev-parse", "HEAD", cwd=self.person)

    def person_deletes(self, branch: str = BRANCH) -> None:
        """The branch, not the pull request."""
        git("push", "--quiet", "origin", f":refs/heads/{branch}", cwd=self.person)

    def change(self, text: str) -> str:
        """A commit on the base in our mirror."""
        work = self.home / f"work-{abs(hash(text))}"
        work.mkdir()
        self.mirror.checkout(self.base, work)
        (work / "a.txt").write_text(text)
        return self.mirror.commit_tree(self.base, work, "improve")

    def effect(self, action: WriteAction = WriteAction.PUSH_BRANCH, **fields: Any) -> Effect:
        """What a run would ask for."""
        given = {
            "run_key": f"demo-1/{action.value}", "run_id": "demo-1", "task_id": "tidy-abc", "branch": BRANCH,
            "base_branch": "main", "head_sha": self.head, "base_sha": self.base, "title": "Tidy a.txt",
            "body": "`better`\n\n| | |\n|---|---|\n| Task | `tidy-abc` |\n",
        }  # fmt: skip
        return Effect(action=action, **(given | fields))

    def perform(self, effect: Effect, look_only: bool = False, seconds: float = 60) -> EffectResult:
        """Under a clearance of its own."""
        with ExitStack() as around:
            if not self.jailed and seconds == 60:
                around.enter_context(patch.object(runner, "run_jailed", in_this_process))
            return self.runner.perform(self.target, effect, self.clearance(effect), since_boot() + seconds, look_only)

    @staticmethod
    def clearance(effect: Effect) -> Clearance:
        """One that covers the effect exactly."""
        return Clearance(
            key=effect.run_key, attempt="a1", action=effect.action, write_class=WriteClass.ADVANCE,
            branch=effect.branch, head_sha=effect.head_sha, base_sha=effect.base_sha, policy_digest="p", epoch=1,
            seconds=60, deadline=datetime.now(UTC),
        )  # fmt: skip

    def done(self, effect: Effect, attempts: int = 6) -> EffectResult:
        """As a run does it: again after every "could not find out"."""
        problems = []
        for _ in range(attempts):
            try:
                return self.perform(effect)
            except ForgeError as problem:
                problems.append(str(problem))
        raise AssertionError(problems)

    def opened(self) -> PullRequest:
        """Push and pull request."""
        assert self.perform(self.effect()).done
        result = self.perform(self.effect(WriteAction.OPEN_PULL_REQUEST))
        assert result.pull_request is not None, result
        return result.pull_request

    def landing(self, base: str = "") -> Effect:
        """The merge of the change into the base; where a pull request lands it, it shows the merge result already."""
        base = base or self.base
        merge = self.mirror.merge(base, self.head, LANDING)
        if self.lands_by_pull:
            moved = self.effect(run_key="demo-1/pull", head_sha=merge.commit, expected_old=self.head)
            assert self.perform(moved).done
        return self.effect(
            WriteAction.MERGE, branch="main", base_sha=base, expected_old=base, head_sha=merge.commit,
            tree_sha=merge.tree, pull_branch=BRANCH if self.lands_by_pull else "", commit_message=LANDING,
        )  # fmt: skip

    def shown(self) -> PullRequest:
        """The one pull request, as the forge shows it now."""
        pulls = self.forge.pull_requests()
        assert len(pulls) == 1
        return pulls[0]


@dataclass
class LocalStage(Stage):
    """A bare repository with records beside it."""

    @property
    def forge(self) -> Forge:
        """Read off the branches."""
        return open_local_forge(self.home, self.home / "mirrors")(self.target)

    def person_merges(self, pull: PullRequest) -> None:
        """Push it to the base."""
        git("fetch", "--quiet", "origin", cwd=self.person)
        git("push", "--quiet", "origin", f"{pull.head_sha}:refs/heads/main", cwd=self.person)

    def person_closes(self, pull: PullRequest) -> None:
        """Delete its branch."""
        self.person_deletes(pull.branch)

    def person_writes(self, pull: PullRequest, body: str) -> None:
        """In the record itself: there is no page."""
        record = self.home / "forge" / "demo" / "pulls" / f"{pull.number}.json"
        record.write_text(pull.model_copy(update={"body": body}).model_dump_json())


@dataclass
class GiteaStage(Stage):
    """A repository on a real Gitea; ``server`` is asked by people, the target's address may be a proxy's."""

    lands_by_pull: ClassVar[bool] = True
    server: GiteaServer = None  # type: ignore[assignment]
    repository: str = ""

    @property
    def forge(self) -> Forge:
        """Over its API."""
        return open_gitea_forge(self.home, self.home / "mirrors")(self.target)

    def person_merges(self, pull: PullRequest) -> None:
        """With the button; Gitea needs a moment to find out that it may."""
        for _ in range(100):
            answer = self.ask("POST", f"/pulls/{pull.number}/merge", Do="merge")
            if answer.status != 405:
                break
            time.sleep(0.1)
        assert answer.status == 200, answer

    def person_closes(self, pull: PullRequest) -> None:
        """With the button."""
        assert self.ask("PATCH", f"/pulls/{pull.number}", state="closed").status == 201

    def person_writes(self, pull: PullRequest, body: str) -> None:
        """In its page."""
        assert self.ask("PATCH", f"/pulls/{pull.number}", body=body).status == 201

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Something of the owner's in this repository."""
        return self.server.ask(method, f"/repos/{self.repository}{path}", **content)

    def through(self, address: str) -> GiteaStage:
        """The same, reached by another address."""
        other = self.target.model_copy(update={"remote": f"{address}/{self.repository}.git"})
        home = self.home / f"through-{address.rsplit(':', 1)[1]}"
        home.mkdir()
        return GiteaStage(home, other, self.person, server=self.server, repository=self.repository)


@dataclass
class GitHubStage(Stage):
    """A repository on the GitHub double; ``server`` is asked by people, the target's address may be a proxy's."""

    lands_by_pull: ClassVar[bool] = True
    server: GitHubServer = None  # type: ignore[assignment]
    repository: str = ""

    @property
    def forge(self) -> Forge:
        """Over its API."""
        return open_github_forge(self.home, self.home / "mirrors")(self.target)

    def person_merges(self, pull: PullRequest) -> None:
        """With the button."""
        assert self.ask("PUT", f"/pulls/{pull.number}/merge").status == 200

    def person_closes(self, pull: PullRequest) -> None:
        """With the button."""
        assert self.ask("PATCH", f"/pulls/{pull.number}", state="closed").status == 200

    def person_writes(self, pull: PullRequest, body: str) -> None:
        """In its page."""
        assert self.ask("PATCH", f"/pulls/{pull.number}", body=body).status == 200

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Something of the owner's in this repository."""
        return self.server.ask(method, f"/repos/{self.repository}{path}", **content)

    def through(self, address: str, **access: Any) -> GitHubStage:
        """The same, reached by another address, or with other access."""
        said = ForgeAccess.model_validate(self.target.forge_access.model_dump() | access)
        other = self.target.model_copy(update={"remote": f"{address}/{self.repository}.git", "forge_access": said})
        home = self.home / f"through-{time.monotonic_ns()}"
        home.mkdir()
        return GitHubStage(home, other, self.person, server=self.server, repository=self.repository)


def writes_failing_at(stage: GiteaStage | GitHubStage, proxy: FaultyProxy, number: int, kind: str, call: int) -> int:
    """One run's writes on a branch of its own, each failing once, at its own ``call``, and again until it is done.

    Returns how many writes got to that call: none, and a sweep is over.
    """
    run, head, failed = f"demo-{number}", stage.change(f"number {number}\n"), 0
    pushed = {"branch": f"autonomy/fault-{number}-00000000", "head_sha": head}
    for action in (WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST, WriteAction.OPEN_TICKET):
        about = {"branch": "", "head_sha": ""} if action is WriteAction.OPEN_TICKET else pushed
        fault = Fault(kind, at=call)
        proxy.calls.clear()
        proxy.faults = [fault]
        assert stage.done(stage.effect(action, run_key=f"{run}/{action.value}", run_id=run, **about)).done
        failed += 1 - fault.times
    return failed


def soon(what: Callable[[], bool], seconds: float = 60) -> None:
    """Gitea looks at a push in its own time."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def _clone(place: Path, origin: str) -> Path:
    place.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", cwd=place)
    git("remote", "add", "origin", origin, cwd=place)
    (place / "a.txt").write_text("a\n")
    git("add", "--all", cwd=place)
    git("commit", "--quiet", "--message=First", cwd=place)
    git("push", "--quiet", "origin", "main", cwd=place)
    return place


def local_stage(folder: Path) -> LocalStage:
    """On a bare repository."""
    remote = folder / "remote.git"
    folder.mkdir(exist_ok=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", str(remote), cwd=folder)
    person = _clone(folder / "person", str(remote))
    target = Target(
        name="demo", remote=str(remote), base_branch="main", review=ReviewStamp(on=date(2026, 1, 1), by="p")
    )
    return LocalStage(folder / "home", target, person)


def gitea_stage(folder: Path, server: GiteaServer, name: str, **options: Any) -> GiteaStage:
    """On a repository of its own; ``options`` are those of ``make_repository``."""
    repository = server.make_repository(name, **options)
    person = _clone(folder / "person", server.remote(repository, server.tokens[OWNER]))
    soon(lambda: not server.done("GET", f"/repos/{repository}")["empty"])
    reads = TokenSource(variable="STAGE_READ_TOKEN") if options.get("private") else TokenSource()
    access = ForgeAccess(account=BOT, write=TokenSource(variable=TOKEN), read=reads)
    target = Target(
        name="demo",
        remote=server.remote(repository),
        forge="gitea",
        forge_access=access,
        base_branch="main",
        review=ReviewStamp(on=date(2026, 1, 1), by="p"),
    )
    return GiteaStage(folder / "home", target, person, server=server, repository=repository)


def github_stage(folder: Path, server: GitHubServer, name: str, **options: Any) -> GitHubStage:
    """On a repository of its own; ``options`` are those of ``make_repository``."""
    repository = server.make_repository(name, **options)
    person = _clone(folder / "person", server.remote(repository, server.tokens[OWNER]))
    access = ForgeAccess(account=BOT, write=TokenSource(variable=TOKEN), read=TokenSource(variable="STAGE_READ_TOKEN"))
    target = Target(
        name="demo",
        remote=server.remote(repository),
        forge="github",
        forge_access=access,
        base_branch="main",
        review=ReviewStamp(on=date(2026, 1, 1), by="p"),
    )
    return GitHubStage(folder / "home", target, person, server=server, repository=repository)

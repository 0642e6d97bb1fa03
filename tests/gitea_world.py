"""A world whose targets live on the real Gitea: the daily run as people there see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitea_server import BOT, OWNER, GiteaServer
from temporalio.client import WorkflowHandle
from world import NO_CI, World, git

from contracts.clearance import Clearance
from contracts.effect import Effect, EffectResult
from contracts.modes import StepName
from policies.settings.schema import Target
from tests.workflows.quick import FILES

TOKEN = "GITEA_WORLD_TOKEN"  # the variable's name


@dataclass
class Hosted:
    """One target's repository on the Gitea, with a person's clone of it."""

    server: GiteaServer
    repository: str
    work: Path

    @property
    def folder(self) -> Path:
        """The server's own bare repository: what is really there, whatever the API says."""
        return self.server.home / "repositories" / f"{self.repository}.git"

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Something of the owner's in this repository; it must succeed."""
        return self.server.done(method, f"/repos/{self.repository}{path}", **content)

    def protect(self, **how: object) -> None:
        """The base takes nobody's push but by what ``how`` says."""
        self.ask("POST", "/branch_protections", rule_name="main", **({"enable_push": False} | how))

    def head(self, branch: str = "main") -> str:
        """Where a branch is."""
        return git("rev-parse", f"refs/heads/{branch}", cwd=self.folder)

    def tree(self, commit: str = "refs/heads/main") -> str:
        """Tree of a commit."""
        return git("rev-parse", f"{commit}^{{tree}}", cwd=self.folder)

    def branches(self) -> list[str]:
        """All of them."""
        return git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", cwd=self.folder).split()

    def pulls(self) -> list[dict[str, Any]]:
        """As a person sees them, newest first."""
        found: list[dict[str, Any]] = self.ask("GET", "/pulls?state=all&limit=50")
        return found

    def pull(self) -> dict[str, Any]:
        """The only one, with everything the forge tells of one."""
        [pull] = self.pulls()
        found: dict[str, Any] = self.ask("GET", f"/pulls/{pull['number']}")
        return found

    def tickets(self) -> list[dict[str, Any]]:
        """As a person sees them."""
        found: list[dict[str, Any]] = self.ask("GET", "/issues?state=all&type=issues&limit=50")
        return found

    def commits(self, file: str, text: str, branch: str = "main") -> str:
        """A person pushes a commit to a branch; it moves on."""
        git("fetch", "--quiet", "origin", cwd=self.work)
        git("checkout", "--quiet", "--detach", f"origin/{branch}", cwd=self.work)
        (self.work / file).write_text(text)
        git("add", "--all", cwd=self.work)
        git("commit", "--quiet", f"--message={file}", cwd=self.work)
        git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=self.work)
        return self.head(branch)

    def merges(self, how: str = "merge") -> None:
        """A person presses the button on the newest pull request; Gitea needs a moment to offer it."""
        number = self.pulls()[0]["number"]
        for _ in range(600):
            answer = self.server.ask("POST", f"/repos/{self.repository}/pulls/{number}/merge", Do=how)
            if answer.status != 405:
                break
        assert answer.status == 200, answer

    def closes(self) -> None:
        """A person closes the newest pull request."""
        self.ask("PATCH", f"/pulls/{self.pulls()[0]['number']}", state="closed")

    def reviews(self, event: str, commit: str = "") -> None:
        """A person's word on the newest pull request, at a commit or at its head."""
        pull = self.pulls()[0]
        said = {"event": event, "body": "so", "commit_id": commit or pull["head"]["sha"]}
        self.ask("POST", f"/pulls/{pull['number']}/reviews", **said)


def host(world: World, server: GiteaServer, name: str, files: dict[str, Any] = FILES) -> Hosted:
    """A repository for one target."""
    repository = server.make_repository(f"{name}-{world.namespace}")
    work = world.root / f"{name}-work"
    for path, body in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(body)
    git("init", "--quiet", "--initial-branch=main", cwd=work)
    git("remote", "add", "origin", server.remote(repository, server.tokens[OWNER]), cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=First", cwd=work)
    git("push", "--quiet", "origin", "main", cwd=work)
    return Hosted(server, repository, work)


def point(world: World, hosted: Hosted, more: str, name: str = "auto", remote: str = "", **top: str) -> None:
    """Its target file; ``remote`` may be a proxy's."""
    access = f'\n[forge_access]\naccount = "{BOT}"\nwrite.variable = "{TOKEN}"\n'
    if "[ci]" not in more:
        access += NO_CI
    address = remote or hosted.server.remote(hosted.repository)
    world.write_target(name, access + more, remote=address, **({"forge": "gitea"} | top))


def set_policy(world: World, **values: float) -> None:
    """Numbers of ``autopilot.toml``."""
    place = world.settings.policies / "autopilot.toml"
    lines = place.read_text().splitlines()
    for key, value in values.items():
        [at] = [number for number, line in enumerate(lines) if line.startswith(f"{key} = ")]
        lines[at] = f"{key} = {value}"
    place.write_text("\n".join(lines) + "\n")


Deed = Callable[[Effect], object]


@dataclass
class Meanwhile:
    """The real effects, and what people do right before or after them; each deed once.

    ``before`` and ``after`` map a target's name and the last part of a write's key (a prefix is enough) to a deed.
    """

    real: Any
    before: dict[tuple[str, str], Deed] = field(default_factory=dict)
    after: dict[tuple[str, str], Deed] = field(default_factory=dict)
    performed: list[Effect] = field(default_factory=list)

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """With what happens around it."""
        self.performed.append(effect)
        self._happens(self.before, target, effect)
        result: EffectResult = self.real.perform(target, effect, clearance, kill_at, look_only)
        self._happens(self.after, target, effect)
        return result

    @staticmethod
    def _happens(deeds: dict[tuple[str, str], Deed], target: Target, effect: Effect) -> None:
        name = effect.run_key.rsplit("/", 1)[1]
        for place in [place for place in deeds if place[0] == target.name and name.startswith(place[1])]:
            deeds.pop(place)(effect)


async def until_ci_is_missed(world: World, run: WorkflowHandle[Any, Any]) -> None:
    """Until a run waits for the check that reported on the base, and not yet where the run is."""

    async def waits() -> bool:
        view = await world.state(run)
        return view.step is StepName.CI and "missing: ci/test" in view.reason

    await world.until(waits, 120)

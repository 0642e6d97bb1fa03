"""``[environment]``, ``[[fixers]]``, ``[dependencies]``: what checks run in, and what mends or updates in there."""

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from policies.settings.section import Positive, Section

_KEPT_GB = 20.0
_OF_PREPARE = ("toolchains", "keyed_by", "hosts", "credentials", "keep", "variables")
_ELSEWHERE = ("submodules", "git_hosts", "lfs", "lfs_url")


def _below(path: str) -> str:
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError("must be a plain path inside the repository, without `.`, `..` and a closing `/`")
    return path


def _regular(text: str) -> str:
    try:
        re.compile(text)
    except re.error as problem:
        raise ValueError(f"is no regular expression: {problem}") from problem
    return text


_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/(?!\.\.?(/|$))[\w.~+@%=,-]+)*/?", re.ASCII)


Argv = Annotated[tuple[str, ...], Field(min_length=1)]
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f:]+$", max_length=400)]
RelativePath = Annotated[str, StringConstraints(pattern=r"^[^/\x00-\x1f][^\x00-\x1f]*$"), AfterValidator(_below)]
HostAndPort = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}(=[0-9a-fA-F.:]+)?$", to_lower=True, max_length=300
    ),
]
Regex = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_regular)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class EnvironmentPolicy(Section):
    """``[environment]``: how the check environment is made: of wheels, or by commands of the target's own."""

    requirements: tuple[str, ...] = ()
    """Requirement files of the base commit."""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """More requirements, for example ``pytest``."""
    without: tuple[str, ...] = ()
    """Packages that are left out although they are required: those without a wheel."""
    build: bool = True
    """Build and install the package itself inside the sandbox."""
    python: str = ""
    """Interpreter; empty: the one that runs the worker."""
    prepare: tuple[Argv, ...] = ()
    """Instead of all of the above, for any language: argv lists that run once, in the sandbox, on the base commit.

    They reach the network only as far as ``hosts``; checks reach none. What they leave in ``/env`` is shown to checks.
    """
    toolchains: tuple[AbsolutePath, ...] = ()
    """Folders of this machine that the commands need, shown read-only where they are; their ``bin`` is on PATH."""
    keyed_by: tuple[str, ...] = ()
    """Patterns of files that decide what is prepared (manifests, lock files); with the same ones it is not done again.

    A change to one is prepared again from the merge result, and never merges by itself.
    """
    hosts: tuple[HostAndPort, ...] = ()
    """What ``prepare`` may connect to, ``host:port`` each; ``host:port=address`` for one at a private address."""
    credentials: dict[HostAndPort, VariableName] = {}
    """By ``host:port``, the worker's variable with the value of an ``Authorization`` header.

    It is added outside the sandbox, to what is asked inside as ``http://host:port/…``, and sent by TLS.
    """
    keep: tuple[RelativePath, ...] = ()
    """What ``prepare`` makes in the tree, for example ``node_modules``: every check gets a copy of its own of it."""
    variables: dict[VariableName, str] = {}
    """More of the commands' environment, of ``prepare`` and of every check."""
    submodules: bool | tuple[RelativePath, ...] = False
    """Submodules that `prepare`, builds and checks find in their tree: all, or those at these paths.

    Fetched by the worker, with what is inside them, at the commits of the base; they run in the sandbox alone.
    """
    git_hosts: tuple[HostAndPort, ...] = ()
    """What submodules are fetched from, ``host:port`` each: `.gitmodules` alone does not say whom the worker asks.

    Also where the target's own LFS server may send for contents.
    """
    lfs: bool | tuple[str, ...] = False
    """Files in git LFS whose content `prepare`, builds and checks see in place of the pointer: all, or by patterns."""
    lfs_url: str = ""
    """The LFS server; empty: the one that git-lfs derives from `remote`. `.lfsconfig` is not obeyed."""
    minutes: Annotated[int, Field(ge=1, le=40)] = 15
    """How long each command of ``prepare`` may take."""
    kept_gb: Annotated[float, Field(gt=0, le=10_000)] = _KEPT_GB
    """What is kept of all targets together, once of what was prepared and once of wheels and built packages.

    What was not used for longest goes, never what is in use.
    """

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """``prepare`` stands alone: what it leaves unused would mislead whoever reads the file."""
        ours = ("requirements", "extras", "groups", "packages", "without", "python")
        if self.prepare and (unused := [name for name in ours if getattr(self, name)]):
            raise ValueError(f"with `prepare`, {', '.join(unused)} would not be read: take them out")
        if not self.prepare and (unused := [name for name in _OF_PREPARE if getattr(self, name)]):
            raise ValueError(f"without `prepare`, {', '.join(unused)} would not be read: take them out")
        if self.prepare and not self.keyed_by:
            raise ValueError("`prepare` needs `keyed_by`: the files (lock files, manifests) that decide what it makes")
        if bool(self.submodules) != bool(self.git_hosts) and (self.submodules or not self.lfs):
            raise ValueError("`submodules` and `git_hosts`, where they may be fetched from, need each other")
        if self.lfs_url and not self.lfs:
            raise ValueError("without `lfs`, `lfs_url` would not be read: take it out")
        if self.lfs_url and not _ADDRESS.fullmatch(self.lfs_url):
            raise ValueError("`lfs_url` is an http or https address without a credential, a query or `..`")
        if unknown := [
            host for host in self.credentials if host not in {each.partition("=")[0] for each in self.hosts}
        ]:
            raise ValueError(f"`credentials` for {', '.join(unknown)}, which `hosts` does not list")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without ``prepare`` it is what it was before there was any, so that digests of policies stay (P15)."""
        fields: dict[str, Any] = serialized(self)
        later = {name for name in _ELSEWHERE if not fields[name]}
        if not self.prepare:
            later |= {"prepare", *_OF_PREPARE, "minutes"} | ({"kept_gb"} if self.kept_gb == _KEPT_GB else set())
        return {name: value for name, value in fields.items() if name not in later}


class FixerPolicy(Section):
    """One ``[[fixers]]`` entry: a tool of the owner's own that mends, in the check environment, without network."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
    fix: Argv
    """What mends, run on a copy of the whole tree. Twice on the same must give the same, and then nothing more.

    A word ``{files}`` stands for the text files that match `files`, as pre-commit hands them to a hook.
    """
    files: tuple[str, ...] = Field(min_length=1)
    """Patterns of the files that it may change; if it would change another, it is refused."""
    only: tuple[Regex, ...] = ()
    """Of these, ``{files}`` are those that each of these regular expressions finds, as a hook's `files` has them."""
    exclude: tuple[Regex, ...] = ()
    """Of these, ``{files}`` are those that none of these finds, as pre-commit's and a hook's `exclude` have them."""
    measure: tuple[str, ...] = ()
    """What names the files that it would change; empty: those are found by running `fix`."""
    paths: str = ""
    """JMESPath to the paths in the JSON that `measure` prints, one for each finding; empty: a path a line."""
    exit_codes: tuple[int, ...] = (0,)
    """Of both, when they worked: many say by 1 that there was something to mend."""
    seconds: Positive | None = None
    """Overrides ``sandbox.seconds``; may only be lower."""

    @model_serializer(mode="wrap")
    def _as_before(self, serialized: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without ``only`` and ``exclude`` it is what it was before there were any (P15)."""
        later = {name for name in ("only", "exclude") if not getattr(self, name)}
        return {name: value for name, value in serialized(self).items() if name not in later}


LOCK_FILES = {
    "uv.lock": ("uv.lock",),
    "poetry.lock": ("poetry.lock",),
    "pdm.lock": ("pdm.lock",),
    "package-lock.json": ("package-lock.json",),
    "pnpm-lock.yaml": ("pnpm-lock.yaml",),
    "yarn.lock": ("yarn.lock",),
    "go.mod": ("go.mod", "go.sum"),
    "Cargo.lock": ("Cargo.lock",),
}
"""By the name that `[dependencies]` says: the files beside it that an update changes."""


class DependencyPolicy(Section):
    """``[dependencies]``: releases of what is in the lock files, one package a pull request. A person merges each."""

    lock_files: tuple[RelativePath, ...] = Field(min_length=1)
    """Names of ``LOCK_FILES``, for example ``uv.lock``, or ``go.mod``, each with its path in the repository.

    They have to be in `environment.keyed_by`, and their protection to say `unless = ["dependency_update"]`.
    """
    on: bool = True
    minimum_age_days: Annotated[int, Field(ge=0, le=365)] = 7
    """A release has to be this old, by its registry's word. One that ends a known vulnerability need not."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if odd := [path for path in self.lock_files if path.rpartition("/")[2] not in LOCK_FILES]:
            raise ValueError(f"{odd[0]}: lock files of {', '.join(LOCK_FILES)} are understood")
        return self

    def files(self, lock_file: str) -> tuple[str, ...]:
        """What an update of one of them may change: nothing else in the repository."""
        folder, slash, name = lock_file.rpartition("/")
        return tuple(f"{folder}{slash}{each}" for each in LOCK_FILES[name])

    @property
    def every_file(self) -> frozenset[str]:
        """Of all of them."""
        return (
            frozenset(path for lock_file in self.lock_files for path in self.files(lock_file))
            if self.on
            else frozenset()
        )

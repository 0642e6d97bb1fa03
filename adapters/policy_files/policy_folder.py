"""The policy folder as a ``PolicySource`` (P6, P13)."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from adapters.forges.http.address import forge_address
from adapters.git.environment import branch_name
from adapters.git.remotes import checked_remote
from adapters.policy_files.complaints import check, dotted, nearest
from adapters.policy_files.policy_document import PolicyDocument, parsed, read, read_document
from adapters.policy_files.provenance import provenance
from policies.settings.alerts import AlertPolicy
from policies.settings.forge_access import AppAccess, TokenSource
from policies.settings.schema import Autopilot, Charter, EffectivePolicy, ProtectedPaths, Target
from policies.settings.tightening import Fault, faults, merge
from ports.forge import ForgeError
from ports.policy_source import PolicyError, Provenance, UnknownTarget
from ports.repository import RepositoryError

ALERTS_FILE = "alerts.toml"
_SHARED = (
    ("autopilot", "autopilot.toml"),
    ("protected_paths", "protected_paths.toml"),
    ("charter", "charter.toml"),
)


class PolicyFiles:
    """Reads ``autopilot.toml``, ``protected_paths.toml``, ``charter.toml`` and ``targets/<name>.toml``, each once."""

    def __init__(self, folder: Path, instead: Mapping[str, bytes] | None = None) -> None:
        """``instead``: bodies that are read in place of files of these names (``targets/demo.toml``)."""
        self._folder = folder
        self._instead = dict(instead or {})

    def instead(self, files: Mapping[str, bytes]) -> Self:
        """The same folder with other files in it."""
        return type(self)(self._folder, {**self._instead, **files})

    def text(self, file: str) -> str:
        """A file as it is.

        Raises:
            PolicyError: missing, unreadable, not UTF-8.
        """
        body = self._body(file)
        if isinstance(body, str):
            raise PolicyError(body)
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise PolicyError(f"{file} is not UTF-8") from error

    def names(self) -> tuple[str, ...]:
        """Known targets, sorted; editors' hidden files are none."""
        found = (self._folder / "targets").glob("*.toml")
        return tuple(sorted(path.stem for path in found if not path.name.startswith(".")))

    def effective(self, target: str) -> EffectivePolicy:
        """Read, check, merge, tighten, digest.

        Raises:
            PolicyError: everything that is wrong, one line each.
        """
        return self._load(target)[0]

    def alerts(self) -> AlertPolicy:
        """``alerts.toml``, for the whole installation; without the file, its defaults.

        It is no part of an effective policy or of its digest: who hears of a run changes nothing that a run may do, and
        a new channel must not void the runs under way.

        Raises:
            PolicyError: everything that is wrong, one line each.
        """
        if not (self._folder / ALERTS_FILE).exists():
            return AlertPolicy()
        complaints: list[str] = []
        policy = check(read_document(self._folder, ALERTS_FILE), AlertPolicy, complaints)
        if policy is None:
            raise PolicyError("\n".join(complaints))
        return policy

    def explain(self, target: str) -> tuple[Provenance, ...]:
        """Every effective value with its source; read in one go with the values."""
        return tuple(provenance(*self._load(target)))

    def _load(self, target: str) -> tuple[EffectivePolicy, dict[str, PolicyDocument]]:
        self._known(target)
        files = (*_SHARED, ("target", f"targets/{target}.toml"))
        bodies = tuple((name, file, self._body(file)) for name, file in files)
        # Every step of a run asks: what the same bytes say is known.
        return _understood(self._folder, target, bodies)

    def _body(self, file: str) -> bytes | str:
        """What it holds, or why it cannot be read."""
        if file in self._instead:
            return self._instead[file]
        try:
            return read(self._folder, file)
        except PolicyError as error:
            return str(error)

    def _known(self, target: str) -> None:
        # Only a listed name becomes a path: "../x" is no target.
        names = self.names()
        if target not in names:
            hint = nearest(target, list(names)) if names else "there are none yet; make one with `starter.py init`"
            raise UnknownTarget(f"no {self._folder / 'targets'}/{target}.toml: {hint}")


@functools.lru_cache(maxsize=256)
def _understood(
    folder: Path, target: str, bodies: tuple[tuple[str, str, bytes | str], ...]
) -> tuple[EffectivePolicy, dict[str, PolicyDocument]]:
    complaints: list[str] = []
    documents: dict[str, PolicyDocument] = {}
    for name, file, body in bodies:
        if isinstance(body, str):
            complaints.append(body)
            continue
        try:
            documents[name] = parsed(folder, file, body)
        except PolicyError as error:
            complaints.append(str(error))
    if complaints:
        raise PolicyError("\n".join(complaints))
    autopilot = check(documents["autopilot"], Autopilot, complaints)
    protected = check(documents["protected_paths"], ProtectedPaths, complaints)
    charter = check(documents["charter"], Charter, complaints)
    own = check(documents["target"], Target, complaints)
    if not (autopilot and protected and charter and own):
        raise PolicyError("\n".join(complaints))
    found = [*faults(autopilot, protected, charter, own), *_identity(own, target)]
    if found:
        raise PolicyError("\n".join(_line(fault, documents[fault.file]) for fault in found))
    return merge(autopilot, protected, charter, own), documents


def _identity(own: Target, target: str) -> list[Fault]:
    found = []
    if own.name != target:
        found.append(Fault("target", ("name",), f"{own.name!r} differs from the file's name, {target!r}"))
    try:
        ZoneInfo(own.time_zone)
    except (KeyError, ValueError, OSError):
        problem = f"{own.time_zone!r} is no IANA time zone, for example Europe/Oslo"
        found.append(Fault("target", ("time_zone",), problem))
    for key, demand, value in (("remote", checked_remote, own.remote), ("base_branch", branch_name, own.base_branch)):
        try:
            demand(value)
        except RepositoryError as refused:
            # Here, before the policy is kept with a run: an artifact must not hold a credential.
            found.append(Fault("target", (key,), str(refused)))
    if own.forge != "local":
        found += [Fault("target", ("forge_access",), problem) for problem in _forge_faults(own)]
    return found


def _forge_faults(own: Target) -> Iterator[str]:
    if not own.forge_access.account:
        yield "account must be set: the login that the writing token belongs to"
    for name in ("write", "read"):
        source: TokenSource = getattr(own.forge_access, name)
        if source.variable and source.command:
            yield f"{name} must name a variable or a command, not both"
    yield from _app_faults(own)
    try:
        forge_address(own)
    except ForgeError as refused:
        yield str(refused)


def _app_faults(own: Target) -> Iterator[str]:
    access, app = own.forge_access, own.forge_access.app
    if not app.id:
        if app != AppAccess():
            yield "app.id must be set: the App's id or client id"
        return
    if own.forge != "github":
        yield f"app is for a forge of kind github, not {own.forge}"
    if not app.installation:
        yield "app.installation must be set: the number of the App's installation"
    if bool(app.key.variable) == bool(app.key.command):
        yield "app.key must name a variable or a command, and not both"
    if access.write != TokenSource() or access.read != TokenSource():
        yield "app takes the place of write and read: leave them out"
    if not access.account.endswith("[bot]"):
        yield "account of an App is its slug with [bot] at the end"


def _line(fault: Fault, document: PolicyDocument) -> str:
    return f"{document.at(fault.key)}: {dotted(fault.key)}: {fault.problem}"

"""One target's policy out of the bytes of its four files, or every fault in them, a line each."""

import functools
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.agents.backends import BACKENDS, KNOWN
from adapters.forges.http.address import forge_address
from adapters.forges.kinds import FORGES
from adapters.git.environment import branch_name
from adapters.git.remotes import checked_remote
from adapters.policy_files.complaints import check, dotted
from adapters.policy_files.policy_document import PolicyDocument, parsed
from policies.agents.charter import charter_faults
from policies.settings.charter import Charter
from policies.settings.forge_access import AppAccess, TokenSource
from policies.settings.schema import Autopilot, EffectivePolicy, ProtectedPaths, Target
from policies.settings.section import nearest
from policies.settings.sources import Sources
from policies.settings.tasks import Tasks
from policies.settings.tightening import Fault, faults, merge
from ports.forge import ForgeError
from ports.policy_source import PolicyError
from ports.repository import RepositoryError


@functools.lru_cache(maxsize=256)
def understood(
    folder: Path, target: str, bodies: tuple[tuple[str, str, bytes | str], ...]
) -> tuple[EffectivePolicy, dict[str, PolicyDocument]]:
    """The policy that these bytes make, and its documents; a body that is text is why a file cannot be read.

    Raises:
        PolicyError: everything that is wrong, one line each.
    """
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
    sources = check(documents["sources"], Sources, complaints) if "sources" in documents else Sources()
    standing = check(documents["tasks"], Tasks, complaints) if "tasks" in documents else Tasks()
    if not (autopilot and protected and charter and own and sources and standing):
        raise PolicyError("\n".join(complaints))
    agents = charter_faults(charter, protected, autopilot.caps, KNOWN)
    shape = faults(autopilot, protected, charter, own, standing)
    found = [*shape, *_backends(charter), *agents, *_identity(own, target)]
    if found:
        raise PolicyError("\n".join(_line(fault, documents[fault.file]) for fault in found))
    return merge(autopilot, protected, charter, own, sources, standing), documents


def _backends(charter: Charter) -> Iterator[Fault]:
    """Which backends there are is for their table to say, and no matter of a schema."""
    for role, role_policy in charter.roles.items():
        if role_policy.backend not in BACKENDS:
            problem = f"{role_policy.backend!r} is no backend; {nearest(role_policy.backend, list(BACKENDS))}"
            yield Fault("charter", ("roles", role.value, "backend"), problem)


_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones: another one on each machine, while server and workers must agree on what day it is."""


def _identity(own: Target, target: str) -> list[Fault]:
    found = []
    if own.name != target:
        found.append(Fault("target", ("name",), f"{own.name!r} differs from the file's name, {target!r}"))
    try:
        known = own.time_zone not in _NO_PLACES and ZoneInfo(own.time_zone)
    except (KeyError, ValueError, OSError):
        known = False
    if not known:
        problem = f"{own.time_zone!r} is no IANA time zone, for example Europe/Oslo"
        found.append(Fault("target", ("time_zone",), problem))
    for key, demand, value in (("remote", checked_remote, own.remote), ("base_branch", branch_name, own.base_branch)):
        try:
            demand(value)
        except RepositoryError as refused:
            # Here, before the policy is kept with a run: an artifact must not hold a credential.
            found.append(Fault("target", (key,), str(refused)))
    if own.forge not in FORGES:
        # The schema knows a word; which forges are built, their table alone.
        problem = f"{own.forge!r} is not valid; {nearest(own.forge, list(FORGES))}"
        found.append(Fault("target", ("forge",), problem))
    elif own.forge != "local":
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
    if not FORGES[own.forge].app_token:
        able = ", ".join(name for name, kind in FORGES.items() if kind.app_token)
        yield f"app is for a forge of kind {able}, not {own.forge}"
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

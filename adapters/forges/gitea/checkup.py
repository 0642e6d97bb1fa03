"""Whether a target's Gitea can be used as its file says: nothing is changed, one clear sentence each."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from adapters.forges.gitea.api import GiteaRepository
from adapters.forges.http.address import forge_address
from adapters.forges.http.tokens import read_token
from contracts.forge_facts import AccessFinding
from policies.run.obstacles import cure, one_cure_each
from policies.run.strangers import OURS
from policies.settings.schema import Target
from ports.forge import ForgeError

_NO_BRANCH = f"{OURS}~"
"""No branch can be called so: asked to delete it, Gitea says whether it is protected, and deletes nothing."""


def check_gitea(target: Target) -> Iterator[AccessFinding]:
    """The address, each token, whose it is, what it may do, and whether the base's protection can be read."""
    return one_cure_each(_rows(target))


def _rows(target: Target) -> Iterator[AccessFinding]:
    said = target.forge_access
    try:
        address = forge_address(target)
        writing = read_token(said.write, "forge_access.write")
        reading = read_token(said.read, "forge_access.read")
    except ForgeError as problem:
        yield AccessFinding(name="token", ok=False, detail=str(problem), remedy="set it where the worker runs")
        return
    if not writing:
        remedy = f"set [forge_access.write] in targets/{target.name}.toml"
        yield AccessFinding(name="token", ok=False, detail="no token to write with is named", remedy=remedy)
        return
    yield AccessFinding(name="token", ok=True, detail="the token to write with is there")
    writer = GiteaRepository(address.api, address.repository, said.account, writing)
    yield from _account(writer, target)
    rights = list(_rights(writer, address.repository, target))
    yield from rights
    if all(row.ok for row in rights):
        yield from _own_branches(writer, target)
    yield from _tickets(writer, address.repository, target)
    yield from _base_right(writer, target)
    yield from _protection(GiteaRepository(address.api, address.repository, said.account, reading), target)


def _account(writer: GiteaRepository, target: Target) -> Iterator[AccessFinding]:
    account = target.forge_access.account
    try:
        found = writer.account_of_token()
    except ForgeError as problem:
        yield AccessFinding(name="account", ok=False, detail=str(problem), remedy=cure(str(problem), target))
        return
    same = bool(account) and found.lower() == account.lower()
    detail = f"the token belongs to {found}" + ("" if same else f", forge_access.account is {account or 'not set'}")
    yield AccessFinding(
        name="account", ok=same, detail=detail, remedy=f'set account = "{found}", or that account\'s token'
    )


def _rights(writer: GiteaRepository, repository: str, target: Target) -> Iterator[AccessFinding]:
    try:
        found: Any = writer.http.get(f"/repos/{repository}")
        push = bool(found["permissions"]["push"])
    except (ForgeError, KeyError, TypeError) as problem:
        detail = str(problem) if isinstance(problem, ForgeError) else "the forge does not say what the account may do"
        yield AccessFinding(name="rights", ok=False, detail=detail, remedy=cure(detail, target))
        return
    if found.get("archived"):
        detail = f"{repository} is archived: nobody may push, open or merge"
        yield AccessFinding(name="rights", ok=False, detail=detail, remedy=cure(detail, target))
        return
    detail = f"the account may {'' if push else 'not '}push to {repository}"
    remedy = "give the account write access to the repository"
    yield AccessFinding(name="rights", ok=push, detail=detail, remedy=remedy)


def _own_branches(writer: GiteaRepository, target: Target) -> Iterator[AccessFinding]:
    """A protection that covers our branches; only administrators are told of its rules, writers what a branch takes."""
    account = target.forge_access.account
    try:
        reply = writer.act("DELETE", f"/branches/{_NO_BRANCH}")
        if reply.status == HTTPStatus.NOT_FOUND:
            return
        ours = writer.our_branch()
        if ours and writer.branch(ours).user_can_push:
            return
        if ours:
            detail = f"{ours} is a protected branch, and takes no push of {account}"
        elif reply.status == HTTPStatus.FORBIDDEN and "protected" in reply.said:
            detail = f"{OURS}** is a protected branch, and could not find out whether it takes pushes of {account}"
        else:
            said = writer.http.complaint(reply, f"the question whether {OURS}** is protected")
            detail = f"could not find out whether {account} may push {OURS}**: {said}"
    except ForgeError as problem:
        detail = f"could not find out whether {account} may push {OURS}**: {problem}"
    yield AccessFinding(name="branches", ok=False, detail=detail, remedy=cure(detail, target))


def _tickets(writer: GiteaRepository, repository: str, target: Target) -> Iterator[AccessFinding]:
    """Incidents and the dashboard are tickets. Asked by a change of ticket 0, which no repository has."""
    try:
        if not writer.http.get(f"/repos/{repository}").get("has_issues", True):
            remedy = "turn on issues in the repository's settings, or set dashboard = false"
            yield AccessFinding(name="tickets", ok=False, detail=f"{repository} has no tickets", remedy=remedy)
            return
        reply = writer.act("PATCH", "/issues/0", title="")
    except (ForgeError, AttributeError):
        # The rows before this one say why nothing can be asked.
        return
    if reply.status == HTTPStatus.FORBIDDEN:
        detail = writer.http.complaint(reply, "the question for the right to write tickets")
        yield AccessFinding(name="tickets", ok=False, detail=detail, remedy=cure(detail, target))


def _base_right(writer: GiteaRepository, target: Target) -> Iterator[AccessFinding]:
    """Only a rollback by commit needs to push to the base."""
    if target.rollback_strategy != "revert_commit":
        return
    try:
        found = writer.branch(target.base_branch)
    except ForgeError:
        return
    if not found.user_can_push:
        detail = f"{target.base_branch} takes no push of the account, and rollback_strategy is revert_commit"
        remedy = f'set rollback_strategy = "revert_pr" in targets/{target.name}.toml'
        yield AccessFinding(name="rollback", ok=False, detail=detail, remedy=remedy)


def _protection(reader: GiteaRepository, target: Target) -> Iterator[AccessFinding]:
    try:
        found = reader.branch(target.base_branch)
    except ForgeError as problem:
        yield AccessFinding(name="protection", ok=False, detail=str(problem), remedy=cure(str(problem), target))
        return
    checks = ", ".join(found.status_check_contexts or ()) if found.enable_status_check else ""
    protected = f"protected, required checks: {checks or 'none'}" if found.protected else "not protected"
    yield AccessFinding(name="protection", ok=True, detail=f"{target.base_branch} is {protected}")

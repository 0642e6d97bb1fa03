"""Whether a target's GitHub can be used as its file says: read only, one clear sentence each."""

from collections.abc import Iterator
from http import HTTPStatus

from adapters.forges.github.answers import Rights
from adapters.forges.github.api import GitHubRepository
from adapters.forges.http.address import forge_address
from adapters.forges.http.shapes import shaped
from adapters.forges.http.tokens import TOKEN_VARIABLE, reading_token, writing_environment
from contracts.forge_facts import AccessFinding
from policies.run.obstacles import cure, one_cure_each
from policies.run.strangers import OURS
from policies.settings.schema import Target
from ports.forge import ForgeError, NotShown

_REFUSE = frozenset(
    {
        "creation", "update", "pull_request", "required_status_checks", "required_signatures",
        "required_deployments", "merge_queue", "workflows",
    }
)  # fmt: skip
"""Rules under which a branch takes no push of ours."""
_ALLOW = frozenset(
    {
        "deletion", "non_fast_forward", "required_linear_history", "copilot_code_review", "max_file_size",
        "max_file_path_length", "file_path_restriction", "file_extension_restriction",
    }
)  # fmt: skip
"""Rules that do not keep a new branch out for whose it is; what others ask for is nothing that a look can tell."""


def check_github(target: Target) -> Iterator[AccessFinding]:
    """The address, each token (of an App: made for this look), whose it is, and whether the base can be read."""
    return one_cure_each(_rows(target))


def _rows(target: Target) -> Iterator[AccessFinding]:
    said = target.forge_access
    try:
        address = forge_address(target)
        writing = writing_environment(target)[TOKEN_VARIABLE]
        reading = reading_token(target)
    except ForgeError as problem:
        remedy = f"see [forge_access] in targets/{target.name}.toml; variables are set where the worker runs"
        yield AccessFinding(name="token", ok=False, detail=str(problem), remedy=remedy)
        return
    yield AccessFinding(name="token", ok=True, detail="the token to write with is there")
    writer = GitHubRepository(address.api, address.repository, said.account, writing)
    yield _account(writer, target)
    try:
        found = shaped(Rights, writer.http.get(f"/repos/{address.repository}"))
        yield from _rights(found, address.repository, target)
        if not found.archived and (found.permissions is None or found.permissions.push):
            if found.has_issues:
                yield from _tickets(writer, target)
            yield _own_branches(writer, target)
    except NotShown as problem:
        remedy = f"give {said.account} access to it, or set `remote` in targets/{target.name}.toml"
        yield AccessFinding(name="rights", ok=False, detail=str(problem), remedy=f"{remedy} to its address of now")
        return
    except ForgeError as problem:
        yield AccessFinding(name="rights", ok=False, detail=str(problem), remedy=cure(str(problem), target))
    yield _base(GitHubRepository(address.api, address.repository, said.account, reading), target)


def _account(writer: GitHubRepository, target: Target) -> AccessFinding:
    account = target.forge_access.account
    try:
        found = writer.account_of_token()
    except ForgeError as problem:
        return AccessFinding(name="account", ok=False, detail=str(problem), remedy=cure(str(problem), target))
    same = bool(account) and found.lower() == account.lower()
    detail = f"the token belongs to {found}" + ("" if same else f", forge_access.account is {account or 'not set'}")
    remedy = f'set account = "{found}", or that account\'s token'
    return AccessFinding(name="account", ok=same, detail=detail, remedy=remedy)


def _rights(found: Rights, repository: str, target: Target) -> Iterator[AccessFinding]:
    """What keeps the account from pushing and from tickets, as far as GitHub says."""
    if found.archived:
        detail = f"{repository} is archived: nobody may push, open or merge"
        yield AccessFinding(name="rights", ok=False, detail=detail, remedy=cure(detail, target))
        return
    if found.permissions is not None:
        push = found.permissions.push
        detail = f"the account may {'' if push else 'not '}push to {repository}"
        remedy = "give the account write access to the repository"
        yield AccessFinding(name="rights", ok=push, detail=detail, remedy=remedy)
    if not found.has_issues:
        remedy = "turn on issues in the repository's settings, or set dashboard = false"
        yield AccessFinding(name="tickets", ok=False, detail=f"{repository} has no tickets", remedy=remedy)


def _tickets(writer: GitHubRepository, target: Target) -> Iterator[AccessFinding]:
    """Incidents and the dashboard are tickets. Asked by a change of ticket 0, which no repository has."""
    reply = writer.act("PATCH", "/issues/0", title="")
    if reply.status == HTTPStatus.FORBIDDEN:
        detail = writer.http.complaint(reply, "the question for the right to write tickets")
        access = target.forge_access
        holder = "the App" if access.app.id else f"the token of the variable {access.write.variable}"
        remedy = f"give {holder} the permission Issues: read and write"
        yield AccessFinding(name="tickets", ok=False, detail=detail, remedy=remedy)


def _own_branches(writer: GitHubRepository, target: Target) -> AccessFinding:
    """What rulesets and classic protection lay on our branches, as far as GitHub tells whoever may write."""
    account, unknown = target.forge_access.account, f"could not find out whether {target.forge_access.account} may push"
    ok, remedy = False, ""
    try:
        rules = writer.rules(f"{OURS}new")
        kinds = {rule.type: rule for rule in rules if rule.type not in _ALLOW and not writer.passes(rule)}
        if kinds:
            refused = [kind for kind in kinds if kind in _REFUSE]
            rule = kinds[(refused or [*kinds])[0]]
            what = f"a ruleset lets {account} push no {OURS}**" if refused else f"{unknown} {OURS}** under a ruleset"
            detail = f"{what}: {', '.join(refused or kinds)}"
            remedy = f"add {account} to the bypass list of ruleset {rule.ruleset_id} of {rule.ruleset_source}, "
            remedy += f"or take {OURS}** out of it"
        elif not rules and (ours := writer.protected_branch(OURS)):
            detail = f"{ours} is protected: {unknown} to this protected branch, GitHub tells administrators alone"
        else:
            ok, detail = True, f"no ruleset keeps {account} from {OURS}**"
            detail += "" if rules else f"; could not find out about classic protection of them: none of {OURS}** is"
    except ForgeError as problem:
        detail = f"{unknown} {OURS}**: {problem}"
    return AccessFinding(name="branches", ok=ok, detail=detail, remedy="" if ok else remedy or cure(detail, target))


def _base(reader: GitHubRepository, target: Target) -> AccessFinding:
    try:
        found = reader.branch(target.base_branch)
    except ForgeError as problem:
        return AccessFinding(name="protection", ok=False, detail=str(problem), remedy=cure(str(problem), target))
    protected = "protected" if found.protected else "not protected"
    return AccessFinding(name="protection", ok=True, detail=f"{target.base_branch} is {protected}")

"""``init``: a look at a repository, its checks tried on its base, a target file for a person to read."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from commands.doctor import Found, target_findings
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.introduction import POLICY_FILES, InitRequest, Introduction, introduce
from commands.terminal import AsJson, emit, err, guarded, operator_name, say, show
from composition import FORGES, compose
from contracts.modes import Mode
from policies.settings.forge_access import ForgeAccess, TokenSource
from policies.settings.schema import CheckKind
from ports.policy_source import PolicyError
from settings import SHIPPED_POLICIES, Settings

EPILOG = (
    "Examples: `starter.py init ~/src/project` · `starter.py init /srv/git/project.git --name project` · "
    "`starter.py init https://git.example.org/team/project.git --forge gitea --account bot --write-variable BOT_TOKEN`"
)
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!:)")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


@guarded
def init(
    repository: Annotated[str, typer.Argument(help="A folder with a git repository (bare or not), or its URL.")],
    name: Annotated[str | None, typer.Option(help="The target's name; default: derived from the repository's.")] = None,
    base_branch: Annotated[
        str | None, typer.Option(help="Default: the branch that the remote's HEAD points to.")
    ] = None,
    maximum_mode: Annotated[
        Mode | None, typer.Option(help="The highest mode its runs may ever have; default: the installation's.")
    ] = None,
    forge: Annotated[
        str | None, typer.Option(help="local, gitea (also Forgejo) or github; default: told from the address.")
    ] = None,
    account: Annotated[str, typer.Option(help="The login on the forge that opens our pull requests.")] = "",
    write_variable: Annotated[
        str, typer.Option(help="The worker's environment variable with that login's token.")
    ] = "",
    read_variable: Annotated[str, typer.Option(help="The variable with a read-only token, if one is needed.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the target's file.")] = False,
    as_json: AsJson = False,
) -> int:
    """Look at a repository and write a commented policies/targets/<name>.toml. No server needed.

    Layout, tests, linters and requirements are read, never executed. The checks it proposes run in the sandbox on the
    base commit; those that are green become the target's required checks. Read the file before the first run.
    """
    settings = Settings()
    remote = _remote(repository)
    chosen = name if name is not None else _name_of(remote)
    if not _NAME.fullmatch(chosen):
        message = (
            f"{chosen!r} is not a target name: use lower-case letters, digits and . _ - only; choose one with --name"
        )
        raise CommandFailed(Exit.USAGE, message)
    file = settings.policies / "targets" / f"{chosen}.toml"
    if file.exists() and not force:
        message = f"{file} exists already and was left alone: choose another --name, or overwrite it with --force"
        raise CommandFailed(Exit.REFUSED, message)
    kind, access = choose_forge(remote, forge, account, write_variable, read_variable)
    filled = fill_empty(settings.policies)
    if filled:
        say(
            f"{settings.policies} was empty: filled with the shipped {', '.join(filled)}; read them, they are yours now"
        )
    today = datetime.now(UTC).date()
    request = InitRequest(remote, chosen, base_branch, operator_name(), today, maximum_mode, kind, access)
    with err.status("looking"):
        found = introduce(compose(settings), request, say)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found.text, encoding="utf-8")
    missing = forge_troubles(settings, chosen)
    if as_json:
        emit(
            {
                "target": chosen,
                "file": str(file),
                "remote": remote,
                "baseBranch": found.base_branch,
                "baseSha": found.base,
                "checks": [check.name for check in found.kept],
                "leftOut": {check.name: reason for check, reason in found.dropped},
                "advisory": found.advisory,
                "filled": list(filled),
                "findings": [
                    {"name": name, "detail": detail, "remedy": remedy} for name, _ok, detail, remedy in missing
                ],
            }
        )
        return Exit.OK
    _show(found, file, chosen)
    for row, _ok, detail, remedy in missing:
        show(f"  not ok   {row}: {detail}", "red")
        show(f"           {remedy}")
    return Exit.OK


def forge_troubles(settings: Settings, name: str) -> list[Found]:
    """What of its forge and CI would keep the new target's runs, before one waits for it."""
    adapters = compose(settings)
    try:
        target = adapters.policies.effective(name).target
    except PolicyError as problem:
        return [(f"{name} file", False, str(problem), "correct the file: starter.py policy check")]
    return [found for found in target_findings(adapters, target) if not found[1]]


def fill_empty(folder: Path) -> tuple[str, ...]:
    """Copy the shipped policy files into a folder that is not there or holds no TOML file; their names, or nothing.

    One file of the owner's is enough to leave everything as it is: what is missing beside it is missing on purpose, or
    by mistake, and the loader says which.
    """
    if folder.is_dir() and any(folder.rglob("*.toml")):
        return ()
    folder.mkdir(parents=True, exist_ok=True)
    shipped = [SHIPPED_POLICIES / name for name in (*POLICY_FILES, "alerts.toml")]
    for file in shipped:
        shutil.copyfile(file, folder / file.name)
    return tuple(file.name for file in shipped)


def _show(found: Introduction, file: Path, name: str) -> None:
    show(f"wrote {file}", "bold")
    show(f"  base     {found.base_branch} at {found.base[:12]}")
    if prepare := found.survey.environment.prepare:
        show(f"  prepare  {'; '.join(' '.join(argv) for argv in prepare)}")
    else:
        show(f"  layout   {found.survey.layout}, imports {', '.join(found.survey.imports) or 'nothing'}")
    nothing = "none of them was green on the base" if found.survey.checks else "none"
    show(f"  checks   {', '.join(check.name for check in found.kept) or nothing}")
    for check_name, reason in found.advisory.items():
        show(f"  advisory {check_name}: {reason}")
    for check, reason in found.dropped:
        show(f"  left out {check.name}: {reason}")
    # Where nothing could be tried, the first note said why already.
    for note in found.survey.notes[0 if found.survey.checks else 1 :]:
        show(f"  note     {note}")
    if not found.kept:
        say("without a required check every run will be refused: add one to [[checks]]", "yellow")
    elif not any(check.kind is CheckKind.TESTS for check in found.kept):
        say("no tests are required, so the mode stops at PR_ONLY", "yellow")
    say("who is told when something goes wrong: alerts.toml in the policy folder, then `starter.py alerts test`")
    say(f"read the file, then: starter.py run {name} --mode DRY_RUN --embedded")


def choose_forge(
    remote: str, forge: str | None, account: str, write_variable: str, read_variable: str
) -> tuple[str, ForgeAccess]:
    """The kind and its ``[forge_access]``.

    Raises:
        CommandFailed: which forge it is cannot be told, or something it needs is missing.
    """
    host = _host(remote)
    public = (name for name, kind in FORGES.items() if host in kind.public_hosts)
    named = forge or ("local" if host is None else next(public, ""))
    if not named:
        message = f"which forge {host} runs cannot be told from its address: say --forge gitea (also for Forgejo) or "
        raise CommandFailed(Exit.USAGE, f"{message}--forge github; --forge local keeps pull requests as records here")
    if named not in FORGES:
        raise CommandFailed(Exit.USAGE, f"--forge {named} is none of {', '.join(FORGES)}")
    has_access = bool(account or write_variable or read_variable)
    if named == "local":
        if has_access:
            raise CommandFailed(
                Exit.USAGE, "--account and the variables are for a forge with an API: say which by --forge"
            )
        return named, ForgeAccess()
    if host is None:
        raise CommandFailed(Exit.USAGE, f"{remote} is a folder, no repository of a {named}: give its https or ssh URL")
    for option, value in (("--account", account), ("--write-variable", write_variable)):
        if not value:
            raise CommandFailed(Exit.USAGE, f"a {named} needs {option}; the README shows which token it is about")
    return named, ForgeAccess(
        account=account, write=TokenSource(variable=write_variable), read=TokenSource(variable=read_variable)
    )


def _host(remote: str) -> str | None:
    """The host in lower case; None for a remote on this machine."""
    if "://" in remote:
        url = urlsplit(remote)
        return None if url.scheme == "file" else (url.hostname or "")
    found = _SCP_LIKE.match(remote)
    return found[1].lower() if found else None


def _remote(address: str) -> str:
    """A URL unchanged; a folder as the absolute path of its repository."""
    if "://" in address or re.match(r"[^/]+@?[^/]*:", address):
        return address
    path = Path(address).expanduser().resolve()
    if not path.is_dir():
        raise CommandFailed(
            Exit.USAGE, f"{path} is no folder: name a git repository's folder, or a URL with its scheme"
        )
    for folder in (path, *path.parents):
        if (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir()):
            return str(folder)
    raise CommandFailed(Exit.USAGE, f"{path} is not inside a git repository: make one with `git init` and commit")


def _name_of(remote: str) -> str:
    path = urlsplit(remote).path if "://" in remote else remote
    name = path.rstrip("/").removesuffix("/.git").replace(":", "/").rpartition("/")[2].removesuffix(".git")
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:80]

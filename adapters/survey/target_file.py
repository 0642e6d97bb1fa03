"""Writes ``targets/<name>.toml`` for a person to read: every setting with its reason."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from enum import Enum

import tomlkit

from adapters.survey.surveyor import Survey
from contracts.modes import Mode
from policies.paths.canonical import readable
from policies.settings.environment import EnvironmentPolicy, FixerPolicy
from policies.settings.forge_access import ForgeAccess
from policies.settings.schema import CheckPolicy, Target


def render_target(
    survey: Survey,
    name: str,
    remote: str,
    base_branch: str,
    today: date,
    by: str,
    kept: Iterable[CheckPolicy],
    dropped: Iterable[tuple[CheckPolicy, str]] = (),
    maximum_mode: Mode | None = None,
    forge: str = "local",
    access: ForgeAccess | None = None,
    advisory: Mapping[str, str] | None = None,
) -> str:
    """The file's text.

    Args:
        survey: what was seen.
        name: the target's; also the file's.
        remote: path or URL.
        base_branch: where changes go.
        today: stands in ``[review]``: whoever runs ``init`` has looked at it.
        by: who that is.
        kept: checks that were green on the base.
        dropped: the others, with the reason; they stay as comments.
        maximum_mode: to go no further than this.
        forge: its kind.
        access: how one with an API is reached; names of variables, never a token.
        advisory: why a kept check is not required, by its name.

    Raises:
        pydantic.ValidationError: a value that the loader would refuse, so no broken file is ever written.
    """
    kept = tuple(kept)
    # Tables come after every plain setting.
    lines = [
        *_head(survey, name, remote, base_branch, forge),
        *_limits(survey, kept, maximum_mode),
        *_access(access or ForgeAccess()),
        *_review(today, by),
    ]
    # Where no Python is looked at there is nothing to opt in to.
    improve = _improve() if survey.checks and survey.layout != "none" else ()
    lines += [*_environment(survey), *improve, *_ci(), *_checks(kept, dropped, advisory or {})]
    lines += [*_fixers(survey.fixers), *_dependencies(survey)]
    text = "\n".join(lines) + "\n"
    Target.model_validate(tomlkit.parse(text).unwrap())
    return text


def _head(survey: Survey, name: str, remote: str, base_branch: str, forge: str) -> Iterator[str]:
    yield f"# The target {readable(name)}, as `starter.py init` saw it. Settings may only tighten autopilot.toml."
    if not survey.environment.prepare or survey.layout != "none":
        yield f"# Layout: {survey.layout}; imports: {', '.join(survey.imports) or 'none found'}."
        yield f"# Linters configured: {', '.join(survey.linters) or 'none'}."
    yield from (_comment(note) for note in survey.notes)
    yield ""
    yield from _settings({"name": name, "remote": remote, "base_branch": base_branch})
    if forge != "local":
        yield from _settings({"forge": forge})
    yield 'time_zone = "UTC"   # the day of "one run a day", for example "Europe/Oslo"'
    yield ""


def _limits(survey: Survey, kept: tuple[CheckPolicy, ...], maximum_mode: Mode | None) -> Iterator[str]:
    yield "# What a task may change at most: gitignore-style patterns, or exact paths."
    yield from _settings({"allowed_paths": survey.allowed_paths})
    yield ""
    if not any(check.kind.value == "tests" and check.required for check in kept):
        yield "# No tests prove a change here, so a person always merges."
        yield f'maximum_mode = "{Mode.DRY_RUN if maximum_mode is Mode.DRY_RUN else Mode.PR_ONLY}"'
    elif maximum_mode is not None:
        yield f'maximum_mode = "{maximum_mode}"'
    else:
        yield '# maximum_mode = "DRY_RUN"   # to go no further than this'
    yield ""


def _improve() -> Iterator[str]:
    yield "# Proposed is what the repository itself selects (ruff, pre-commit, codespell), and of that"
    yield "# only what is proven to change nothing. More is a matter of taste; here you opt in."
    yield "[improve]"
    yield '# ruff = ["UP", "I"]          # further rules or families; the repository\'s own `ignore` still counts'
    yield "# pins = true                # one version where requirement files disagree: changes what is installed"
    yield "# tests = false              # list no flaky or idle tests, and no new lines that none runs"
    yield ""


def _access(access: ForgeAccess) -> Iterator[str]:
    if not access.account:
        return
    yield "# Whose pull requests are ours, and which variables of the worker hold the tokens."
    yield "[forge_access]"
    yield from _settings({"account": access.account})
    for name, source in (("write", access.write), ("read", access.read)):
        if source.variable:
            yield from _settings({f"{name}.variable": source.variable})
    yield ""


def _review(today: date, by: str) -> Iterator[str]:
    yield "# Who last looked at the whole effective policy (`starter.py policy explain`), and when."
    yield "[review]"
    yield f"on = {today.isoformat()}"
    yield from _settings({"by": by})
    yield ""


def _environment(survey: Survey) -> Iterator[str]:
    if survey.environment.prepare:
        yield from _prepared(survey.environment)
        return
    yield "# Where the checks run: wheels only; nothing of the repository is executed outside the sandbox."
    yield "[environment]"
    yield from _settings(
        survey.environment.model_dump(exclude={"python"} if survey.environment.without else {"python", "without"})
    )
    if survey.environment.without:
        yield "# `without`: required, but there is no wheel of it; what needs it was not checked."
    yield ""


_SAID_OF_PREPARE = {
    "prepare": "Run once, on the base, in the sandbox, with no network but `hosts`; what is left in /env is kept.",
    "toolchains": "Folders of this machine that are shown inside; their bin is on PATH.",
    "keyed_by": "With the same ones it is not done again. A change to one is prepared again, and a person merges it.",
    "hosts": "What this machine's own clients named. Read it: `prepare` runs the repository's code.",
    "keep": "What `prepare` makes in the tree: every check gets its own copy.",
    "variables": "",
    "submodules": "Of the base's own commits, by the worker; `prepare` and checks find them in their tree.",
    "git_hosts": "What `.gitmodules` names; no other host is asked, whatever it says later.",
    "lfs": "Seen in place of pointers, of the server of `remote`; trees, and what is committed, keep the pointers.",
}


def _prepared(environment: EnvironmentPolicy) -> Iterator[str]:
    yield "# Where the checks run: prepared once, then used without network."
    yield "[environment]"
    for name, reason in _SAID_OF_PREPARE.items():
        if value := getattr(environment, name):
            yield from ([f"# {reason}"] if reason else [])
            shown = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
            yield from _settings(shown)
    yield ""


def _ci() -> Iterator[str]:
    yield "# With a forge that has CI: checks that must be green there, beside those its branch protection demands."
    yield "# [ci]"
    yield '# required = ["CI / test"]   # exact names; one that nobody reports is not green'
    yield "# minutes = 60              # how long a run waits for results"
    yield ""


_NOTHING_TRIED = (
    "None was: every run is refused until there is one. Write what this repository's own CI runs, for example (Go):",
    "[[checks]]",
    'name = "tests"',
    'kind = "tests"',
    'argv = ["/usr/local/go/bin/go", "test", "./..."]',
    "They run in the sandbox without network: what they need must be in the repository or below /usr.",
)


def _checks(
    kept: tuple[CheckPolicy, ...], dropped: Iterable[tuple[CheckPolicy, str]], reasons: Mapping[str, str]
) -> Iterator[str]:
    yield "# Green on the base when this file was written. Each is an argv list, never a shell line."
    if not (kept := tuple(kept)):
        yield from (_comment(line) for line in _NOTHING_TRIED)
    for check in kept:
        if not check.required:
            yield _comment(f"Advisory: on the base it was not green: {reasons.get(check.name, 'see its output')}")
        if left_out := [word.partition("=")[2] for word in check.argv if word.startswith(("--deselect=", "--ignore="))]:
            yield _comment(f"Without what failed on the base: {', '.join(left_out)}")
        yield "[[checks]]"
        yield from _settings(_said(check))
        yield ""
    for check, reason in dropped:
        yield _comment(f"Left out, it was not green on the base: {reason}")
        yield "# [[checks]]"
        yield from (f"# {line}" for line in _settings(_said(check)))
        yield ""


def _fixers(fixers: Iterable[FixerPolicy]) -> Iterator[str]:
    for fixer in fixers:
        yield "# The repository's own, in the check environment: what it mends is proposed, if it is the same twice."
        yield "[[fixers]]"
        yield from _settings(_said(fixer))
        yield ""


def _dependencies(survey: Survey) -> Iterator[str]:
    if survey.lock_files:
        yield "# Newer releases of what is locked, one package a pull request; a person merges. `on = false` ends it."
        yield "[dependencies]"
        yield from _settings({"lock_files": survey.lock_files})
        yield "minimum_age_days = 7   # one that ends a known vulnerability need not be so old"
        yield ""


def _said(check: CheckPolicy | FixerPolicy) -> dict[str, object]:
    """What differs from the defaults."""
    return {name: value for name, value in check.model_dump(exclude_defaults=True).items() if value is not None}


def _settings(values: dict[str, object]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name} = {tomlkit.item(_plain(value)).as_string()}"


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _comment(text: str) -> str:
    return f"# {readable(' '.join(text.split()))}"

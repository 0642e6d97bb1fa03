"""How a repository's owner calls a program: its command lines in what make, tox, nox, CI and scripts are made of."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from collections.abc import Iterator

SCRIPTS = re.compile(
    r"^(tox\.ini|setup\.cfg|pyproject\.toml|package\.json|(GNUm|M|m)akefile|[Jj]ustfile|Taskfile\.ya?ml|\.gitlab-ci\.yml|"
    r"\.travis\.yml|\.circleci/config\.yml|azure-pipelines\.yml|noxfile\.py|tasks\.py|[^/]+\.(mk|sh)|(scripts|ci|tools)/.+"
    r"|(hatch|pixi|prek|pdm)\.toml|\.?lefthook\.ya?ml|Dockerfile|\.(drone|cirrus)\.ya?ml|\.woodpecker(/.+)?\.ya?ml|duties\.py"
    r"|bitbucket-pipelines\.ya?ml|dodo\.py|Pipfile|\.mega-?linter\.ya?ml|Earthfile|appveyor\.yml"
    r"|\.(github|gitea|forgejo)/(workflows|actions)/.+\.ya?ml)$"
)
COMMAND = (
    r"""(?:^|[;&|:=@"'`\[(]|(?:^|[ \t])-|-m|\b(?:run|exec)(?:[ \t]+-\S+)*|\buvx|\bxargs(?:[ \t]+-\S+)*)[ \t]*"""
    r"""%s(?P<options>(?:[ \t][^\n]*)?|["'\]),].*)$"""
)


def command_lines(program: str, path: str, text: str) -> Iterator[list[str]]:
    """What stands behind the program's name where the file calls it, as words; none: it may be a name in a list."""
    if path.endswith(".py"):
        yield from _in_python(program, text)
        return
    text = re.sub(r"^\s*(#|//|rem\b).*$", "", re.sub(r"\\\r?\n", " ", text), flags=re.MULTILINE)
    for found in re.finditer(COMMAND % re.escape(program), text, re.MULTILINE):
        options = found["options"]
        if (quote := text[found.start()]) in "\"'`" or text[: found.start()].count('"') % 2:
            options = options.split(quote if quote in "\"'`" else '"')[0]
        lexer = shlex.shlex(options, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split = True
        words: list[str] = []
        with contextlib.suppress(ValueError):
            for word in lexer:
                if word[0] in ";&|<>":
                    break
                words.append(word)
        yield words


def _in_python(program: str, text: str) -> Iterator[list[str]]:
    """``session.run("codespell", "--skip", …)`` and ``["codespell", …]``."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(module):
        parts = (
            node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, (ast.List, ast.Tuple)) else []
        )
        values = [part.value if isinstance(part, ast.Constant) else "$" for part in parts]
        if program in values:
            yield [str(value) for value in values[values.index(program) + 1 :]]
        elif values and isinstance(values[0], str) and values[0].startswith(f"{program} "):
            with contextlib.suppress(ValueError):
                yield shlex.split(values[0])[1:]

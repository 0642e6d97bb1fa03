"""What flake8's configuration leaves out: its rules have the same names as ruff's."""

import fnmatch
import re
from dataclasses import dataclass

from adapters.agents.tools.ini import ini
from adapters.agents.tools.pre_commit import hooks, strings
from adapters.agents.tools.source_tree import SourceTree


@dataclass(frozen=True)
class Flake8:
    """What flake8's configuration leaves out: the same rules under the same names."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file: tuple[tuple[str, str], ...] = ()
    exclude: tuple[str, ...] = ()

    def wants(self, path: str, code: str) -> bool:
        """Whether the owner's flake8, if there is one, would have said it."""
        left_out = [*self.ignore, *(codes for pattern, codes in self.per_file if _like(path, pattern))]
        return (
            (not self.select or code.startswith(self.select))
            and not code.startswith(tuple(left_out))
            and not any(_like(path, pattern) for pattern in self.exclude)
        )


def _like(path: str, pattern: str) -> bool:
    bare = pattern.removeprefix("./").rstrip("/")
    parts = ["/".join(path.split("/")[: count + 1]) for count in range(path.count("/") + 1)]
    return any(fnmatch.fnmatch(each, bare) or fnmatch.fnmatch(each, f"*/{bare}") for each in parts)


def flake8_settings(tree: SourceTree) -> Flake8:
    """Read from ``setup.cfg``, ``tox.ini``, ``.flake8`` and pre-commit's hook.

    Raises:
        ToolUnavailable: one of them cannot be read.
    """
    values: dict[str, list[str]] = {"select": [], "ignore": [], "per-file-ignores": [], "exclude": []}
    for path in ("setup.cfg", "tox.ini", ".flake8"):
        parser = ini(tree, path, "flake8")
        for key in values:
            for name in (key, f"extend-{key}", key.replace("-", "_"), f"extend_{key}"):
                if parser.has_option("flake8", name):
                    values[key] += re.split(r"[\s,]+", re.sub(r"#[^\n]*", "", parser.get("flake8", name)).strip())
    for hook in hooks(tree):
        if hook.get("id") == "flake8":
            for argument in strings(hook, "args"):
                name, _, value = argument.removeprefix("--").removeprefix("extend-").partition("=")
                values.get(name, []).extend(value.split(","))
    per_file, pattern = list[tuple[str, str]](), ""
    for word in values["per-file-ignores"]:
        before, colon, after = word.partition(":")
        pattern, codes = (before, after) if colon else (pattern, word)
        per_file += [(pattern, codes)] * bool(codes)
    said = {key: tuple(filter(None, found)) for key, found in values.items()}
    return Flake8(said["select"], said["ignore"], tuple(per_file), said["exclude"])

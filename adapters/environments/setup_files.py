"""setup.cfg, setup.py and PKG-INFO, read without running them."""

import configparser
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from adapters.environments.setup_py import UnreadableSetup, setup_arguments
from ports.environments import EnvironmentUnavailable

_KEYWORDS = ("install_requires", "setup_requires", "tests_require")


@dataclass(frozen=True)
class Stated:
    """Requirements as a file states them, and what could not be read."""

    requirements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def from_setup_cfg(body: bytes, extras: Iterable[str]) -> Stated:
    """``[options]`` and the chosen ``[options.extras_require]``."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(body.decode("utf-8", errors="replace"))
    except configparser.Error as problem:
        raise EnvironmentUnavailable(f"setup.cfg: cannot be read: {problem}") from problem
    texts = [parser.get("options", keyword, fallback="") for keyword in _KEYWORDS]
    if parser.has_section("options.extras_require"):
        texts += _chosen(dict(parser["options.extras_require"]), extras)
    lines = [line.strip() for text in texts for line in text.replace(";\n", "\n").split("\n")]
    unread = tuple(f"setup.cfg: `{line}` was not read" for line in lines if line.startswith("file:"))
    return Stated(tuple(line for line in lines if line and not line.startswith(("file:", "#"))), unread)


def from_setup_py(body: bytes, extras: Iterable[str]) -> Stated:
    """What ``setup(…)`` is given as plain literals; running the file to find out more is out of the question."""
    try:
        arguments = setup_arguments(body.decode("utf-8", errors="replace"))
    except UnreadableSetup as problem:
        return Stated(notes=(f"setup.py: cannot be parsed: {problem}",))
    requirements: list[str] = []
    notes: list[str] = []
    for given in arguments:
        if given.name not in (*_KEYWORDS, "extras_require"):
            continue
        if given.computed:
            notes.append(f"setup.py:{given.line}: `{given.name}` is computed and was not read")
        elif isinstance(given.value, dict):
            for chosen in _chosen(given.value, extras):
                requirements += _listed(chosen)
        else:
            requirements += _listed(given.value)
    return Stated(tuple(requirements), tuple(notes))


def from_pkg_info(body: bytes, extras: Iterable[str]) -> Stated:
    """``Requires-Dist`` of a source distribution's own metadata."""
    metadata, _ = parse_email(body)
    requirements = []
    for text in metadata.get("requires_dist", []):
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            requirements.append(text)  # Refused with its origin by whoever asked.
            continue
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            requirements.append(str(requirement))
    return Stated(tuple(requirements))


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        value = value.split("\n")
    return [str(item).strip() for item in value if str(item).strip()] if isinstance(value, list | tuple | set) else []


def _chosen(table: dict[str, Any], extras: Iterable[str]) -> list[Any]:
    wanted = {canonicalize_name(extra) for extra in extras}
    return [value for name, value in table.items() if canonicalize_name(str(name).split(":")[0]) in wanted]

"""The policy folder as a ``PolicySource`` (P6, P13).

What a policy is made of is imported when one is read: the names alone are asked for more often.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Self

from adapters.policy_files.policy_document import PolicyDocument, read, read_document
from ports.policy_source import PolicyError, Provenance, UnknownTarget

if TYPE_CHECKING:
    from policies.settings.alerts import AlertPolicy
    from policies.settings.schema import EffectivePolicy

ALERTS_FILE, CATALOGUE_FILE = "alerts.toml", "catalogue.toml"
_OPTIONAL = (("sources", "sources.toml"), ("tasks", "tasks.toml"))
_SHARED = (
    ("autopilot", "autopilot.toml"),
    ("protected_paths", "protected_paths.toml"),
    ("charter", "charter.toml"),
)

_NEARLY = 0.85
"""How alike two names are of which one is the other misspelt: ``task.toml`` is, ``tasks-old.toml`` is a copy."""


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

    def catalogue(self) -> str | None:
        """As it is; what is wrong in it is the Scout's to say, and keeps no run from its work."""
        there = CATALOGUE_FILE in self._instead or (self._folder / CATALOGUE_FILE).exists()
        return self.text(CATALOGUE_FILE) if there else None

    def misnamed(self) -> dict[str, str]:
        """Files that nobody reads, each with the one that its name nearly is."""
        from difflib import get_close_matches

        known = {*(file for _, file in (*_SHARED, *_OPTIONAL)), ALERTS_FILE, CATALOGUE_FILE}
        others = sorted(path.name for path in self._folder.glob("*.toml") if path.name not in known)
        near = {name: get_close_matches(name, known, n=1, cutoff=_NEARLY) for name in others}
        return {name: close[0] for name, close in near.items() if close}

    def write(self, file: str, text: str) -> None:
        """By a person's command: the whole file anew, or as it was; its mode stays, and a link stays one.

        Raises:
            PolicyError: it cannot be written.
        """
        place = (self._folder / file).resolve()
        try:
            with NamedTemporaryFile("w", dir=place.parent, prefix=f".{place.name}-", delete=False) as new:
                new.write(text)
                new.flush()
                os.fsync(new.fileno())
            mode = place.stat().st_mode if place.exists() else 0o644
            Path(new.name).chmod(stat.S_IMODE(mode))
            Path(new.name).replace(place)
        except OSError as error:
            raise PolicyError(f"{place} cannot be written: {error}") from error

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
        from adapters.policy_files.complaints import check
        from policies.settings.alerts import AlertPolicy

        if not (self._folder / ALERTS_FILE).exists():
            return AlertPolicy()
        complaints: list[str] = []
        policy = check(read_document(self._folder, ALERTS_FILE), AlertPolicy, complaints)
        if policy is None:
            raise PolicyError("\n".join(complaints))
        return policy

    def explain(self, target: str) -> tuple[Provenance, ...]:
        """Every effective value with its source; read in one go with the values."""
        from adapters.policy_files.provenance import provenance

        return tuple(provenance(*self._load(target)))

    def _load(self, target: str) -> tuple[EffectivePolicy, dict[str, PolicyDocument]]:
        from adapters.policy_files.effective import understood

        self._known(target)
        files: tuple[tuple[str, str], ...] = (*_SHARED, ("target", f"targets/{target}.toml"))
        files += tuple(each for each in _OPTIONAL if each[1] in self._instead or (self._folder / each[1]).exists())
        bodies = tuple((name, file, self._body(file)) for name, file in files)
        # Every step of a run asks: what the same bytes say is known.
        return understood(self._folder, target, bodies)

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
            from policies.settings.section import nearest

            hint = nearest(target, names) if names else "there are none yet; make one with `starter.py init`"
            raise UnknownTarget(f"no target {target!r} in {self._folder / 'targets'}; {hint}")

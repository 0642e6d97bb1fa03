"""Each target's forge, by the kind its policy names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from adapters.forges.gitea.checkup import check_gitea
from adapters.forges.gitea.forge import open_gitea_forge
from adapters.forges.local import open_local_forge
from contracts.forge_facts import AccessFinding
from policies.settings.schema import Target
from ports.forge import Forge, ForgeError, OpenForge


def open_forges(home: Path, mirrors: Path) -> OpenForge:
    """Forges of every kind: the local one's records are under ``home``, our mirrors under ``mirrors``."""

    def open_github(target: Target) -> Forge:
        # Imported here: half a second that no command on another forge pays.
        from adapters.forges.github.forge import open_github_forge  # noqa: PLC0415

        return open_github_forge(mirrors)(target)

    kinds = {"local": open_local_forge(home, mirrors), "gitea": open_gitea_forge(mirrors), "github": open_github}

    def opened(target: Target) -> Forge:
        if target.forge not in kinds:
            raise ForgeError(f"the forge {target.forge!r} is not built")
        return kinds[target.forge](target)

    return opened


def forge_checkup(target: Target) -> tuple[AccessFinding, ...]:
    """Whether a target's forge can be used as its file says; nothing to say of a forge without an API."""
    look = _CHECKUPS.get(target.forge)
    if look is None:
        remedy = f"name one of {', '.join(_CHECKUPS)} in targets/{target.name}.toml"
        detail = f"the forge {target.forge!r} is not built"
        return (AccessFinding(name="forge", ok=False, detail=detail, remedy=remedy),)
    return tuple(look(target))


def _check_github(target: Target) -> Iterable[AccessFinding]:
    # Imported here, as above.
    from adapters.forges.github.checkup import check_github  # noqa: PLC0415

    return check_github(target)


_CHECKUPS: dict[str, Callable[[Target], Iterable[AccessFinding]]] = {
    "local": lambda _target: (),
    "gitea": check_gitea,
    "github": _check_github,
}

"""A pinned package of any language's registry, by that language's own client; nothing of it is executed."""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.source_distribution import FetchFailed, Pin, downloaded, unpack


@dataclass(frozen=True)
class Released:
    """One release, by the digest of its archive."""

    registry: str
    """A row of ``REGISTRIES``."""
    package: str
    version: str
    sha256: str

    def __str__(self) -> str:
        """As a person names it."""
        return f"{self.package} {self.version}"


def fetch(release: Released, downloads: Path, into: Path) -> Path:
    """Download, verify, unpack; the folder that holds it.

    Raises:
        FetchFailed: the registry does not give it, or gives other bytes than were pinned.
    """
    archive = next(downloads.glob(f"{release.sha256}-*"), None)
    if archive is None:
        with tempfile.TemporaryDirectory(prefix="autonomy-demo-") as folder:
            body, name = REGISTRIES[release.registry](release, Path(folder))
        downloads.mkdir(parents=True, exist_ok=True)
        archive = downloads / f"{hashlib.sha256(body).hexdigest()}-{name}"
        archive.write_bytes(body)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != release.sha256:
        raise FetchFailed(f"{release} is {digest}, not the {release.sha256} that is pinned: it is not used")
    into.mkdir(parents=True)
    unpack(archive.name, archive.read_bytes(), into)
    # Archives of modules begin with the module's path, a folder in a folder.
    while len(inside := list(into.iterdir())) == 1 and inside[0].is_dir():
        into = inside[0]
    return into


def _of_python(release: Released, folder: Path) -> tuple[bytes, str]:
    archive = downloaded(Pin(release.package, release.version, release.sha256), folder)
    return archive.read_bytes(), archive.name.partition("-")[2]


def _of_npm(release: Released, folder: Path) -> tuple[bytes, str]:
    _said("npm", "pack", "--silent", "--ignore-scripts", f"{release.package}@{release.version}", cwd=folder)
    return _one(folder.glob("*.tgz"), release)


def _of_go(release: Released, folder: Path) -> tuple[bytes, str]:
    text = _said("go", "mod", "download", "-json", f"{release.package}@{release.version}", cwd=folder)
    archive = Path(json.loads(text)["Zip"])
    return archive.read_bytes(), archive.name


def _of_cargo(release: Released, folder: Path) -> tuple[bytes, str]:
    manifest = '[package]\nname = "asking"\nversion = "0.0.0"\n[lib]\npath = "x"\n[dependencies]\n'
    (folder / "x").touch()
    (folder / "Cargo.toml").write_text(f'{manifest}{release.package} = "={release.version}"\n')
    _said("cargo", "fetch", "--quiet", cwd=folder)
    kept = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry" / "cache"
    return _one(kept.glob(f"*/{release.package}-{release.version}.crate"), release)


def _one(found: Iterator[Path], release: Released) -> tuple[bytes, str]:
    for archive in found:
        return archive.read_bytes(), archive.name
    raise FetchFailed(f"the client of its registry did not say where it put {release}")


def _said(*argv: str, cwd: Path) -> str:
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise FetchFailed(f"`{' '.join(argv)}`: {problem}; check the network and try again") from problem
    if done.returncode:
        raise FetchFailed(f"`{' '.join(argv)}` failed: {done.stderr.strip()[-500:]}; check the network and try again")
    return done.stdout


REGISTRIES: Mapping[str, Callable[[Released, Path], tuple[bytes, str]]] = {
    "Python": _of_python,
    "JavaScript": _of_npm,
    "Go": _of_go,
    "Rust": _of_cargo,
}
"""Who fetches, by language: the archive's bytes and its name."""

"""An empty folder for one attempt of one step; what killed workers left behind goes first."""

from contextlib import AbstractContextManager
from pathlib import Path

from ports.removal import held_folder


def work_folder(root: Path, purpose: str) -> AbstractContextManager[Path]:
    """A fresh folder under ``root``, locked while it is in use and gone afterwards."""
    return held_folder(root, f"{purpose}-")

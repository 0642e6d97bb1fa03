"""Where things are. Each setting is an environment variable ``AUTONOMY_<NAME>``; defaults work from a checkout."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent
SHIPPED_POLICIES = ROOT / "policies"
_WEB = r"^(https?://[\w.:\[\]-]+(/[\w.~/-]*)?)?$"


def _of_its_user(place: Path) -> Path:
    try:
        return place.expanduser().absolute()
    except RuntimeError as nobody:
        raise ValueError(str(nobody)) from None


Place = Annotated[Path, AfterValidator(_of_its_user)]
"""Absolute, since steps work elsewhere; ``~`` is the user's home, also where no shell has read the variable."""


class Settings(BaseSettings):
    """Read once per process."""

    # Set to nothing is not set: the empty path would be whatever folder the command is typed in.
    model_config = SettingsConfigDict(env_prefix="AUTONOMY_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Place = ROOT / ".autonomy"
    """Everything this system keeps: artifacts, audit logs, mirrors, environments, the embedded server's database."""
    policies: Place = SHIPPED_POLICIES
    """The policy folder: three files for every target, ``alerts.toml``, and ``targets/``."""
    server_port: int = Field(default=7233, ge=0, le=65535)
    """Port of the embedded server that `starter.py up` starts; 0: any free one."""
    ui_port: int = Field(default=8233, ge=0, le=65535)
    """Port of its UI; 0: any free one."""
    pages: str = Field(default="", pattern=_WEB)
    """Where people open reports: the web address at which the folder `artifacts/runs` of ``home`` is served.

    Empty: it is not, and texts on a forge name a command instead.
    """
    ui: str = Field(default="", pattern=_WEB)
    """Where people open the Temporal UI, with its namespace: ``https://temporal.example.org/namespaces/default``.

    Empty: only on the machine it runs on, and no text on a forge links to it.
    """
    concurrent_steps: int = Field(default=8, ge=1, le=1000)
    """Steps one worker does at the same time; threads and activity slots are the same number."""

    @property
    def artifacts(self) -> Path:
        """Artifact store and audit logs."""
        return self.home / "artifacts"

    @property
    def mirrors(self) -> Path:
        """Bare mirrors of the targets."""
        return self.home / "mirrors"

    @property
    def scratch(self) -> Path:
        """Work trees of single steps."""
        return self.home / "scratch"

    @property
    def database(self) -> Path:
        """The embedded server's SQLite file."""
        return self.home / "temporal" / "temporal.db"

    @property
    def agents(self) -> Path:
        """Agents of others' making, as installed."""
        return self.home / "agents"

    @property
    def logs(self) -> Path:
        """Log files of embedded processes."""
        return self.home / "logs"

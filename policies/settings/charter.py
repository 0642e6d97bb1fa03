"""The shape of ``charter.toml``: who acts in which role, with which backend, and what a backend may use."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.modes import Role
from policies.settings.section import Positive, Section

Tokens = Annotated[int, Field(ge=0, le=10**15)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$", max_length=120)]

PAID_BY_EXCHANGE = frozenset({"command", "model"})
"""Backends that ask a model through our gateway: each exchange is reserved and settled by itself (P9)."""


class Provider(Section):
    """``[providers.NAME]``: where models answer, and which variable of the worker holds the key."""

    url: str = Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=400)
    """What comes before ``/v1/…``. Plain ``http`` only to this machine (a local server)."""
    key_variable: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]*)?$", max_length=80)
    """The worker's environment variable with the key; no sandbox ever sees it. Empty: the server wants none."""
    dialect: Literal["chat", "responses", "messages"] = "chat"
    """In which `model` asks: chat completions, which most servers speak; Anthropic's messages; OpenAI's responses."""
    seconds: Positive = 300
    """For one exchange at most."""
    retries: int = Field(default=4, ge=0, le=20)
    """Of an exchange that was rate limited (429) or met a server that could not answer (5xx, unreachable)."""


class Price(Section):
    """``[prices."MODEL"]``: USD for a million tokens. It counts before any price list that is installed."""

    input: float = Field(ge=0, le=1e6)
    output: float = Field(ge=0, le=1e6)
    cached_input: float | None = Field(default=None, ge=0, le=1e6)
    """Read from the provider's cache; None: as ``input``."""


class RolePolicy(Section):
    """One role of ``charter.toml``."""

    backend: _Name = "tools"
    """A row of `adapters/agents/backends.py`. Sensing measures, by the tools, whatever it says here."""
    minutes: Positive = 10
    """Agent minutes one step may take at worst: reserved before it begins."""
    usd: float = Field(default=0, ge=0, le=1e9)
    """What one step may cost at worst. 0 for `tools`, which calls no model; of `command` and `model` no exchange that
    might go beyond is let through."""
    tokens: Tokens = 0
    """Tokens one step may take at worst."""
    provider: str = Field(default="", max_length=40)
    """`command` and `model`: a name of ``[providers]``."""
    models: tuple[ModelName, ...] = Field(default=(), max_length=20)
    """The models that may be asked, as the provider calls them; the first is the one that is."""
    output_tokens: int = Field(default=8000, ge=1, le=1_000_000)
    """The longest answer of one exchange: what its worst case is reckoned by."""
    agent: str = Field(default="", pattern=r"^([a-z][a-z0-9-]*)?$", max_length=40)
    """`command`: a recipe of `adapters/agents/recipes/`, or empty with ``argv``."""
    argv: tuple[str, ...] = Field(default=(), max_length=100)
    """`command`: a program of your own instead of a recipe."""
    folder: str = Field(default="", max_length=400)
    """`command`: where the agent is installed on this machine; empty: where ``starter.py agents install`` puts it."""
    hosts: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+:\d{1,5}$")], ...] = ()
    """`command`: ``host:port`` that it may reach besides the model; none is the rule."""
    shown: tuple[str, ...] = Field(default=(), max_length=20)
    """`command`: instruction files of the base (``AGENTS.md``) that it is shown, as data."""
    prompt: str = Field(default="", pattern=r"^([a-z][a-z0-9_-]*)?$", max_length=60)
    """`model`: a file of `adapters/agents/prompts/` without its suffix; empty: the role's own."""
    rounds: int = Field(default=0, ge=0, le=5)
    """Coding: how often failing checks and review remarks go back to it within one run."""
    quiet_seconds: Positive = 120
    """`command`: without output and without an exchange for so long it makes no progress."""


class Charter(Section):
    """``charter.toml``: who acts, with which backend."""

    roles: dict[Role, RolePolicy]
    families: tuple[str, ...] = ("F",)
    """ruff rule families that the ``tools`` backend looks for where a repository's owner selected none, best first.

    Where the owner did select, the owner's selection counts instead; a target's ``[improve]`` adds to either.
    """
    trials: dict[_Name, RolePolicy] = {}
    """``[trials.NAME]``: others that a person may try in the role that codes (``starter.py try --agent NAME``)."""
    providers: dict[_Name, Provider] = {}
    prices: dict[ModelName, Price] = {}

"""The agent backends there are: one row each, and nothing of one is imported before a charter names it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from adapters.agents.recipes.recipe import RECIPES
from contracts.modes import Role
from policies.agents.charter import Known
from policies.settings.charter import RolePolicy
from policies.settings.schema import EffectivePolicy
from ports.agents import Agent, AgentError, AgentFor
from ports.models import OpenGateway
from ports.sandbox import Sandbox

BACKENDS = {
    "command": "adapters.agents.command_backend:open_command",
    "model": "adapters.agents.model_backend:open_model",
    "tools": "adapters.agents.tools_backend:open_tools",
}
"""The charter's word, and the function that makes the agent of one role from what the charter says of it."""

PROMPTS = Path(__file__).with_name("prompts")


def _priced(url: str, model: str, tokens: int) -> float | None:
    """By the list that is installed; imported where a charter has no price of its own."""
    prices, dialects = import_module("adapters.models.prices"), import_module("adapters.models.dialects")
    cost: float | None = prices.PriceList({}, url).cost(model, dialects.Usage(0, tokens))
    return cost


KNOWN = Known(recipes=tuple(RECIPES), prompts=tuple(sorted(path.stem for path in PROMPTS.glob("*.md"))), priced=_priced)
"""What charters are held to beside their own tables."""


@dataclass(frozen=True)
class Means:
    """What backends are made with."""

    sandbox: Sandbox
    gateway: OpenGateway
    agents: Path
    """Where agents of others' making are installed."""


Opened = Callable[[RolePolicy, Means], Agent]


def open_agents(means: Means) -> AgentFor:
    """Each role's agent, as the pinned charter names it."""

    def agent_for(policy: EffectivePolicy, role: Role) -> Agent:
        role_policy = policy.charter.roles.get(role, RolePolicy())
        if role_policy.backend not in BACKENDS:
            raise AgentError(
                f"the charter names {role_policy.backend!r} for {role}, which is no backend of this version"
            )
        module, _, name = BACKENDS[role_policy.backend].partition(":")
        opened: Opened = getattr(import_module(module), name)
        return opened(role_policy, means)

    return agent_for

"""What the first exchange of a role may cost at worst: no run is begun whose agent could ask nothing (P9)."""

from adapters.agents.backends import PROMPTS
from adapters.agents.recipes.recipe import RECIPES, recipe_of
from adapters.models.dialects import Usage
from adapters.models.prices import PriceList
from contracts.budget import Amounts
from contracts.modes import Role
from policies.settings.charter import PAID_BY_EXCHANGE, RolePolicy
from policies.settings.schema import EffectivePolicy

_TOLD = 6_500
"""Bytes of a model's question at least, beside its prompt: the schema of the answer, and what it is about."""


def first_exchange(policy: EffectivePolicy, role: Role) -> Amounts | None:
    """USD and tokens, the answer at its longest; of a program of the operator's own the answer alone.

    None: the role asks no model, or nobody knows the price (which the charter's own check refuses).
    """
    role_policy = policy.charter.roles.get(role)
    provider = policy.charter.providers.get(role_policy.provider) if role_policy else None
    if role_policy is None or provider is None or role_policy.backend not in PAID_BY_EXCHANGE or not role_policy.models:
        return None
    tokens = _asked(role, role_policy)
    usd = PriceList(policy.charter.prices, provider.url).cost(
        role_policy.models[0], Usage(tokens, role_policy.output_tokens)
    )
    return None if usd is None else Amounts(usd=usd, tokens=tokens + role_policy.output_tokens)


def _asked(role: Role, role_policy: RolePolicy) -> int:
    """Bytes of the request, as many tokens at most."""
    if role_policy.backend == "command":
        return recipe_of(role_policy.agent).first_bytes if role_policy.agent in RECIPES else 0
    prompt = PROMPTS / f"{role_policy.prompt or role.value}.md"
    return _TOLD + (prompt.stat().st_size if prompt.is_file() else 0)

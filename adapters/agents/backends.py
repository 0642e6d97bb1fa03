"""The agent backends there are: one row each, and nothing of one is imported before a charter names it."""

from collections.abc import Callable
from importlib import import_module

from contracts.modes import Role
from policies.agents.charter import Known
from policies.settings.charter import RolePolicy
from policies.settings.schema import EffectivePolicy
from ports.agents import Agent, AgentError, AgentFor
from ports.sandbox import Sandbox

Opened = Callable[[RolePolicy, Sandbox], Agent]

BACKENDS = {"tools": "adapters.agents.tools_backend:open_tools"}
"""The charter's word, and the function that makes the agent of one role from what the charter says of it."""

KNOWN = Known()
"""What charters are held to beside their own tables."""


def open_agents(sandbox: Sandbox) -> AgentFor:
    """Each role's agent, as the pinned charter names it."""

    def agent_for(policy: EffectivePolicy, role: Role) -> Agent:
        said = policy.charter.roles.get(role, RolePolicy())
        if said.backend not in BACKENDS:
            raise AgentError(f"the charter names {said.backend!r} for {role}, which is no backend of this version")
        module, _, name = BACKENDS[said.backend].partition(":")
        opened: Opened = getattr(import_module(module), name)
        return opened(said, sandbox)

    return agent_for

"""An agent that does what it was asked to, and helps itself to a protected path as well."""

from dataclasses import dataclass, replace

from temporalio.client import Client

from activities.step_session import StepPorts
from composition import connected_workbench
from contracts.modes import Role
from ports.agents import Agent, Brief
from settings import Settings

PLANTED = ".github/workflows/mine.yml"


@dataclass(frozen=True)
class CarelessAgent:
    """Honest in every role but Coding: there it plants a workflow of its own."""

    honest: Agent

    @property
    def name(self) -> str:
        """For reports."""
        return "careless"

    def answer(self, brief: Brief) -> str:
        """As the honest one, and a file too many."""
        answer = self.honest.answer(brief)
        if brief.role is Role.CODING and brief.tree is not None:
            planted = brief.tree / PLANTED
            planted.parent.mkdir(parents=True, exist_ok=True)
            planted.write_text("on: push\n")
        return answer


def careless_bench(client: Client, settings: Settings) -> StepPorts:
    """The default workbench with careless agents; call it on the loop the worker will run on."""
    honest = connected_workbench(client, settings)
    return replace(honest, agents=lambda policy, role: CarelessAgent(honest.agents(policy, role)))

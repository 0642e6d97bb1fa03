"""What the parent tells the child, once, on standard input."""

from collections.abc import Mapping

from contracts.artifact import Contract
from contracts.effect import Clearance, Effect


class EffectOrder(Contract):
    """One effect with its permission and its end."""

    effect: Effect
    clearance: Clearance
    kill_at: float
    """``ports.clock.since_boot()``, one clock for the whole machine."""
    look_only: bool
    again: bool = False
    """The child asked for commits of the base that the mirror lacked; it may have acted before."""
    remote: str
    mirror: str
    """Git folder that holds the commit to push."""
    records: str
    """Folder of the local forge's pull requests and tickets."""
    forge: str = "local"
    """Kind of the target's forge; for those with an API, the rest says where it is."""
    api: str = ""
    repository: str = ""
    account: str = ""

    def misplaced(self, heads: Mapping[str, str]) -> str:
        """Why a pull request cannot be opened from where the remote's branches are; empty: it can."""
        effect = self.effect
        if effect.base_branch not in heads:
            return f"the remote has no base branch {effect.base_branch}"
        found = heads.get(effect.branch, "")
        if found == effect.head_sha:
            return ""
        at = found or "nothing"
        return f"the remote branch {effect.branch} is at {at}, not at {effect.head_sha}: someone moved it"


CLOSED_STATUS = 5
"""The child's exit status when the forge does not let it in: this child did nothing, and says why on standard error."""
LIMITED_STATUS = 4
"""The child's exit status when the forge limits the rate; its output is a ``RateLimited``."""


class RateLimited(Contract):
    """What the child could not find out because it has to wait."""

    reason: str
    retry_after: float

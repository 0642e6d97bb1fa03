"""What a backend says it spent. A backend that says nothing, or nonsense, leaves the cost unknown (P9)."""

from dataclasses import dataclass

from pydantic import ValidationError

from contracts.budget import Amounts


@dataclass
class Meter:
    """One per question to an agent. Several calls add up; no call at all is not zero."""

    usd: float = 0.0
    tokens: int = 0
    said: bool = False
    problem: str = ""
    """Why what was said cannot be believed."""

    def spent(self, *, usd: float, tokens: int) -> None:
        """The question cost this much (so far, or again); never raises: what is wrong makes the cost unknown."""
        try:
            told = Amounts.model_validate({"usd": usd, "tokens": tokens}, strict=True)
            Amounts(usd=self.usd + told.usd, tokens=self.tokens + told.tokens)
        except ValidationError:
            self.problem = f"the backend reported {usd!r} USD and {tokens!r} tokens"[:200]
            return
        self.usd, self.tokens, self.said = self.usd + told.usd, self.tokens + told.tokens, True

    def free(self) -> None:
        """The question calls no model: a known zero."""
        self.said = True

    @property
    def unknown(self) -> str:
        """Why the cost is unknown; empty when it is known."""
        return self.problem or ("" if self.said else "the backend did not say what it spent")

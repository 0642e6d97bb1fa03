"""The port's answer from the proof that the tools' own changes have to pass (``inside/equality.py``)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.agents.tools.proof import Question, unequal
from adapters.agents.tools.tool_runner import Programs, ToolRunner, ToolUnavailable
from policies.settings.schema import SandboxLimits
from ports.sandbox import Sandbox

PROVABLE = (".py", ".md", ".rst", ".txt")


@dataclass(frozen=True)
class ProvenInside:
    """Both trees are compared in the sandbox."""

    sandbox: Sandbox

    def unproved(
        self, base: Path, tree: Path, paths: Sequence[str], limits: SandboxLimits, alive: Callable[[], None]
    ) -> Mapping[str, str]:
        """See the port."""
        bench = ToolRunner.under(self.sandbox, Programs.installed(), limits, limits.seconds, alive)
        asked = [path for path in paths if path.endswith(PROVABLE) and _plain(base / path) and _plain(tree / path)]
        answers = dict.fromkeys(paths, "is new, gone, or of a kind that nothing can be shown of")
        try:
            answers |= dict(zip(asked, unequal(base, tree, [Question(path) for path in asked], bench), strict=True))
        except ToolUnavailable as error:
            answers |= dict.fromkeys(asked, f"could not be compared: {error}")
        return {path: reason for path, reason in answers.items() if reason}


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()

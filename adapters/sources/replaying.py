"""ports.sources.Replaying: recorded answers read again, in a sandbox of their own that knows nothing else (P8)."""

import json
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import contracts
import policies
from adapters.tools.tool_runner import Programs
from policies.settings.schema import EffectivePolicy
from ports.sandbox import Command, Limits, Sandbox, SandboxUnavailable
from ports.sources import Recording, ReplayFailed

_PROGRAM = Path(__file__).with_name("again.py")
_GUEST = "/opt/autonomy/again"


class SandboxReplay:
    """No network, no clock that matters, no state of this process: the bytes and the entry are all there is."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def digests(
        self, recorded: Sequence[Recording], policy: EffectivePolicy, alive: Callable[[], None]
    ) -> tuple[str, ...]:
        """One for each, in order."""
        programs = Programs.installed()
        with tempfile.TemporaryDirectory(prefix="replay-") as folder:
            tree = Path(folder) / "tree"
            tree.mkdir()
            for place, each in enumerate(recorded):
                (tree / f"{place}.answer").write_bytes(each.body)
            order = [(f"{place}.answer", each.source.name, each.form) for place, each in enumerate(recorded)]
            entries = {each.source.name: each.source.model_dump(mode="json") for each in recorded}
            (tree / "order.json").write_text(json.dumps(order))
            (tree / "sources.json").write_text(json.dumps(entries))
            command = Command(
                argv=(programs.python, "-I", "-S", "-B", "-X", "utf8", f"{_GUEST}/again.py"),
                tree=tree,
                limits=Limits.of(policy.autopilot.sandbox),
                read_only=(
                    *(each for each in programs.mounts if each[0] == Path(each[1])),
                    (_PROGRAM, f"{_GUEST}/again.py"),
                    *((Path(one.__path__[0]).resolve(), f"{_GUEST}/{one.__name__}") for one in (contracts, policies)),
                    (Path(sysconfig.get_path("purelib")).resolve(), "/opt/autonomy/site"),
                ),
                read_only_tree=True,
            )
            try:
                done = self._sandbox.run(command, alive)
            except SandboxUnavailable as problem:
                raise ReplayFailed(str(problem)) from problem
        if done.killed_for or done.exit_code != 0:
            tail = done.stderr[-300:].decode("utf-8", "replace").strip()
            raise ReplayFailed(f"it was stopped for {done.killed_for}" if done.killed_for else f"it failed: {tail}")
        return tuple(json.loads(done.stdout))

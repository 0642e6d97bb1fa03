"""Tries to break out before anything is trusted to the sandbox: a sandbox never seen to refuse is not trusted."""

import json
import shutil
import socket
import sys
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

from adapters.sandbox import break_out
from adapters.sandbox.enclosure import TREE, Bubblewrap
from adapters.sandbox.interpreter import interpreter_mounts
from contracts.verdict import Decision, Verdict
from policies.verdicts import allow, concluded, deny
from ports.sandbox import Command, Limits, Sandbox, SandboxUnavailable

_LIMITS = Limits(
    seconds=60, cpu_seconds=30, memory_bytes=1 << 30, processes=64, file_bytes=1 << 20, output_bytes=1 << 16
)
RULE = "the sandbox holds"


def judge_sandbox(sandbox: Sandbox) -> Verdict:
    """ALLOW only if every try was made and failed."""
    try:
        got = _try_to_break_out(sandbox)
        namespaces_forbidden = Bubblewrap.find().disables_userns
    except (SandboxUnavailable, OSError, ValueError) as problem:
        return deny(RULE, str(problem), sandbox=sandbox.name)
    if not namespaces_forbidden:
        got.pop("make a user namespace")
    children = tuple(_judge(name, found) for name, found in got.items())
    if all(child.allowed for child in children):
        return concluded(Decision.ALLOW, RULE, "every try to break out failed", *children, sandbox=sandbox.name)
    cure = "a command can break out: install the package `bubblewrap`"
    return concluded(Decision.DENY, RULE, cure, *children, sandbox=sandbox.name)


def _judge(name: str, found: str) -> Verdict:
    rule = f"a command cannot {name}"
    return deny(rule, found) if found else allow(rule, "tried, and got nothing")


def _try_to_break_out(sandbox: Sandbox) -> dict[str, str]:
    python = Path(sys.executable).resolve()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autonomy-self-test-")))
        tree = folder / "tree"
        tree.mkdir()
        script = shutil.copy(break_out.__file__, tree / "break_out.py")
        target, secret, abstract = folder / "written", folder / "secret", f"autonomy-self-test-{uuid.uuid4()}"
        secret.write_text("secret")
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address in (str(folder / "socket"), "\0" + abstract):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        facts = {
            "secret": str(secret),
            "target": str(target),
            "pid_namespace": str(Path("/proc/self/ns/pid").readlink()),
            "port": str(port.getsockname()[1]),
            "socket": str(folder / "socket"),
            "abstract": abstract,
        }
        argv = (str(python), "-I", "-S", f"{TREE}/{Path(script).name}", json.dumps(facts))
        command = Command(argv, tree, _LIMITS, read_only=interpreter_mounts(python))
        result = sandbox.run(command, lambda: None)
        got = _parse(result.stdout, result.output)
        if target.exists():  # Our disk is looked at by us: the script's word is not enough.
            got["write a file outside the tree"] = f"{target} is there"
        return got


def _parse(stdout: bytes, output: bytes) -> dict[str, str]:
    try:
        got = json.loads(stdout)
    except ValueError:
        got = {}
    if not isinstance(got, dict) or set(got) != set(break_out.tries({})):
        text = output[-500:].decode(errors="replace").strip()
        raise SandboxUnavailable(f"the self-test did not run inside the sandbox: {text or 'it printed nothing'}")
    return {str(name): str(found) for name, found in got.items()}

"""Uncertain compliance: licence texts and identifiers are not a machine's to change (policy, "escalate on")."""

from __future__ import annotations

import pytest

from contracts.incident import Trigger
from contracts.verdict import Decision
from policies.after.incident import trigger_of
from policies.run import known_bad
from policies.run.known_bad import entry
from policies.task.compliance import judge_compliance
from tests.policies.sample_policy import policy

POLICY = policy()
HEAD = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n"


@pytest.mark.parametrize(
    "path",
    [
        *("LICENSE", "LICENSE.txt", "licence.md", "COPYING", "COPYING.LESSER", "NOTICE", "pkg/LICENSE"),
        *("LICENSES/MIT.txt", "LICEN\u200bSE", "LICENSES"),
    ],
)
@pytest.mark.parametrize("status", ["A", "M", "D"])
def test_a_licence_text_escalates(path: str, status: str) -> None:
    """In any spelling: added, edited, deleted."""
    verdict = judge_compliance(known_bad.change(entry(path, status)), b"", POLICY)
    assert Decision.ESCALATE is verdict.decision
    assert Trigger.UNCERTAIN_COMPLIANCE is trigger_of(verdict)


@pytest.mark.parametrize(
    ("diff", "decision"),
    [
        (b"-# SPDX-License-Identifier: MIT\n+# SPDX-License-Identifier: GPL-3.0-only\n", Decision.ESCALATE),
        (b"-# SPDX-License-Identifier: MIT\n", Decision.ESCALATE),
        (b"+// spdx-license-identifier: MIT\n", Decision.ESCALATE),
        (b"--- SPDX-License-Identifier: MIT\n", Decision.ESCALATE),
        (b"-# SPDX-License-Identifier: MIT\n+#  SPDX-License-Identifier:  MIT \n", Decision.ALLOW),
        (b" # SPDX-License-Identifier: MIT\n-a\n+b\n", Decision.ALLOW),
        (b"-\xff\xfe\n+b\n", Decision.ALLOW),
    ],
)
def test_a_licence_identifier_may_move_but_not_change(diff: bytes, decision: Decision) -> None:
    """SPDX lines are compared as what they say."""
    assert decision is judge_compliance(known_bad.change(entry("x")), HEAD + diff, POLICY).decision


def test_an_ordinary_change_is_certain() -> None:
    """No false alarm for a source file."""
    assert judge_compliance(known_bad.change(entry("src/module.py"), entry("docs/licensing.md")), HEAD, POLICY).allowed

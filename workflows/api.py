"""Names and ids of the durable conversations: what starter, tests and the Temporal UI refer to."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

TASK_QUEUE = "autonomy"

INSTALLATION = "Installation"
INSTALLATION_ID = "control"
CONTROL = "Control"
DAILY_RUN = "DailyRun"

PAUSE = "pause"
"""Signal: any payload, never refused (P1)."""
INSTALLATION_NOTICE = "installation"
ORDER = "control"
"""Signal to a run: the one thing Control tells it."""

STATUS = "status"
WHY = "why"
QUEUE = "queue"
STATE = "state"

RESUME = "resume"
SET_MODE = "set_mode"
ADMIT_RUN = "admit"
BEGIN_WRITE = "begin_write"
SETTLE_WRITE = "settle_write"
FINISH_RUN = "finish"
REPORT = "report"
REGISTER_TARGET = "register"
DECIDE = "decide"

TARGET_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyTarget")
RUN_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyRunId")
STATUS_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyStatus")
MODE_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyMode")
EPOCH_ATTRIBUTE = SearchAttributeKey.for_int("AutonomyEpoch")
SEARCH_ATTRIBUTES = (TARGET_ATTRIBUTE, RUN_ATTRIBUTE, STATUS_ATTRIBUTE, MODE_ATTRIBUTE, EPOCH_ATTRIBUTE)


def control_id(target: str) -> str:
    """Workflow id of a target's Control."""
    return f"control/{target}"


def smoke_id(target: str, epoch: int) -> str:
    """Workflow id of the smoke run the ladder of this epoch starts."""
    return f"smoke/{target}/{epoch}"


def schedule_id(target: str) -> str:
    """Id of the Schedule that starts a target's daily run."""
    return f"daily-run/{target}"

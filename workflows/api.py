"""Names and ids of the durable conversations: what starter, tests and the Temporal UI refer to."""

from temporalio.common import SearchAttributeKey

from contracts import messages

TASK_QUEUE = "autonomy"

INSTALLATION = "Installation"
INSTALLATION_ID = "control"
CONTROL = "Control"
DAILY_RUN = "DailyRun"
SOURCE_EXPANSION = "SourceExpansion"
INCIDENT = "Incident"
FOLLOW_UP = "FollowUp"
ROLLBACK = "Rollback"
ALERTS = "Alerts"
ALERTS_ID = "alerts"
DASHBOARDS = "Dashboards"
DASHBOARDS_ID = "dashboards"
GOVERNANCE_REVIEW = "GovernanceReview"
GOVERNANCE_REVIEW_ID = "governance-review"
"""Of the weekly Schedule; its workflows' ids begin so."""

PAUSE = "pause"
"""Signal: any payload, never refused (P1)."""
MORE_PAUSES = "more pauses"
"""What the worker makes of a flood: the number of pauses that one workflow task held beside the latest ones."""
INSTALLATION_NOTICE = "installation"
REFRESH = "refresh"
"""Signal, any payload: look now. To the dashboards, one that names a target looks at that one only."""
ORDER = "control"
"""Signal to a run: the one thing Control tells it."""

STATUS = messages.STATUS.name
WHY = "why"
QUEUE = "queue"
BUDGET = messages.BUDGET.name
BACKLOG = messages.BACKLOG.name
VIEW = "view"
ALERTS_VIEW = "alerts"
DASHBOARDS_VIEW = "dashboards"
STATE = "state"

RESUME = "resume"
SET_MODE = "set_mode"
ADMIT_RUN = messages.ADMIT.name
BEGIN_WRITE = messages.BEGIN_WRITE.name
SETTLE_WRITE = messages.SETTLE_WRITE.name
FINISH_RUN = messages.FINISH.name
REPORT = messages.REPORT.name
REGISTER_TARGET = messages.REGISTER.name
CLAIM_HOME = "claim_home"
DECIDE = "decide"
RESERVE = messages.RESERVE.name
SETTLE_COST = messages.SETTLE_COST.name
SET_CAPS = "set_caps"
STATE_COST = "state_cost"
GRANT = "grant"
MERGED = messages.MERGED.name
REGRESSION = messages.REGRESSION.name
ROLL_BACK = "roll_back"
ROLLED_BACK = messages.ROLLED_BACK.name
FOLLOWED_UP = messages.FOLLOWED_UP.name
AFTERCARE = messages.AFTERCARE.name
SOURCE_USED = messages.SOURCE_USED.name
SOURCE_PASSED = messages.SOURCE_PASSED.name
ORDER_SOURCE = "order_source"
SOURCES = messages.SOURCES.name
MERGES_ALONE = messages.MERGES_ALONE.name
INCIDENT_NEWS = messages.INCIDENT_NEWS.name
EDIT = "edit"
CLOSE = "close"
PREVENTED = "prevented"
RAISE = "raise"
SILENCE = "silence"
LIFT = "lift"

SCHEDULE_MARK = "paused with the target: "
"""How the note of a Schedule begins that was paused by us; a person's own pause has another."""

TARGET_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyTarget")
RUN_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyRunId")
STATUS_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyStatus")
MODE_ATTRIBUTE = SearchAttributeKey.for_keyword("AutonomyMode")
EPOCH_ATTRIBUTE = SearchAttributeKey.for_int("AutonomyEpoch")
SEARCH_ATTRIBUTES = (TARGET_ATTRIBUTE, RUN_ATTRIBUTE, STATUS_ATTRIBUTE, MODE_ATTRIBUTE, EPOCH_ATTRIBUTE)


def control_id(target: str) -> str:
    """Workflow id of a target's Control."""
    return f"control/{target}"


def incident_id(target: str, incident: str) -> str:
    """Workflow id of an incident."""
    return f"incident/{target}/{incident}"


def follow_up_id(run_id: str) -> str:
    """Workflow id of what follows a run's pull request or merge."""
    return f"follow-up/{run_id}"


def rollback_id(run_id: str) -> str:
    """Workflow id of a run's one rollback."""
    return f"rollback/{run_id}"


def rollback_run_id(run_id: str) -> str:
    """The id under which a rollback's writes, artifacts and audit log are kept; capitals: no run is named so."""
    return f"RB-{run_id}"


def smoke_id(target: str, epoch: int) -> str:
    """Workflow id of the smoke run the ladder of this epoch starts."""
    return f"smoke/{target}/{epoch}"


def source_expansion_id(target: str) -> str:
    """Workflow id of a target's source expansion, and id of the weekly Schedule that starts one."""
    return f"source-expansion/{target}"


def schedule_id(target: str) -> str:
    """Id of the Schedule that starts a target's daily run."""
    return f"daily-run/{target}"

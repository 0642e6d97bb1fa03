"""Every row of runbook §5, §6.1, §6.2, §6.4, §7, §9 to §12 and every baseline has a test named after it.

The rows are the runbook's own sentences. A test is named after its section (``test_6_1_…``), so that a failure says
which sentence is broken, and ``pytest -k test_6_1`` is everything there is about one section.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from policies.after.incident import PARTS

TESTS = Path(__file__).parent
FLOW, BOOKS = "workflows/test_incident_flow.py", "workflows/test_incident_books.py"
VIOLATION = f"{FLOW}::test_6_1_policy_violation_from_the_brake_to_the_end_of_its_prevention"
REJECTION = (
    "workflows/test_remediation.py::"
    "test_6_2_failed_checks_reject_explain_and_queue_a_remediation_that_lets_the_sound_half_through"
)
BASE_RED = (
    "workflows/test_remediation.py::test_6_2_checks_that_are_red_on_the_base_refuse_with_their_details_and_what_to_do"
)
SCHEDULED = (
    "workflows/test_schedule_pauses.py::"
    "test_7_the_schedule_is_paused_and_unpaused_with_the_target_and_the_gate_refuses_by_itself"
)
EXHAUSTED = "workflows/test_budget_flow.py::test_6_4_an_exhausted_day_refuses_the_next_run_until_its_cap_is_raised"
SILENCED = "workflows/test_alert_rules.py::test_9_what_can_never_be_silenced_is_refused_with_the_reason"
NOT_YET = "workflows/test_resuming.py::test_7_resume_is_refused_with_the_reason_when_it_is_not_time"
UNSAID = "workflows/test_resuming.py::test_7_a_resume_without_cause_evidence_or_name_is_refused_at_the_sender"
OPENED = "workflows/test_resuming.py::test_7_a_green_smoke_opens_the_target_in_pr_only_and_nothing_to_do_is_green"
REPORT, LATER = "policies/test_report.py", "policies/test_later_review.py"
MOMENTS, GOVERNANCE = "activities/test_later_reviews.py", "policies/test_governance.py"
STEPS, REVIEWED = "policies/test_proposals.py", "workflows/test_governance_review.py::test_11_a_review_of_what_happened"
SHARES = f"{GOVERNANCE}::test_baselines_shares_are_met_missed_or_not_known"
CLOSING = "policies/test_incident_report.py::test_12_part_must_be_there_to_close"

EXPANSION, TRIALS = "workflows/test_source_expansion.py", "policies/test_source_trials.py"
REPLAYING, TRIED = "adapters/sources/test_replaying.py", f"{EXPANSION}::test_5_a_catalogue_is_tried_one_by_one"
FEEDS, REPORTED = "adapters/sources/test_http.py", "adapters/tools/test_source_reports.py"
LOWERED = "workflows/test_source_records.py"

ROWS: dict[tuple[str, str], tuple[str, ...]] = {
    ("5", "weekly source expansion"): (
        f"{EXPANSION}::test_5_it_is_made_every_week_in_the_targets_own_time",
        "workflows/test_admission.py::test_5_an_expansion_takes_no_slot_and_no_run_of_the_day",
        "workflows/test_admission.py::test_5_an_expansion_is_refused_like_any_run",
    ),
    ("5", "Scout writes candidate_sources.json"): (
        TRIED,
        "policies/test_source_leads.py::test_5_a_catalogue_is_read_entry_by_entry",
        "policies/test_source_leads.py::test_5_leads_are_addresses_that_look_like_data",
        f"{TRIALS}::test_5_what_compliance_refused_is_barred",
    ),
    ("5", "Planning picks one source trial task"): (
        f"{TRIALS}::test_5_one_source_is_picked_and_the_others_are_told_why",
        f"{TRIALS}::test_5_an_unfinished_trial_goes_on_before_anything_new",
        f"{TRIALS}::test_5_a_person_may_name_any_source",
    ),
    ("5", "Integrator tries it in a sandbox and replays"): (
        f"{REPLAYING}::test_5_the_same_bytes_give_the_same_records",
        f"{REPLAYING}::test_5_what_reads_otherwise_is_named_and_no_answer_is_no_yes",
        f"{TRIALS}::test_5_every_difference_is_told_with_both_values_and_why",
    ),
    ("5", "QA writes source_trial_report.json"): (TRIED, f"{TRIALS}::test_5_a_shape_is_what_every_record_has"),
    ("5", "policy gates decide on promotion"): (
        TRIED,
        f"{TRIALS}::test_5_every_gate_must_say_yes",
        f"{TRIALS}::test_5_a_promotion_is_what_may_be_proposed",
        f"{TRIALS}::test_5_only_what_was_tried_is_promoted",
        f"{TRIALS}::test_5_what_control_lowered_is_no_fallback_of_what_is_promoted",
    ),
    ("5", "(issue) pause, budget end, worker death and force lose nothing"): (
        f"{EXPANSION}::test_5_a_pause_between_two_fetches_loses_nothing",
        f"{EXPANSION}::test_5_money_and_force_end_it_and_the_next_goes_on",
        f"{EXPANSION}::test_5_a_new_policy_ends_it_and_the_next_goes_on",
        "chaos/test_source_crash_points.py::test_5_a_trial_goes_on_whenever_the_worker_dies",
    ),
    ("5", "(issue) a bad feed is refused in words, and a credential is in nothing that is kept"): (
        f"{FEEDS}::test_5_what_is_not_an_answer",
        f"{FEEDS}::test_5_redirects_stay_among_the_hosts",
        f"{FEEDS}::test_5_a_slow_answer_is_given_up",
        f"{FEEDS}::test_5_a_credential_comes_from_the_environment_alone",
        "policies/test_source_records.py::test_5_a_record_that_is_none_is_named",
        "policies/test_source_records.py::test_5_a_record_from_the_future_is_not_fresh",
    ),
    ("5", "(issue) candidates are ranked by severity, for a person"): (
        f"{REPORTED}::test_5_the_worst_come_first_and_wait_for_a_person",
        f"{REPORTED}::test_5_a_record_that_cannot_be_a_finding_is_told_in_words",
        f"{REPORTED}::test_5_a_strangers_feed_makes_no_snapshot_less_complete",
    ),
    ("5", "(issue) the books may only be lower than the file"): (
        f"{LOWERED}::test_5_a_sustained_breach_demotes",
        f"{LOWERED}::test_5_conflict_and_compliance_demote_at_once",
        f"{LOWERED}::test_5_recovery_needs_a_new_trial_and_a_person",
        f"{LOWERED}::test_5_the_books_are_never_higher_than_the_file",
    ),
    ("6.1", "pause every autonomous run"): (
        VIOLATION,
        "attacks/test_whole_runs.py::test_6_1_protected_path_pauses_everything_and_keeps_the_work",
        "policies/test_incident_matrix.py::test_6_1_what_pauses_pauses_first_and_everything_alerts",
    ),
    ("6.1", "mark the run ESCALATED"): (VIOLATION,),
    ("6.1", "open an incident ticket with its evidence bundle"): (VIOLATION,),
    ("6.2", "reject the release outcome"): (REJECTION,),
    ("6.2", "attach the failing checks' details to the run report"): (
        REJECTION,
        "reporting/test_run_report.py::test_6_2_failing_checks_are_told_on_the_page_and_in_the_terminal",
        BASE_RED,
    ),
    ("6.2", "queue a remediation candidate"): (
        REJECTION,
        "workflows/test_remediation.py::test_6_2_attempts_are_capped_and_the_next_idea_has_its_turn",
        "chaos/test_answer_crash_points.py::test_6_2_a_rejection_is_booked_once_whenever_the_worker_dies",
    ),
    ("6.4", "stop new runs"): (
        EXHAUSTED,
        "workflows/test_budgeting.py::test_6_4_a_used_up_period_refuses_new_runs_and_pauses_nobody",
    ),
    ("6.4", "send a budget alert report"): (EXHAUSTED,),
    ("6.4", "resume only after the cap is raised"): (
        EXHAUSTED,
        "workflows/test_budget_flow.py::test_6_4_a_run_at_its_cap_resumes_exactly_there",
    ),
    ("6.4", "or the next period begins"): (
        "workflows/test_budget_periods.py::test_6_4_a_used_up_period_blocks_and_the_next_one_lifts",
        "workflows/test_budget_periods.py::test_6_4_a_run_that_waits_for_money_goes_on_when_the_next_day_begins",
    ),
    ("7", "set the global status to PAUSED"): (
        "workflows/test_pausing.py::test_7_checkpoint_of_all_at_each_step_holds_and_goes_on_after_the_resume",
        "workflows/test_pausing.py::test_7_abort_of_all_at_each_step_cancels_and_leaves_no_process",
        SCHEDULED,
    ),
    ("7", "cancel queued runs"): (
        "workflows/test_admission.py::test_7_a_pause_cancels_the_queue_and_keeps_the_records",
    ),
    ("7", "keep artifacts and audit logs"): (
        "workflows/test_pausing.py::test_7_drain_of_one_target_at_each_step_ends_the_run_paused",
    ),
    ("7", "resume: confirm that the root cause is resolved"): (
        UNSAID,
        NOT_YET,
        "workflows/test_control_rules.py::test_7_when_a_resume_is_refused",
    ),
    ("7", "resume: pass one DRY_RUN smoke run"): (
        OPENED,
        "chaos/test_answer_crash_points.py::test_7_the_ladder_is_climbed_whenever_the_worker_dies",
        "workflows/test_resuming.py::test_7_whatever_happens_to_the_smoke_the_target_is_paused_with_the_reason",
        "workflows/test_control_rules.py::test_7_only_a_green_smoke_under_the_current_policy_opens_the_target",
    ),
    ("7", "resume in PR_ONLY first"): (OPENED,),
    ("9", "run failed"): (
        "workflows/test_alerts.py::test_9_run_failed_is_raised_once_and_delivered",
        "workflows/test_alerts.py::test_9_run_failed_is_raised_for_a_run_that_was_lost",
    ),
    ("9", "policy violation"): (
        "workflows/test_alerts.py::test_9_policy_violation_and_protected_path_touched_inhibit_run_failed",
        SILENCED,
    ),
    ("9", "protected path touched"): (
        "workflows/test_alerts.py::test_9_policy_violation_and_protected_path_touched_inhibit_run_failed",
        SILENCED,
    ),
    ("9", "required CI check failed"): (
        "workflows/test_alerts.py::test_9_required_check_failed_is_raised_for_a_rejected_release",
        "workflows/test_alerts.py::test_9_required_check_failed_is_raised_for_a_red_base",
    ),
    ("9", "budget threshold reached"): (
        "workflows/test_budgeting.py::test_9_budget_threshold_alerts_once_per_period_and_the_last_makes_a_report",
    ),
    ("9", "source quality below its threshold"): (
        "workflows/test_alerts.py::test_9_source_quality_is_raised_when_too_little_could_be_seen",
        "workflows/test_source_records.py::test_9_source_quality_alerts_for_each_change_and_not_for_each_use",
    ),
    ("9", "(issue) run missed its deadline"): (
        "workflows/test_alerts.py::test_9_run_missed_its_deadline_names_who_paused_it",
        "policies/test_watching.py::test_9_run_missed_its_deadline_with_the_cause",
    ),
    ("9", "(issue) run stuck"): ("workflows/test_alerts.py::test_9_run_stuck_says_in_which_step",),
    ("9", "(issue) delivery failed"): (
        "chaos/test_alert_channels.py::test_9_delivery_failed_is_tried_again_and_told_of_on_the_others",
    ),
    **{
        ("12", part): (CLOSING,)
        for part in (
            "incident id and time",
            "trigger",
            "impact",
            "root cause",
            "immediate remediation",
            "long-term prevention",
            "owner and due date",
        )
    },
    ("10", "objective achieved against expected"): (
        f"{REPORT}::test_10_objective_is_compared_with_what_was_measured",
        f"{LATER}::test_10_objective_achieved_against_expected",
        f"{MOMENTS}::test_10_objective_is_measured_again_on_the_base_after_the_merge",
        "workflows/test_follow_up_ends.py::test_10_after_a_persons_merge_people_hear_of_it_and_nothing_is_undone",
    ),
    ("10", "risk score against what happened"): (
        f"{REPORT}::test_10_risk_score_is_held_against_the_checks",
        f"{LATER}::test_10_risk_score_against_what_happened",
        f"{GOVERNANCE}::test_10_calibration_of_the_risk_score",
        f"{GOVERNANCE}::test_10_a_merge_that_people_reverted_went_badly",
    ),
    ("10", "check stability and flakiness"): (
        f"{REPORT}::test_10_check_stability_counts_reruns_and_names_the_unstable",
        "policies/test_flakes.py::test_10_flake_ledger_counts_different_answers_about_one_tree",
        "policies/test_flakes.py::test_10_flake_ledger_names_owner_and_expiry",
    ),
    ("10", "cost per run and per successful change"): (
        f"{REPORT}::test_10_a_run_that_ended_at_once_claims_nothing",
        f"{GOVERNANCE}::test_10_cost_per_run_and_per_successful_change",
    ),
    ("10", "policy updates needed"): (
        f"{REPORT}::test_10_suggestions_name_the_setting_to_look_at",
        f"{LATER}::test_10_policy_updates_are_the_levers_of_the_weekly_review",
    ),
    ("10", "(issue) outcomes at 1, 7 and 30 days: kept, reverted, rewritten"): (
        f"{LATER}::test_10_fate_of_a_merge",
        f"{MOMENTS}::test_10_kept_rewritten_and_reverted_as_the_base_was_at_each_moment",
        f"{MOMENTS}::test_10_what_is_not_over_is_not_yet",
        f"{MOMENTS}::test_10_a_moment_that_was_read_stays_as_it_was",
    ),
    ("10", "(issue) closed by whom and with what words"): (
        f"{LATER}::test_10_peoples_words_are_theirs_and_bounded",
        f"{MOMENTS}::test_10_words_of_people_are_read_with_each_moment",
    ),
    ("11", "acceptance and rejection patterns"): (
        f"{GOVERNANCE}::test_11_patterns_say_why",
        f"{GOVERNANCE}::test_11_patterns_have_peoples_own_words",
        REVIEWED,
    ),
    ("11", "regressions and rollback incidents"): (
        f"{GOVERNANCE}::test_11_overdue_preventions_and_what_cannot_be_read",
        f"{GOVERNANCE}::test_11_fates_are_counted_in_the_window_that_their_moment_lies_in",
    ),
    ("11", "source trial outcomes"): (f"{GOVERNANCE}::test_11_source_trial_outcomes_are_their_targets",),
    ("11", "thresholds adjusted cautiously"): (
        f"{STEPS}::test_11_what_the_numbers_speak_for",
        f"{STEPS}::test_11_no_step_goes_beyond_its_bounds",
        f"{STEPS}::test_11_a_step_that_was_taken_is_looked_at_first",
        f"{STEPS}::test_11_nothing_goes_back_and_forth",
    ),
    **{
        ("baselines", share): (SHARES,)
        for share in (
            "policy violations",
            "post-merge regressions",
            "checks all green",
            "rollbacks",
            "pull request acceptance",
        )
    },
    ("baselines", "protected-path touches"): (f"{GOVERNANCE}::test_baselines_protected_paths_touched",),
    ("baselines", "autonomous pull requests a week"): (f"{GOVERNANCE}::test_baselines_pull_requests_a_week",),
    ("baselines", "daily budget use"): (f"{GOVERNANCE}::test_baselines_daily_budget_use",),
    ("baselines", "time to pull request"): (f"{GOVERNANCE}::test_baselines_time_to_pull_request",),
    ("baselines", "cost per run, cost per merged change"): (
        f"{GOVERNANCE}::test_baselines_cost_per_run_and_per_merged_change",
    ),
    ("baselines", "source trial success"): (f"{GOVERNANCE}::test_baselines_source_trial_success_and_promotion",),
    ("baselines", "source promotion"): (f"{GOVERNANCE}::test_baselines_source_trial_success_and_promotion",),
    ("baselines", "source demotion"): (f"{GOVERNANCE}::test_baselines_source_demotion",),
    ("baselines", "source freshness"): (f"{GOVERNANCE}::test_baselines_source_freshness",),
    ("baselines", "tokens per role"): (f"{GOVERNANCE}::test_baselines_tokens_per_role",),
    ("12", "(issue) an overdue prevention shows, and bars a higher mode"): (
        f"{BOOKS}::test_12_an_open_incident_or_an_overdue_prevention_bars_a_higher_mode",
        f"{BOOKS}::test_12_an_overdue_prevention_ends_selective_auto",
        f"{BOOKS}::test_12_overdue_is_alerted_once_and_shown",
    ),
}


@cache
def _tests_of(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@pytest.mark.parametrize(("section", "row"), ROWS, ids=[f"§{section} {row}" for section, row in ROWS])
def test_a_row_has_tests_named_after_its_section(section: str, row: str) -> None:
    """They exist, and their names begin with the section."""
    named = f"test_{section.replace('.', '_')}_"
    found = [each.split("::") for each in ROWS[section, row]]
    assert found
    assert [] == [name for file, name in found if name not in _tests_of(file)]
    assert [] == [name for _, name in found if not name.startswith(named)]


def test_the_seven_parts_are_the_runbooks() -> None:
    """§12's rows are the parameters of their test: a part that is dropped from the code is dropped from no promise."""
    assert list(PARTS) == [row for section, row in ROWS if section == "12" and not row.startswith("(issue)")]

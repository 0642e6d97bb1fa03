"""``budget_alert_report.json`` (runbook §6.4): what Control found exhausted, kept where a person finds it."""

from dataclasses import dataclass

from temporalio import activity

from activities.api import REPORT_BUDGET
from activities.step_session import StepPorts, written
from contracts.budget import BudgetAlertReport, BudgetReportRef
from ports.crashpoints import crashpoint


@dataclass(frozen=True)
class BudgetReporting:
    """Writes what it is given; the same again is the same artifact."""

    bench: StepPorts

    @activity.defn(name=REPORT_BUDGET.name, no_thread_cancel_exception=True)
    def report_budget(self, report: BudgetAlertReport) -> BudgetReportRef:
        """Keep the report in its run's folder, one per period and measure."""
        name = f"budget/{report.period}/{report.measure}/budget_alert_report.json"
        crashpoint("report_budget.before_effect")
        kept = self.bench.store.put(report.run_id, name, written(report))
        crashpoint("report_budget.after_effect")
        return BudgetReportRef(
            period=report.period,
            measure=report.measure,
            run_id=report.run_id,
            name=name,
            sha256=kept.sha256,
            address=f"{self.bench.store.address(report.run_id)}/{name}",
        )

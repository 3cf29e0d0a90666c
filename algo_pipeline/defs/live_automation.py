"""When live trading runs and who hears of its failures: the hourly schedule and two sensors."""

import dagster as dg
import pandas as pd

from algo_pipeline.broker.auth import can_trade, require_paper
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.time import last_closed_open, to_utc, utc_now
from algo_pipeline.defs.partitions import HOURS
from algo_pipeline.defs.resources import PARTITION_TAG
from algo_pipeline.defs.trading import LIVE_TAG, hourly_job, partition_key
from algo_pipeline.live.alerts import Alert, Severity

# What a session needs (Numba, TA-Lib, the clients) is imported where a tick uses it: the code location loads sooner.
_NOT_CONFIGURED = (
    "No paper account is configured: set ALGO_TRADER_ALPACA_API_KEY and ALGO_TRADER_ALPACA_SECRET_KEY, or "
    "ALGO_TRADER_ALPACA_TRADING_URL to a sandbox (algo-pipeline sandbox)."
)


@dg.schedule(
    job=hourly_job,
    cron_schedule="1 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour at :01 UTC: decide on the bar that has just closed and place the paper orders that follow. "
    "Trades only where the keys of a paper account, or a sandbox, are configured; says which.",
)
def hourly_decision(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run for all symbols, partitioned by the bar's hour."""
    from algo_pipeline.defs.live_account import account_time

    try:
        settings = load_settings()
        if not can_trade(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key):
            return dg.SkipReason(_NOT_CONFIGURED)
        access = require_paper(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key)
        at = account_time(settings) if access.is_loopback else to_utc(pd.Timestamp(context.scheduled_execution_time))
    except AlgoPipelineError as error:
        return dg.SkipReason(f"Nothing can be decided: {error}")
    key = partition_key(last_closed_open(at))
    if not HOURS.has_partition_key(key):
        return dg.SkipReason(f"The sandbox's clock stands at {at}, outside of the live partitions: use replay instead.")
    venue = "a sandbox" if access.is_loopback else "Alpaca's paper account"
    tick = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}"
    return dg.RunRequest(partition_key=key, run_key=f"{key} {tick}", tags={**LIVE_TAG, "algo-pipeline/venue": venue})


@dg.run_failure_sensor(
    name="live_run_failures",
    monitored_jobs=[hourly_job],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts when a run of the hourly decision has failed.",
)
def live_run_failures(context: dg.RunFailureSensorContext) -> None:
    """Tell the person that an hour's run failed, and why."""
    hour = context.dagster_run.tags.get(PARTITION_TAG, "an hour")
    _raise(Severity.CRITICAL, "run_failed", f"The run of {hour} failed", _why(context))


def _why(context: dg.RunFailureSensorContext) -> str:
    """What the failed step said for people; what Dagster says of the run where no step did."""
    failures = [event.step_failure_data for event in context.get_step_failure_events()]
    told = [failure.user_failure_data.description for failure in failures if failure.user_failure_data is not None]
    return "; ".join(text for text in told if text) or context.failure_event.message or "See the run in Dagster."


@dg.sensor(
    name="missed_hours",
    minimum_interval_seconds=120,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Alerts when hours pass without a decision, for example because the daemon was down.",
)
def missed_hours(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Compare the journal's newest bar with the clock."""
    try:
        settings = load_settings()
        if not can_trade(settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key):
            return dg.SkipReason(_NOT_CONFIGURED)  # a rehearsal's journal owes nobody an hour
        return dg.SkipReason(_overdue_alert(settings))
    except AlgoPipelineError as error:
        return dg.SkipReason(f"The journal can't be judged: {error}")


def _overdue_alert(settings: Settings) -> str:
    """Alert if hours are overdue; in any case say what was found."""
    from algo_pipeline.defs.live_account import account_time
    from algo_pipeline.live.journal import Journal
    from algo_pipeline.live.monitoring import is_holding, overdue_hours, severity_of_missed
    from algo_pipeline.live.state import StateStore

    folder = settings.artifacts_dir / "live"
    state = StateStore(folder).load(Journal(folder))
    if state.last_bar is None:
        return "Live trading has not started."
    overdue = overdue_hours(state, account_time(settings), settings.max_decision_delay)
    if overdue is None:
        return "No hour is overdue."
    first, last, hours = overdue
    severity = severity_of_missed(hours, holding=is_holding(state, settings.min_notional))
    text = f"{hours} h from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC. Does the hourly schedule run?"
    _raise(severity, "hours_overdue", "Hours without a decision", text)
    return text


def _raise(severity: Severity, code: str, title: str, text: str) -> None:
    from algo_pipeline.defs.live_account import make_alerter

    make_alerter(load_settings()).raise_alert(Alert(severity, code, title, text, utc_now()))

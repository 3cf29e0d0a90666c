"""The real code location with a schedule of a minute instead of an hour, and time stamps: for the latency proof alone.

The schedule launches the real hourly job by the real schedule's own evaluation; in the run's process, the moments at
which the imports are done, the hour begins, an order leaves and its acknowledgement comes back are written to a file.
"""

import time

_IMPORTS_AT, _IMPORTS_CPU_S = time.time(), time.process_time()

from contextlib import contextmanager  # noqa: E402

import dagster as dg  # noqa: E402

from algo_pipeline.definitions import build_definitions  # noqa: E402
from algo_pipeline.defs import live_automation, trading  # noqa: E402
from algo_pipeline_tests.proofs.stamps import process_start, stamp  # noqa: E402


def _stamped_order(send):
    def place_order(broker, symbol, quantity, side, client_order_id):
        stamp("sent", client_order_id)
        placed = send(broker, symbol, quantity, side, client_order_id)
        stamp("acknowledged", client_order_id)
        return placed

    return place_order


def _stamped_hour(run_hour):
    def stamped(*arguments, **options):
        stamp("hour")
        return run_hour(*arguments, **options)

    return stamped


def _stamped_stage(stage):
    @contextmanager
    def stamped(context):
        from algo_pipeline.broker.alpaca import AlpacaBroker
        from algo_pipeline.defs import live_session

        stamp("start", at=process_start(), cpu_s=0.0)
        stamp("imports", at=_IMPORTS_AT, cpu_s=_IMPORTS_CPU_S)
        stamp("loaded", at=_LOADED_AT, cpu_s=_LOADED_CPU_S)
        stamp("body", context.run.run_id)
        AlpacaBroker.place_order = _stamped_order(AlpacaBroker.place_order)
        live_session.run_hour = _stamped_hour(live_session.run_hour)
        with stage(context):
            yield
        stamp("closed")

    return stamped


@dg.schedule(
    job=trading.hourly_job,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """What the hourly schedule would do now."""
    return live_automation.hourly_decision(context)


@dg.definitions
def defs() -> dg.Definitions:
    """Everything real, but for the schedule."""
    real = build_definitions()
    schedules = [schedule for schedule in real.schedules or () if schedule.name != "hourly_decision"]
    return dg.Definitions(
        assets=real.assets,
        asset_checks=real.asset_checks,
        jobs=real.jobs,
        sensors=real.sensors,
        schedules=[*schedules, every_minute],
        resources=real.resources,
        loggers=real.loggers,
        executor=real.executor,
    )


trading.stage = _stamped_stage(trading.stage)
_LOADED_AT, _LOADED_CPU_S = time.time(), time.process_time()

"""APScheduler (3.11): it knows for which time a job was scheduled, and does not tell the job. This executor does. Copy this file and leader.py.

    scheduler = BackgroundScheduler(executors={"default": ScheduledTimes()}, timezone="UTC")
    scheduler.add_job(lambda: once(gate, "daily-report", send_report), "cron", hour=9)

Give each replica the same trigger: `cron`, or `date`, without jitter. The times of an `interval` begin with the process, unless it has a start_date.
The executor keeps what it needs in the process: for jobs in a ThreadPoolExecutor, not in a ProcessPoolExecutor.
"""

import concurrent.futures
import contextvars
from datetime import datetime
from typing import Callable

from apscheduler.executors.base import run_job
from apscheduler.executors.pool import BasePoolExecutor
from leader import Claim, Gate, Outcome

_scheduled: "contextvars.ContextVar[datetime]" = contextvars.ContextVar("scheduled")


class ScheduledTimes(BasePoolExecutor):
    """Runs jobs in threads, each with the time that it was scheduled for."""

    def __init__(self, max_workers: int = 10):
        super().__init__(_Pool(max_workers))


class _Pool(concurrent.futures.ThreadPoolExecutor):
    def submit(self, _run_job, job, jobstore_alias, run_times, logger_name):
        return super().submit(_run_each, job, jobstore_alias, run_times, logger_name)


def _run_each(job, jobstore_alias, run_times, logger_name) -> list:
    """As apscheduler's run_job, which is given all times at once, and does not say which one it is at."""
    events = []
    for run_time in run_times:
        reset = _scheduled.set(run_time)
        try:
            events += run_job(job, jobstore_alias, [run_time], logger_name)
        finally:
            _scheduled.reset(reset)
    return events


def scheduled_ms() -> int:
    """Of the job that runs in this thread: the time that it was scheduled for, in milliseconds since 1970."""
    return round(_scheduled.get().timestamp() * 1000)


def once(gate: Gate, series: str, work: Callable[[Claim], object], **options) -> Outcome:
    """Runs work(claim) in one replica, for the tick of the job in which this is called. `options`: as of Gate.once."""
    return gate.once(series, scheduled_ms(), work, **options)

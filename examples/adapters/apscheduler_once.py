"""APScheduler (3.11): it knows for which time a job was scheduled, and does not tell the job. This executor does. Copy this file and leader.py.

    late = {"misfire_grace_time": 60, "coalesce": False}
    scheduler = BackgroundScheduler(executors={"default": ScheduledTimes()}, timezone="UTC", job_defaults=late)
    at_nine = CronTrigger(hour=9, timezone="UTC")
    first = first_run(gate, "daily-report", at_nine)
    scheduler.add_job(lambda: once(gate, "daily-report", send_report), at_nine, next_run_time=first)

Give each replica the same trigger: `cron`, or `date`, without jitter. The times of an `interval` begin with the process, unless it has a start_date.
The executor keeps what it needs in the process: for jobs in a ThreadPoolExecutor, not in a ProcessPoolExecutor.
"""

import concurrent.futures
import contextvars
import sys
import threading
from datetime import datetime, timedelta, timezone
from typing import Callable, Optional

from apscheduler.executors.base import run_job
from apscheduler.executors.pool import BasePoolExecutor
from leader import Claim, ClaimError, Gate, Outcome

# What begins later waits for its turn; what begins in time has it.
LATE = timedelta(seconds=0.5)
_scheduled: "contextvars.ContextVar[datetime]" = contextvars.ContextVar("scheduled")


class ScheduledTimes(BasePoolExecutor):
    """Runs jobs in threads, each with the time that it was scheduled for."""

    def __init__(self, max_workers: int = 10):
        super().__init__(_Pool(max_workers))


class _Pool(concurrent.futures.ThreadPoolExecutor):
    def __init__(self, max_workers: int):
        super().__init__(max_workers)
        # By job: what is late, perhaps with several times at once. A later one that claimed meanwhile would let them pass.
        self.late = {}

    def submit(self, _run_job, job, jobstore_alias, run_times, logger_name):
        before = self.late.get(job.id)
        if before and before.done():
            before = None
        future = super().submit(_run_each, before, job, jobstore_alias, run_times, logger_name)
        if before or datetime.now(run_times[0].tzinfo) - run_times[0] > LATE:
            self.late[job.id] = future
        return future


def _run_each(before, job, jobstore_alias, run_times, logger_name) -> list:
    """As apscheduler's run_job, which is given all times at once, and does not say which one it is at."""
    if before:
        concurrent.futures.wait([before])
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


def first_run(gate: Gate, series: str, trigger, catch_up: float = 60.0, stop: Optional[threading.Event] = None) -> Optional[datetime]:
    """For next_run_time of a job that is added: the first time of the trigger after the last tick that was claimed, by whomever. While this process was
    away ticks may have been due that nobody has claimed, and its first claim would let them pass; so the scheduler does them all, but for what is longer ago
    than `catch_up` seconds: as long as misfire_grace_time, with AtLeastOnce retry_after and a minute. It asks until the gate says, or `stop` is set; what
    the gate refuses is said on stderr, for people to end it."""
    begun, stop = datetime.now(timezone.utc), stop or threading.Event()
    position = None
    while not stop.is_set():
        try:
            position = gate.standing(series, stop)
            break
        except ClaimError as error:
            print(f"{series}: {error}", file=sys.stderr, flush=True)
            stop.wait(10)
    after = begun
    if position is not None:
        # One that is ahead was given out by a wrong clock, and may be taken back.
        stood = min(position / 1000, begun.timestamp())
        after = max(datetime.fromtimestamp(stood, timezone.utc), begun - timedelta(seconds=catch_up))
    # A trigger has the time itself, too.
    return trigger.get_next_fire_time(None, after + timedelta(microseconds=1))


def once(gate: Gate, series: str, work: Callable[[Claim], object], **options) -> Outcome:
    """Runs work(claim) in one replica, for the tick of the job in which this is called. `options`: as of Gate.once."""
    return gate.once(series, scheduled_ms(), work, **options)

"""As with-node-cron.ts beside it, with APScheduler: what a user makes of examples/adapters/apscheduler_once.py and the client."""

import http.server
import json
import os
import signal
import threading
import time
import urllib.request
from datetime import timezone

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler_once import ScheduledTimes, first_run, once, scheduled_ms
from leader import Gate

PREPARE, DEPART = (int(os.environ[name]) / 1000 for name in ("PREPARE_MS", "DEPART_MS"))
CLAIMED = ("AtMostOnce", "AtLeastOnce")
LEADS = "http://127.0.0.1:8090"
# Seconds. A leader on a node that is cut off is replaced after most of a minute where no probe notices it.
WAIT = 120
# The group is made anew before some faults: meanwhile nobody is a member.
PATIENCE = 10
CATCH_UP = int(os.environ.get("CATCH_UP_MS", "60000")) / 1000
stop = threading.Event()


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def leads() -> bool:
    try:
        with urllib.request.urlopen(LEADS, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def send(series: str, tick: int, token) -> None:
    body = json.dumps({"series": series, "tick": tick, "token": token, "pod": os.environ["POD_NAME"]}).encode()
    request = urllib.request.Request(os.environ["SINK"] + "/deliveries", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        answer.read()


def job_of(gate: Gate, series: str, mode: str):
    if mode not in CLAIMED:
        return lambda: without_claim(series, mode == "Lease")
    retry_after = int(os.environ["RETRY_AFTER_SECONDS"])

    def work(claim) -> None:
        time.sleep(PREPARE + DEPART)
        send(series, claim.position, claim.token)

    def job() -> None:
        options = {"mode": mode, "retry_after": retry_after, "wait": WAIT, "patience": PATIENCE, "stop": stop}
        said = once(gate, series, work, **options)
        if said.kind == "unknown":
            print(series, said.message, flush=True)

    return job


def without_claim(series: str, by_lease: bool) -> None:
    position = scheduled_ms()
    time.sleep(PREPARE)
    if by_lease and not leads():
        return
    time.sleep(DEPART)
    send(series, position, None)


signal.signal(signal.SIGTERM, lambda *_: stop.set())
# While nobody leads, each tick of each schedule waits in a thread of its own.
at_once = WAIT + 60
defaults = {"max_instances": at_once, "misfire_grace_time": round(CATCH_UP), "coalesce": False}
schedules = [text.split(":") for text in os.environ["SCHEDULES"].split(",")]
# By its name a zone is looked up in files that a bare image does not have.
scheduler = BackgroundScheduler(
    executors={"default": ScheduledTimes(at_once * len(schedules))}, timezone=timezone.utc, job_defaults=defaults
)


def keep(series: str, mode: str) -> None:
    gate, trigger = Gate(), CronTrigger(second="*", timezone=timezone.utc)
    first = {"next_run_time": first_run(gate, series, trigger, CATCH_UP, stop)} if mode in CLAIMED else {}
    if not stop.is_set():
        scheduler.add_job(job_of(gate, series, mode), trigger, **first)


scheduler.start()
# Ready meanwhile.
for series, mode in schedules:
    threading.Thread(target=keep, args=(series, mode), daemon=True).start()
server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Ready)
threading.Thread(target=server.serve_forever, daemon=True).start()
stop.wait()
# What is under way is ended.
scheduler.shutdown()

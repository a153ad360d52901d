"""Ask before you act: the gate of the LeaderGroup operator. Copy this file; it needs nothing but the standard library.

    def work(term):                     # in a thread of its own; with process=True in a process of its own
        while term.holds():             # looked at once more right before what cannot be undone
            send_next(term.token)
            term.wait(10)               # instead of time.sleep: returns at once when the term is over

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Gate().run_while_leader(work)

For what is short, in a cron job say: `leadership = Gate().ask()`. For what is to be done once per tick of a scheduler that runs in every replica:

    Gate().once("daily-report", scheduled_ms, lambda claim: send_report(claim.token))
"""

import contextlib
import http.client
import ipaddress
import json
import multiprocessing
import os
import queue
import random
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.parse
from typing import Callable, NamedTuple, Optional

# The gate promises no more at a time; an answer that does is none of its.
MAX_VALID_MS = 2000
# Beyond it JavaScript, which the gate is written in, takes neighbours for the same number.
MAX_TOKEN = 2**53 - 1
# Seconds, as everything below.
ANSWER = 1.0
# After so long without an answer another replica is asked as well.
SECOND = 0.15
AGAIN = 0.5
# So long a pod that does not lead waits for news. Not longer: the replica that it waits for may have died with the leader.
NEWS = 2.0
# Who is answered within this time without a grant pauses before it asks again, twice as long each time.
QUICK = 0.3
FIRST_PAUSE = 0.05
MAX_PAUSE = 1.0
# Less is not worth a question that waits.
LEAST_WAIT = 0.05
NEVER = float("inf")


def now() -> float:
    """Seconds, by a clock that goes on while a Linux machine is suspended, which time.monotonic() does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Leadership(NamedTuple):
    """A grant. The token rises with each leader: whatever is acted on should refuse one lower than the highest it has seen."""

    token: int
    until: float

    def holds(self) -> bool:
        """Whether the pod may still act. A process that was frozen goes on where it stood: look right before each irreversible step."""
        return now() < self.until


class Term:
    """From the first grant to the end of the last one."""

    # In `shared`, which two processes may look at: until when, whether it was ended before, whether the work resigns.
    def __init__(self, token: int, shared, sleep: Callable[[float], object], gate: "Gate"):
        self.token, self._shared, self._sleep, self._gate = token, shared, sleep, gate

    @property
    def until(self) -> float:
        """By now(); it moves on with each answer."""
        return self._shared[0]

    def holds(self) -> bool:
        """Whether the pod may still act. Look right before each irreversible step. Once false, false for good."""
        return not self._shared[1] and now() < self._shared[0]

    def wait(self, seconds: float) -> bool:
        """Sleeps for so long, or until the term is over; whether it still holds."""
        end = now() + seconds
        while self.holds() and now() < end:
            self._sleep(max(0.0, min(end, self.until) - now()))
        return self.holds()

    def resign(self) -> None:
        """Has another pod lead, if one can, once the work has returned; it should do so now."""
        self._shared[2] = 1

    def resigns(self) -> bool:
        return bool(self._shared[2])

    def once(self, series: str, position: int, work: Callable[["Claim"], object], wait: float = 0.0, **options) -> "Outcome":
        """As once of the gate, in this term: it does not wait to lead, and begins nothing once the term is over."""
        if not self.holds():
            return Outcome("dropped", reason="TermOver")
        begins = lambda token: token in (None, self.token) and self.holds()  # noqa: E731
        return self._gate._once(series, position, work, begins, lambda: not self.holds(), wait=wait, **options)


class Claim(NamedTuple):
    """What the work of once() is to do. With AtLeastOnce the position may be an earlier one than it was called for, which nobody has done: that one is
    done first. The token is that of the leader: whatever is acted on should refuse one lower than the highest it has seen. `attempt`: how often
    the position was given out. `lost()`: it was given to somebody else, or this is to stop; work that gives up for that has to
    raise, for what returns counts as done."""

    series: str
    position: int
    token: int
    attempt: int
    lost: Callable[[], bool]


class Outcome(NamedTuple):
    """kind: done: the work was run for the position, and raised nothing; `reported`: the gate has noted it (False with AtLeastOnce: it may be done once
    more). dropped: it was not run, for `reason`: Passed (it was given out, or a later one was, `by` says to whom), Pending (it or an earlier one was given
    out, and is neither done nor overdue), NotLeader (the leader asks for itself), TermOver (it may be this term's, which was over before the work began).
    unknown: nobody could say, or nobody has claimed it in all the time: `message`; it was not run here, and perhaps nowhere."""

    kind: str
    claim: Optional[Claim] = None
    reported: bool = False
    reason: str = ""
    by: Optional[dict] = None
    message: str = ""


STOPPED = Outcome("unknown", message="it was told to stop before the gate said")


class ClaimError(Exception):
    """The gate does not take such a claim (400, 401, 403, too many series): the program or its manifest is wrong, or the group."""


class Reply(NamedTuple):
    base: str
    status: int
    body: dict
    text: str
    # Before the question: the answer may have been on its way for as long as it took.
    asked: float


class Said(NamedTuple):
    """kind: grant; no: another pod leads, or none; revoking: this one, but it gets no more grants; released: the secret is that of a term which
    was released; unknown: nobody can say."""

    kind: str
    token: int = 0
    leadership: Optional[Leadership] = None


class Replicas:
    """The addresses of all, looked up again after five seconds."""

    def __init__(self, urls: str, lookup: Callable):
        self.urls, self.lookup = [url.strip().rstrip("/") for url in urls.split(",")], lookup
        self.known, self.since, self.looking = [], -NEVER, None
        # Where to ask first.
        self.first = random.randrange(1000)

    def in_order(self, limit: float) -> list:
        """Where to ask, one after the other. Waits only for the first addresses of all."""
        if now() - self.since > 5 and (self.looking is None or not self.looking.is_alive()):
            self.looking = threading.Thread(target=self.look, daemon=True)
            self.looking.start()
        if not self.known and self.looking:
            self.looking.join(limit)
        known, first = self.known, self.first
        return [known[(first + at) % len(known)] for at in range(len(known))]

    def look(self) -> None:
        found = sorted({origin for url in self.urls for origin in self.origins(url)})
        # One that cannot be found now may still be there.
        self.known, self.since = found or self.known, now()

    def origins(self, url: str) -> list:
        """All behind a name, of one family: a replica may have an address of each. By https it is the name that is verified, and asked."""
        at = urllib.parse.urlsplit(url)
        if at.scheme == "https" or is_address(at.hostname):
            return [url]
        try:
            found = self.lookup(at.hostname, at.port or 80, type=socket.SOCK_STREAM)
        except OSError:
            return []
        addresses = [address[0] for family, _, _, _, address in found if family == found[0][0]]
        return [f"http://{f'[{address}]' if ':' in address else address}:{at.port or 80}{at.path}" for address in addresses]

    def prefer(self, base: Optional[str]) -> None:
        """Asks this one first from now on; None: another than so far."""
        self.first = self.known.index(base) if base in self.known else self.first + 1


class Line:
    """The calls for a series, one after the other: a later position that is given lets the earlier ones pass, also one that is still asked for."""

    def __init__(self):
        self.lock, self.calls = threading.Lock(), {}

    def join(self, series: str) -> threading.Event:
        """Set when its turn has come."""
        turn = threading.Event()
        with self.lock:
            line = self.calls.setdefault(series, [])
            line.append(turn)
            line[0].set()
        return turn

    def leave(self, series: str, turn: threading.Event) -> None:
        """Whoever was first has the next one come."""
        with self.lock:
            line = self.calls.get(series, [])
            if turn in line:
                line.remove(turn)
                if line:
                    line[0].set()
                else:
                    del self.calls[series]


class Gate:
    """Where this pod asks for itself, from LEADERGROUP_GATE (URLs of the operator's replicas, with commas between them; each address behind the
    name of an http URL is a replica; default: the operator's headless Service), LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME and POD_UID (a pod that
    is made again has the name of the old one, which may still run), and LEADERGROUP_TOKEN_FILE, if there is one."""

    def __init__(self, environment=os.environ, lookup=socket.getaddrinfo):
        names = ("POD_NAMESPACE", "LEADERGROUP_NAME", "POD_NAME", "POD_UID")
        for name in names:
            if not environment.get(name):
                downward = "POD_* by the downward API: metadata.namespace, .name, .uid"
                raise RuntimeError(f"{name} is not set: give it in the pod's manifest ({downward})")
        namespace, group, pod, uid = (urllib.parse.quote(environment[name], safe="") for name in names)
        member = f"/v1/namespaces/{namespace}/leadergroups/{group}/members/{pod}"
        self.path, self.release_path, self.self_path = f"{member}?uid={uid}", f"{member}/release?uid={uid}", f"/v1/self?uid={uid}"
        self.claims_path, self.query = f"{member}/claims", f"?uid={uid}"
        self.uid = environment["POD_UID"]
        self.environment = {name: value for name, value in environment.items() if name.startswith(("POD_", "LEADERGROUP_"))}
        # Of a ServiceAccount token of audience leadergroup, for an operator that asks for one.
        self.token_file = environment.get("LEADERGROUP_TOKEN_FILE", "")
        urls = environment.get("LEADERGROUP_GATE") or "http://leadergroup-replicas.leadergroup-system.svc:8080"
        self.replicas = Replicas(urls, lookup)
        self.told = set()
        # With a leader probe the pod must be heard so often, whatever it is told.
        self.within, self.asked = NEVER, 0.0
        # The gate has said that asking again sooner brings nothing.
        self.rest = 0.0
        # Of the terms that have ended.
        self.releasing = []
        # Of each process, the calls of once.
        self.lines = {}

    def __reduce__(self):
        """For work in a process of its own."""
        return Gate, (self.environment,)

    def ask(self) -> Optional[Leadership]:
        """None: this pod does not lead, or nobody can say so: do not act."""
        return self.question("").leadership

    def run_while_leader(
        self,
        work: Callable[[Term], None],
        stop: Optional[threading.Event] = None,
        process: bool = False,
        patience: float = 10.0,
        overrun: Optional[Callable[[str], None]] = None,
    ) -> None:
        """Runs work(term) whenever this pod leads, until `stop` is set, an exception is raised here (SystemExit, by a handler of SIGTERM) or by the
        work. The work has to end when its term does, and is waited for before it is run again; it is also run again, half a second later, if it ends
        while the pod leads. The term is released once the work has ended, before this returns.

        By default the work runs in a thread. A thread cannot be ended from outside: where it goes on for `patience` seconds after its term,
        overrun(message) is called, which by default says so and ends this whole process with status 70, as nothing else is sure to stop it.
        An overrun that returns is called again after as long; nothing is asked meanwhile.

        With process=True the work runs in a process of its own (`spawn`: it has to be a function of a module), which gets SIGTERM when its term is
        over and SIGKILL after `patience`; stderr says so. It ends by itself if this process is killed."""
        threading.Thread(target=self.introduce, daemon=True).start()

        def begin(leadership: Leadership) -> "_Thread":
            return (_Process if process else _Thread)(self, work, leadership, patience, overrun or end_process)

        try:
            self.lead_again(begin, stop or threading.Event())
        finally:
            for releasing in self.releasing:
                releasing.join()

    def lead_again(self, begin: Callable[[Leadership], "_Thread"], stop: threading.Event) -> None:
        # Of a term, drawn for it alone, and after any fork: a late copy of its release must not end the next one.
        secret, failures = secrets.token_urlsafe(16), 0
        while not stop.is_set():
            begun = now()
            said = self.question(secret)
            if said.kind == "grant":
                self.lead(begin(said.leadership), secret, stop)
                secret, failures = secrets.token_urlsafe(16), 0
                stop.wait(self.again(AGAIN))
                continue
            if said.kind == "no":
                self.news(said.token, secret, stop)
            if said.kind == "released":
                secret = secrets.token_urlsafe(16)
            failures += 1
            if said.kind == "no" and now() - begun >= QUICK:
                failures = 0
                continue
            # Half of it by chance: many may pause at the same moment.
            pause = min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
            stop.wait(self.again(pause))

    def lead(self, running: "_Thread", secret: str, stop: threading.Event) -> None:
        term = running.term
        renewing = threading.Thread(target=self.renew, args=(running, secret), daemon=True)
        try:
            renewing.start()
            running.start()
            # So often it looks whether the term is over, or `stop` is set.
            while term.holds() and not stop.is_set() and not running.ended(0.05):
                pass
        finally:
            running.end()
            renewing.join(ANSWER + 1)
            # Not waited for here: while nobody answers it, the pod must be heard all the same, or it would be taken for one that hangs.
            releasing = threading.Thread(target=self.release, args=(secret, term.resigns()), daemon=True)
            releasing.start()
            self.releasing = [other for other in self.releasing if other.is_alive()] + [releasing]
        running.raise_again()

    def renew(self, running: "_Thread", secret: str) -> None:
        """Returns when the term is over."""
        term = running.term
        while term.holds():
            # A third of the time that is left, so that one lost answer does no harm.
            term.wait(self.again(min((term.until - now()) / 3, AGAIN)))
            if not term.holds():
                break
            said = self.question(secret)
            if said.kind in ("unknown", "no"):
                continue
            # An answer that comes when the time is over begins a new term, not this one once more.
            if said.kind != "grant" or said.token != term.token or not term.holds():
                break
            # A shorter grant takes nothing back of the one before it.
            term._shared[0] = max(term.until, said.leadership.until)
        running.over()

    def news(self, token: int, secret: str, stop: threading.Event) -> None:
        """Returns when there may be some for whoever knows this token, or something went wrong."""
        while not stop.is_set():
            self.asked = begun = now()
            wait = min(NEWS, self.within)
            # The answer has to come before the pod must be heard again. A grant that was waited for is over: it says that it is worth asking.
            path = f"{self.path}&wait={int(wait * 800)}ms&token={token}"
            said = self.hear("GET", path, secret, lambda reply: self.read(reply._replace(asked=now())), wait, None, stop.is_set)
            if said is None or said.kind != "no" or now() - begun < QUICK:
                return
            token = said.token

    def release(self, secret: str, resign: bool = False) -> None:
        """Nobody needs to wait for the grants of this term any more. If nobody hears it, they run out."""
        path = f"{self.release_path}&resign=true" if resign else self.release_path

        def heard(reply: Reply) -> Optional[bool]:
            if reply.status == 403:
                self.warn("the gate takes no release of this pod", reply)
            # 404 and 405: of an older replica, which does not know releases.
            return True if reply.status < 500 and reply.status not in (404, 405) else None

        self.hear("POST", path, secret, heard) or self.hear("POST", path, secret, heard)

    def introduce(self) -> None:
        """Says once if the gate does not know that it is this pod that asks; a new pod may be known after some seconds."""
        for _ in range(10):
            last = []
            if self.hear("GET", self.self_path, "", lambda reply: last.append(reply) or (reply.status == 200 or None)):
                return
            time.sleep(1)
        if last:
            self.warn("the gate does not know that it is this pod that asks", last[-1])

    def once(
        self,
        series: str,
        position: int,
        work: Callable[[Claim], object],
        mode: str = "AtMostOnce",
        retry_after: int = 300,
        wait: Optional[float] = None,
        patience: float = 2.0,
        stop: Optional[threading.Event] = None,
    ) -> Outcome:
        """Runs work(claim) if the position of the series is given to this very call: for schedulers that run in every replica. Each of them calls it at each
        tick, whoever leads. The position rises with each tick: its scheduled time in milliseconds, a sequence number, an offset; not the time of the
        call, which differs from replica to replica. Raises what the work raises, and nothing is reported then; and ClaimError where the call is wrong.

        mode AtMostOnce: a position that was given out is never given out again, also if it was not done. AtLeastOnce: it is, until somebody has said
        that it is done, `retry_after` whole seconds after it was given out or renewed; then the work may be run for one position twice.
        A pod that does not lead waits for so many seconds for the position to be claimed by the leader, or to lead itself, and with AtLeastOnce whoever
        leads for an earlier one to be done; wait=0: it drops it at once. Default: 30, and with AtLeastOnce `retry_after` more: what a dead leader was at
        holds up all later ones for so long.
        So long, beyond `wait`, it is asked again where nobody can say: `patience`. `stop` ends the asking, and tells the work by claim.lost(); if the
        position may have been given to it by then, it asks once more, and does it. An exception of a signal handler (sys.exit) leaves that out."""
        stopped = stop.is_set if stop else lambda: False
        if wait is None:
            wait = 30.0 + (retry_after if mode == "AtLeastOnce" else 0)
        options = {"mode": mode, "retry_after": retry_after, "wait": wait, "patience": patience}
        return self._once(series, position, work, lambda _: True, stopped, **options)

    def standing(self, series: str, stop: Optional[threading.Event] = None) -> Optional[int]:
        """The last position of a series that was given out, to whichever call. A process that begins anew begins after it: its first claim would let the
        ticks pass that nobody has claimed meanwhile. Asks until somebody says, or `stop` is set. None: none was given out, or `stop` is set. Raises
        ClaimError where the gate refuses the question."""
        stopped = stop.is_set if stop else lambda: False
        begun, failures, about = now(), 0, f"&series={urllib.parse.quote(series, safe='')}"
        while not stopped():
            reply = self.tell("GET", about, None, 0, stopped)
            status, body = (reply.status, reply.body) if reply else (0, {})
            if status == 200 and "position" in body and (body["position"] is None or whole(body["position"], MAX_TOKEN)):
                return body["position"]
            # A replica may not know the address of a new pod yet.
            if status == 400 or (status in (401, 403) and now() - begun >= 2):
                raise ClaimError(f"the gate said {status} {reply.text.strip()}")
            failures += 1
            rest_ms = body.get("retryAfterMilliseconds")
            pause = min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
            nap_until(now() + max(pause, rest_ms / 1000 if whole(rest_ms, 60_000) else 0), stopped)
        return None

    def _once(self, series, position, work, begins, stopped, mode="AtMostOnce", retry_after=300, wait=0.0, patience=2.0) -> Outcome:
        called = now()
        # Of this process: another one, forked meanwhile, has none of these calls.
        line = self.lines.setdefault(os.getpid(), Line())
        turn = line.join(series)
        try:
            while not turn.wait(0.05):
                if stopped():
                    return STOPPED
                if now() >= called + wait + patience:
                    return Outcome("unknown", message=f"an earlier call for {series} was not answered in time")
            leave = lambda: line.leave(series, turn)  # noqa: E731
            return self._once_in_turn(series, position, work, begins, stopped, mode, retry_after, wait, patience, called, leave)
        finally:
            line.leave(series, turn)

    def _once_in_turn(self, series, position, work, begins, stopped, mode, retry_after, wait, patience, called, leave) -> Outcome:
        tick = {"series": series, "position": position, "mode": mode}
        if mode == "AtLeastOnce":
            tick["retryAfterSeconds"] = retry_after
        while True:
            # What nobody has asked for is nobody's loss.
            if stopped():
                return STOPPED
            # Of this claim alone, and drawn after any fork; its retries keep it.
            claim_id, asked = secrets.token_hex(16), now()
            said = self.claim({**tick, "id": claim_id}, stopped, wait, patience, called, begins)
            if said.kind != "given":
                return said
            lost = threading.Event()
            claim = said.claim._replace(lost=lambda: lost.is_set() or stopped())
            if claim.position == position:
                leave()
            if not begins(claim.token):
                return Outcome("dropped", reason="TermOver")
            if mode != "AtLeastOnce":
                work(claim)
                return Outcome("done", claim, True)
            report = {"series": series, "position": claim.position, "id": claim_id}
            over = threading.Event()
            # Given no earlier than it was first asked for: the answer may be a late one, of which earlier ones got lost.
            late = now() - asked
            renewing = threading.Thread(target=self.renew_claim, args=(report, retry_after / 3, late, over, lost), daemon=True)
            try:
                renewing.start()
                work(claim)
            finally:
                over.set()
                renewing.join(ANSWER + 1)
            reported = self.report_done(report, retry_after / 3, patience, stopped)
            if claim.position == position:
                return Outcome("done", claim, reported)
            # It was an earlier one. What it was called for needs a claim of its own.
            called = now()

    def claim(self, tick: dict, stopped: Callable[[], bool], wait: float, patience: float, called: float, begins: Callable) -> Outcome:
        """Of kind `given`, or what became of the position otherwise. `begins`: whether the work may still be begun, under this token; None: under any."""
        begun, wait_until, waits, failures = now(), called + wait, False, 0
        while True:
            asked = now()
            left = wait_until - asked
            # Not longer: the replica that it waits at may have died with the leader.
            waited = min(left, NEWS) if waits and left > LEAST_WAIT else 0
            # One that does not wait is heard to its end: the position may have been given to it.
            reply = self.tell("POST", "", tick, waited, stopped if waited else None)
            said, rest = judge(reply, tick)
            if waited and said.kind == "again" and stopped() and begins(None):
                # It was cut off, and is put once more for the same reason.
                waits = False
                continue
            slow = now() - asked >= QUICK
            if said.kind in ("given", "dropped"):
                return said
            if said.kind == "refused" and (said.reason == "final" or now() - begun >= patience):
                raise ClaimError(said.message)
            if stopped():
                return STOPPED
            if said.kind == "perhaps" and left <= LEAST_WAIT:
                # Whoever has waited has seen nobody claim it.
                in_vain = Outcome("unknown", message=f"nobody has claimed this position of {tick['series']} within {wait} s")
                return in_vain if said.reason == "NotLeader" and wait > 0 else said._replace(kind="dropped")
            # 503: nobody leads, or a question that waits is at the end of its time.
            wakes = said.kind == "perhaps" or (reply and reply.status == 503 and left > LEAST_WAIT and (slow or not waits))
            if wakes and (slow or not waits):
                waits, failures = True, 0
                continue
            waits, failures = wakes, failures + 1
            # Half of it by chance: many may pause at the same moment.
            pause = rest or min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10)) * random.uniform(0.5, 1)
            if now() + pause >= wait_until + patience:
                if said.kind == "refused":
                    raise ClaimError(said.message)
                return Outcome("unknown", message=said.message)
            nap_until(now() + pause, stopped)

    def tell(self, method: str, end: str, body: Optional[dict], wait: float = 0, stopped: Optional[Callable[[], bool]] = None) -> Optional[Reply]:
        """About claims. Without a good reply the last one counts; None: there was none."""
        replies = []

        def heard(reply: Reply) -> Optional[Reply]:
            replies.append(reply)
            return reply if reply.status in (200, 201, 400, 409, 429) else None

        # The answer has to come before its time is over.
        path, about = (f"{self.claims_path}{self.query}", end) if body is None else (f"{self.claims_path}{end}{self.query}", "")
        path += f"&wait={int(wait * 800)}ms" if wait else about
        return self.hear(method, path, "", heard, wait, None if body is None else json.dumps(body), stopped) or (replies[-1] if replies else None)

    def renew_claim(self, report: dict, third: float, late: float, over: threading.Event, lost: threading.Event) -> None:
        """While it is being done, also by work that takes long, it is not given out again."""
        pause = max(0.0, third - late)
        while not over.wait(pause):
            reply = self.tell("PUT", "/renew", report, 0, over.is_set)
            if reply and reply.status == 409 and not over.is_set():
                lost.set()
                return
            pause = third if reply and reply.status == 200 else min(third, MAX_PAUSE)

    def report_done(self, report: dict, third: float, patience: float, stopped: Callable[[], bool]) -> bool:
        """At least for as long as nobody else is given it."""
        begun, failures = now(), 0
        while True:
            reply = self.tell("PUT", "/done", report)
            # A later one is given out only when this one is done: it was noted before, and the answer got lost.
            is_past = reply and reply.status == 409 and whole(reply.body.get("position"), MAX_TOKEN, report["position"] + 1)
            if is_past or (reply and reply.status == 200):
                return True
            if (reply and reply.status == 409) or now() - begun >= (patience if stopped() else max(patience, third)):
                message = f"{report['series']} {report['position']} is done, but the gate has not noted it"
                print(message, file=sys.stderr, flush=True)
                return False
            failures += 1
            time.sleep(min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10)) * random.uniform(0.5, 1))

    def due(self) -> float:
        """In how many seconds the next question has to be asked."""
        return self.asked + self.within - now()

    def again(self, seconds: float) -> float:
        """In how long to ask again: so long, or when the gate has said; but when the pod must be heard all the same."""
        return max(0.01, min(max(seconds, self.rest - now()), self.due()))

    def question(self, secret: str) -> Said:
        self.asked = now()
        return self.hear("GET", self.path, secret, self.read) or Said("unknown")

    def read(self, reply: Reply) -> Optional[Said]:
        """None: the next replica may know better."""
        status, body = reply.status, reply.body
        if status in (401, 403):
            self.warn("the gate refuses", reply)
        if status not in (200, 409, 429) or not body:
            return None
        rest_ms = body.get("retryAfterMilliseconds")
        self.rest = now() + (rest_ms / 1000 if whole(rest_ms, 60_000) else 0)
        if status == 429:
            return None
        within_ms, token, valid_ms = (body.get(name) for name in ("askWithinMilliseconds", "token", "validForMilliseconds"))
        self.within = within_ms / 1000 if whole(within_ms, 60_000) else NEVER
        if status == 409:
            kind = {"Revoking": "revoking", "Released": "released"}.get(body.get("reason"), "no")
            return Said(kind, token if whole(token, MAX_TOKEN) else 0)
        mine = body.get("leader") is True and body.get("uid") == self.uid
        if not mine or not whole(token, MAX_TOKEN) or not whole(valid_ms, MAX_VALID_MS):
            return None
        leadership = Leadership(token, reply.asked + valid_ms / 1000)
        return Said("grant", token, leadership) if leadership.holds() else None

    def hear(self, method: str, path: str, secret: str, read: Callable, wait=0.0, body: Optional[str] = None, stopped: Optional[Callable] = None):
        """The first good answer, `read` says which one is; None: there was none. A replica has 150 ms, then another one is asked at the same time;
        after a bad answer the next one is, too. None is asked twice at once: where only one address is known its question is given up before
        it is put again, by a new connection, for behind the address of a Service another replica may answer. `stopped` ends it."""
        begun, limit = now(), wait or ANSWER
        left = self.replicas.in_order(limit)
        alone = len(left) == 1 and not wait
        left = left * 2 if alone else left
        replies: queue.Queue = queue.Queue()
        pending, over, connections = 0, threading.Event(), []

        def next_one(seconds: float) -> int:
            if not left:
                return 0
            connection, base = connect_to(left.pop(0), seconds)
            connections.append(connection)
            asked = (connection, base, method, path, secret, over, body)
            threading.Thread(target=lambda: replies.put(self.exchange(*asked)), daemon=True).start()
            return 1

        try:
            pending += next_one(SECOND if alone else limit)
            second = NEVER if alone or wait else begun + SECOND
            while pending and now() - begun < limit:
                try:
                    # So often it looks whether it is to stop.
                    reply = replies.get(timeout=max(0.0, min(second, begun + limit, now() + 0.05 if stopped else NEVER) - now()))
                except queue.Empty:
                    if stopped and stopped():
                        return None
                    if now() >= second:
                        second = NEVER
                        pending += next_one(limit)
                    continue
                pending -= 1
                said = read(reply) if reply else None
                if said is not None:
                    self.replicas.prefer(reply.base)
                    return said
                if not alone or reply is None:
                    pending += next_one(limit)
            self.replicas.prefer(None)
            return None
        finally:
            over.set()
            for connection in connections:
                # Wakes the thread that reads from it.
                with contextlib.suppress(Exception):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def exchange(self, connection, base: str, method: str, path: str, secret: str, over: threading.Event, body: Optional[str]) -> Optional[Reply]:
        """To one replica. None: no answer."""
        try:
            headers = {"LeaderGroup-Client": secret} if secret else {}
            if body is not None:
                headers["Content-Type"] = "application/json"
            # Read each time: the kubelet renews the file. One that cannot be read is no reason not to ask.
            with contextlib.suppress(OSError, ValueError), open(self.token_file, encoding="ascii") as file:
                headers["Authorization"] = f"Bearer {file.read().strip()}"
            asked = now()
            connection.connect()
            # One that could not be sent before, of a term that may have been released, is not sent any more.
            if over.is_set():
                return None
            connection.request(method, urllib.parse.urlsplit(base).path + path, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            said = None
            with contextlib.suppress(ValueError):
                said = json.loads(text)
            return Reply(base, response.status, said if isinstance(said, dict) else {}, text, asked)
        except Exception:  # whatever went wrong, on the way or in the answer, is no answer
            return None
        finally:
            connection.close()

    def warn(self, what: str, reply: Reply) -> None:
        """Says each thing once, with the first reply that it is said of."""
        if what not in self.told:
            print(f"{what}: {reply.status} {reply.text.strip()}", file=sys.stderr, flush=True)
        self.told.add(what)


class _Thread:
    """The work of a term, in a thread."""

    def __init__(self, gate: Gate, work: Callable, first: Leadership, patience: float, overrun: Callable):
        self.work, self.patience, self.overrun = work, patience, overrun
        self.woken = threading.Event()
        self.term = Term(first.token, [first.until, 0, 0], self.woken.wait, gate)
        self.error: Optional[BaseException] = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        try:
            if self.term.holds():
                self.work(self.term)
        except BaseException as error:  # raised again where the work was asked for
            self.error = error

    def start(self) -> None:
        self.thread.start()

    def ended(self, seconds: float) -> bool:
        self.thread.join(seconds)
        return not self.thread.is_alive()

    def over(self) -> None:
        self.term._shared[1] = 1
        self.woken.set()

    def end(self) -> None:
        self.over()
        while self.thread.ident and not self.ended(self.patience):
            self.overrun(f"the work of token {self.term.token} goes on {self.patience} s after its term")

    def raise_again(self) -> None:
        if self.error:
            raise self.error


class _Process:
    """The work of a term, in a process. What is shared has no lock: whoever is killed cannot keep it."""

    def __init__(self, gate: Gate, work: Callable, first: Leadership, patience: float, _overrun: Callable):
        context = multiprocessing.get_context("spawn")
        self.term = Term(first.token, context.RawArray("d", [first.until, 0, 0]), nap, gate)
        self.patience = patience
        self.process = context.Process(target=_run_in_process, args=(work, self.term, patience), daemon=True)
        self.told = False

    def start(self) -> None:
        self.process.start()

    def ended(self, seconds: float) -> bool:
        self.process.join(seconds)
        return self.process.exitcode is not None

    def over(self) -> None:
        self.term._shared[1] = 1

    def end(self) -> None:
        self.over()
        if self.process.pid is None or self.ended(0):
            return
        self.told = True
        self.process.terminate()
        if not self.ended(self.patience):
            print(f"the work of token {self.term.token} goes on {self.patience} s after its term: killed", file=sys.stderr, flush=True)
            self.process.kill()
            self.process.join()

    def raise_again(self) -> None:
        if self.process.exitcode and not self.told:
            raise RuntimeError(f"the work of token {self.term.token} ended with status {self.process.exitcode}")


def _run_in_process(work: Callable, term: Term, patience: float) -> None:
    """Ends this process soon after its term, if the one that began it was killed and cannot."""

    def watch() -> None:
        while term.wait(1):
            pass
        time.sleep(patience + 1)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()
    if term.holds():
        work(term)


def nap(seconds: float) -> None:
    """Until it is time to look again."""
    time.sleep(min(seconds, 0.05))


def nap_until(end: float, stopped: Callable[[], bool]) -> None:
    while now() < end and not stopped():
        nap(max(0.0, end - now()))


def end_process(message: str) -> None:
    print(f"{message}: this process ends", file=sys.stderr, flush=True)
    os._exit(70)


def connect_to(base: str, seconds: float):
    """A connection that is not open yet, and to whom."""
    at = urllib.parse.urlsplit(base)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    return kind(at.hostname, at.port, timeout=seconds), base


def judge(reply: Optional[Reply], tick: dict) -> tuple:
    """What one reply to a claim says: `given`, `dropped`, `refused` (reason `final`: by any replica), `perhaps` (whoever waits may hear otherwise), or
    `again`; and in how many seconds it may be asked again at the soonest."""
    if reply is None:
        return Outcome("again", message="the gate has not answered"), 0
    status, body, reason = reply.status, reply.body, reply.body.get("reason")
    message = f"the gate said {status} {reply.text.strip()}"
    if status == 201:
        claim = claim_in(body, tick)
        return (Outcome("given", claim) if claim else Outcome("again", message=message)), 0
    if status == 409 and body.get("claimed") is False and reason in ("Passed", "Pending", "NotLeader"):
        return Outcome("dropped" if reason == "Passed" else "perhaps", reason=reason, by=body.get("by")), 0
    # Its ticks should be positions of one series.
    if status == 400 or (status == 429 and reason == "TooManySeries"):
        return Outcome("refused", reason="final", message=message), 0
    # A replica may not know the address of a new pod yet.
    if status in (401, 403):
        return Outcome("refused", message=message), 0
    rest_ms = body.get("retryAfterMilliseconds") if status == 429 else None
    return Outcome("again", message=message), rest_ms / 1000 if whole(rest_ms, 60_000) else 0


def claim_in(body: dict, tick: dict) -> Optional[Claim]:
    """None: it gives nothing that was asked for."""
    position, token, attempt = (body.get(name) for name in ("position", "token", "attempt"))
    lowest = 0 if tick["mode"] == "AtLeastOnce" else tick["position"]
    fits = body.get("claimed") is True and body.get("series") == tick["series"] and whole(position, tick["position"], lowest)
    if not fits or not whole(token, MAX_TOKEN) or not whole(attempt, MAX_TOKEN):
        return None
    return Claim(tick["series"], position, token, attempt, lambda: False)


def whole(value: object, most: int, least: int = 1) -> bool:
    """Whether it is an integer from `least` to `most`; True is none."""
    return type(value) is int and least <= value <= most


def is_address(name: Optional[str]) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name or ""))
    return False


if __name__ == "__main__":
    # Says a word ten times a second while this pod leads; has another lead on SIGUSR2.
    resign = threading.Event()

    def say_words(term: Term) -> None:
        while term.holds():
            print(f"work {term.token}", flush=True)
            term.wait(0.1)
            if resign.is_set():
                resign.clear()
                term.resign()
                break
        print("stopped", flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGUSR2, lambda *_: resign.set())
    Gate().run_while_leader(say_words)

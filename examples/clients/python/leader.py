"""Ask before you act: the gate of the LeaderGroup operator. Copy this file; it needs nothing but the standard library.

    gate = Gate()
    while True:
        leadership = gate.ask()
        if leadership:
            send_next(leadership)   # looks at leadership.holds() right before what cannot be undone, and gives leadership.token along
"""

import atexit
import contextlib
import json
import os
import secrets
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple, Optional

# The gate promises no more at a time; an answer that does is none of its.
MAX_VALID_MS = 2000
# Beyond it JavaScript, which the gate is written in, takes neighbours for the same number.
MAX_TOKEN = 2**53 - 1


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


class Gate:
    """The member URL of this pod, from LEADERGROUP_GATE, LEADERGROUP_NAME, POD_NAMESPACE, POD_NAME and POD_UID
    (a pod that is made again has the name of the old one, which may still run)."""

    def __init__(self, environment=os.environ):
        names = ("POD_NAMESPACE", "LEADERGROUP_NAME", "POD_NAME", "POD_UID")
        for name in names:
            if not environment.get(name):
                downward = "POD_* by the downward API: metadata.namespace, .name, .uid"
                raise RuntimeError(f"{name} is not set: give it in the pod's manifest ({downward})")
        base = environment.get("LEADERGROUP_GATE", "http://leadergroup.leadergroup-system.svc:8080")
        namespace, group, pod, uid = (urllib.parse.quote(environment[name], safe="") for name in names)
        self.url = f"{base}/v1/namespaces/{namespace}/leadergroups/{group}/members/{pod}?uid={uid}"
        self.uid = environment["POD_UID"]
        # Of one term, so that a late copy of its release cannot end the next one.
        self.secret = secrets.token_urlsafe(16)
        # Seconds: with a leader probe the pod must be heard so often, whatever it is told.
        self.within = 0.5
        self.self_url = f"{base}/v1/self?uid={uid}"
        # Of a ServiceAccount token of audience leadergroup, for an operator that asks for one.
        self.token_file = environment.get("LEADERGROUP_TOKEN_FILE", "")

    def request(self, url: str) -> urllib.request.Request:
        """With the token, read each time: the kubelet renews the file. One that cannot be read is no reason not to ask."""
        headers = {"LeaderGroup-Client": self.secret}
        try:
            with open(self.token_file, encoding="ascii") as file:
                return urllib.request.Request(url, headers={**headers, "Authorization": f"Bearer {file.read().strip()}"})
        except (OSError, ValueError):
            return urllib.request.Request(url, headers=headers)

    def release(self) -> None:
        """Ends the term: nobody needs to wait for its grants any more, so nothing may be done on them. On SIGTERM too. The next has a secret of
        its own; a process that forks calls this, or makes a Gate, after the fork."""
        released = self.request(self.url.replace("?uid=", "/release?uid=", 1))
        released.method = "POST"
        self.secret = secrets.token_urlsafe(16)
        with contextlib.suppress(Exception):  # if nobody hears it, they run out
            urllib.request.urlopen(released, timeout=1).close()

    def introduce(self, times: int = 10) -> None:
        """Says once, on stderr, if the gate does not know that it is this pod that asks; a new pod may be known after some seconds."""
        said = ""
        for _ in range(times):
            try:
                with urllib.request.urlopen(self.request(self.self_url), timeout=1):
                    return
            except urllib.error.HTTPError as error:
                said = f"{error.code} {error.read().decode(errors='replace').strip()}"
            except Exception:  # no answer says nothing
                said = ""
            time.sleep(1)
        if said:
            print(f"the gate does not know that it is this pod that asks: {said}", file=sys.stderr, flush=True)

    def ask(self) -> Optional[Leadership]:
        """None: this pod does not lead, or nobody can say so: do not act."""
        request = self.request(self.url)
        # Before the question: the answer may have been on its way for as long as it took.
        asked = now()
        try:
            with urllib.request.urlopen(request, timeout=1) as response:
                body = json.load(response) if response.status == 200 else {}
            self.note_rhythm(body)
            mine = body["leader"] is True and body["uid"] == self.uid
            token, valid_ms = body["token"], body["validForMilliseconds"]
        except urllib.error.HTTPError as refusal:
            with contextlib.suppress(Exception):
                self.note_rhythm(json.load(refusal))
            return None
        except Exception:  # whatever went wrong, on the way or in the body, is no grant
            return None
        if not mine or not whole(token, MAX_TOKEN) or not whole(valid_ms, MAX_VALID_MS):
            return None
        leadership = Leadership(token, asked + valid_ms / 1000)
        return leadership if leadership.holds() else None

    def note_rhythm(self, body: dict) -> None:
        within_ms = body.get("askWithinMilliseconds")
        if whole(within_ms, 60_000):
            self.within = min(within_ms / 1000, 0.5)


def whole(value: object, most: int) -> bool:
    """Whether it is an integer from 1 to `most`; True is none."""
    return type(value) is int and 1 <= value <= most


if __name__ == "__main__":
    # Says a word ten times a second while this pod leads.
    gate, leadership, asked = Gate(), None, 0.0
    atexit.register(gate.release)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=gate.introduce, daemon=True).start()
    while True:
        # Asked again when half of it has passed, since the next answer may take a while, and as often as the gate wants to hear of this pod.
        if leadership is None or leadership.until - now() < 1 or now() - asked >= gate.within:
            asked = now()
            # The higher token, then the later end.
            leadership = max(filter(None, (leadership, gate.ask())), default=None)
            if leadership and not leadership.holds():
                leadership = None
                print("stopped", flush=True)
        if leadership and leadership.holds():
            print(f"work {leadership.token}", flush=True)
        time.sleep(min(0.1, gate.within / 2))

"""Ask before you act: the gate of the LeaderGroup operator. Copy this file; it needs nothing but the standard library.

    gate = Gate()
    while True:
        leadership = gate.ask()
        if leadership:
            send_next(token=leadership.token)   # checks leadership.holds() before what cannot be undone
"""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple, Optional


class Leadership(NamedTuple):
    """A yes. The token rises with each leader: whatever is acted on should refuse one lower than the highest it has seen."""

    token: int
    until: float

    def holds(self) -> bool:
        """Whether the pod may still act, by the monotonic clock."""
        return time.monotonic() < self.until


class Gate:
    """The member URL of this pod, from LEADERGROUP_GATE, LEADERGROUP_NAME, POD_NAMESPACE and POD_NAME."""

    def __init__(self, environment=os.environ):
        base = environment.get("LEADERGROUP_GATE", "http://leadergroup.leadergroup-system.svc:8080")
        namespace, group, pod = (
            urllib.parse.quote(environment[name], safe="") for name in ("POD_NAMESPACE", "LEADERGROUP_NAME", "POD_NAME")
        )
        self.url = f"{base}/v1/namespaces/{namespace}/leadergroups/{group}/members/{pod}"

    def ask(self) -> Optional[Leadership]:
        """None: this pod does not lead, or nobody can say so: do not act."""
        # Before the question: the answer may have been on its way for as long as it took.
        asked = time.monotonic()
        try:
            with urllib.request.urlopen(self.url, timeout=1) as response:
                body = json.load(response)
        except (OSError, ValueError):  # a refusal (urllib.error.HTTPError) is an OSError
            return None
        leadership = Leadership(body["token"], asked + body["validForMilliseconds"] / 1000)
        return leadership if leadership.holds() else None


if __name__ == "__main__":
    # Says a word ten times a second while this pod leads.
    gate, leadership = Gate(), None
    while True:
        # Asked anew when half of it has passed: the next answer may take a while.
        if leadership is None or leadership.until - time.monotonic() < 1:
            held, leadership = leadership, gate.ask() or (leadership if leadership and leadership.holds() else None)
            if held and leadership is None:
                print("stopped", flush=True)
        if leadership and leadership.holds():
            print(f"work {leadership.token}", flush=True)
        time.sleep(0.1)

"""When a check passes: the counting, apart from the probes that are counted.

- A check that was not probed yet does not pass: nobody knows that the node is fit.
- It passes after `rise` successful probes in a row, and fails again after `fall` failed ones. A
  single probe of the other sort begins the counting anew.
- A probe that is late, refused or cannot be read has failed like any other. So has one for which
  there is no address: a check of an address that the node does not have is not probed.

The process that probes may be replaced at any time; its successor begins with what passed before
(`Tally(is_passing=True)`), so that nothing moves because of a program that only watches.
"""

import re
from typing import Final, NamedTuple

MOST_READ: Final = 4096
"""Bytes of an answer in which its status must stand."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r?\n")
_INTERIM: Final = range(100, 200)


class Probe(NamedTuple):
    """One check as the process that probes needs it: it reads no line of a NodePlumbing."""

    line: str
    """Names the check."""
    target: str
    """The node's own address; a link-local one has its interface behind a `%`."""
    scheme: str
    """`tcp`, `http` or `https`."""
    port: int
    interval: float
    """Seconds from the begin of one probe to that of the next."""
    timeout: float
    fall: int
    rise: int
    statuses: tuple[tuple[int, int], ...] = ()
    host: str = ""
    """The value of the header Host; empty: the target."""
    path: str = "/"

    @property
    def request(self) -> bytes:
        """What is sent, under HTTP."""
        address = self.target.partition("%")[0]
        shown = f"[{address}]" if ":" in address else address
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host or f'{shown}:{self.port}'}\r\n"
            "User-Agent: duravip-agent\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        ).encode("ascii")

    def accepts(self, status: int) -> bool:
        """Whether this status is a success."""
        return any(first <= status <= last for first, last in self.statuses)


class Tally(NamedTuple):
    """What is known of a check."""

    is_passing: bool = False
    against: int = 0
    """Results in a row that speak against that."""


def count(tally: Tally, probe: Probe, *, is_success: bool) -> Tally:
    """The tally after one more probe."""
    if is_success == tally.is_passing:
        return Tally(tally.is_passing)
    against = tally.against + 1
    enough = probe.rise if is_success else probe.fall
    return Tally(is_success) if against >= enough else Tally(tally.is_passing, against)


def status_in(answer: bytes) -> int | None:
    """The status of an answer, once it is there; ValueError if what has come is no HTTP/1.

    Interim answers (1xx), which may come before it, are skipped.
    """
    while True:
        if b"\n" not in answer:
            if len(answer) >= MOST_READ or not b"HTTP/1.".startswith(answer[:7]):
                raise ValueError("no status")
            return None
        line = _STATUS_LINE.match(answer)
        if line is None:
            raise ValueError("no HTTP/1")
        status = int(line[1])
        if status not in _INTERIM:
            return status
        head, end, answer = answer.partition(b"\r\n\r\n")
        if not end:
            if len(head) >= MOST_READ:
                raise ValueError("no status")
            return None

"""What Postfix' log says about the mail of Bindings: deliveries, moves, refused binds.

`syslog_name` makes the source of a line known: `duravip/NAME` is the transport of a Binding, and
`duravip-mmove` the service that moves mail between nodes. Each line is an event or nothing: no
memory is needed, and lines may be lost.
"""

import re
from dataclasses import dataclass
from typing import Final

MOVES: Final = "duravip-mmove"
_LINE: Final = re.compile(
    r"^.{15} \S+ (?P<source>duravip/[a-z0-9.-]+|duravip-mmove)/[a-z-]+\[\d+\]: (?P<text>.*)$"
)
_SENT: Final = re.compile(
    r"(?P<id>\w+): to=<(?P<recipient>[^>]*)>,.*? relay=(?P<relay>\S+),.*? delay=(?P<delay>[\d.]+),"
    r".*? dsn=(?P<dsn>[\d.]+), status=(?P<status>\w+) \((?P<answer>.*)\)$"
)
_ADDRESS: Final = re.compile(r"\[(?P<address>[0-9a-fA-F.:]+)\]:\d+$")
_QUEUED: Final = re.compile(r"queued as (?P<id>\w+)")
_REFUSED: Final = re.compile(r"bind \S+: Cannot assign requested address")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try for one recipient, out of the cluster or to another node."""

    binding: str
    """Empty for a move: that has an address."""
    address: str
    """Of the other server; empty if none was reached."""
    queue_id: str
    recipient: str
    delay_s: float
    """Since the message came to this node."""
    status: str
    """Postfix' word: sent, deferred, bounced, expired, SOFTBOUNCE."""
    answer: str
    their_queue_id: str
    """By which the other server knows it; empty if it does not say so."""

    @property
    def is_move(self) -> bool:
        """Whether the message went, or should have gone, to another node."""
        return not self.binding


@dataclass(frozen=True, slots=True)
class BindRefused:
    """A Binding's address is not on this node, though its mail was to leave from here."""

    binding: str


def event_in(line: str) -> Delivery | BindRefused | None:
    """What a line of the log tells; None: nothing that is counted."""
    found = _LINE.match(line)
    if not found:
        return None
    source, text = found["source"], found["text"]
    binding = "" if source == MOVES else source.removeprefix("duravip/")
    if binding and _REFUSED.search(text):
        return BindRefused(binding)
    sent = _SENT.match(text)
    if not sent:
        return None
    address, queued = _ADDRESS.search(sent["relay"]), _QUEUED.search(sent["answer"])
    return Delivery(
        binding=binding,
        address=address["address"] if address else "",
        queue_id=sent["id"],
        recipient=sent["recipient"],
        delay_s=float(sent["delay"]),
        status=sent["status"],
        answer=sent["answer"],
        their_queue_id=queued["id"] if queued else "",
    )

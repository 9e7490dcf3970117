"""What an observation has seen.

Times are those of `time.monotonic()`, machines go by their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Self

Names = Mapping[str, str]
"""From MACs to machines."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A client's pings to an address went unanswered for a while."""

    address: str
    last_before: float
    first_after: float | None
    """None: until the end."""
    lost: int
    """How many pings."""

    @property
    def seconds(self) -> float:
        """From the last answer before to the first one after."""
        return inf if self.first_after is None else self.first_after - self.last_before


@dataclass(frozen=True, slots=True)
class Answer:
    """What one machine said to a question."""

    machine: str
    heard: float
    """When the observer heard it."""
    frame: str
    """As it came, in hexadecimal digits."""
    delivered: float | None = None
    """When the question passed the machine's card; None: nobody has recorded that."""
    sent: float | None = None
    """When the answer did."""


@dataclass(frozen=True, slots=True)
class Double:
    """Two machines have answered one and the same question."""

    address: str
    time: float
    asked: float = 0.0
    answers: tuple[Answer, ...] = ()
    """The first and the second."""

    @property
    def machines(self) -> frozenset[str]:
        """Who has answered."""
        return frozenset(answer.machine for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Holding:
    """A machine has answered for an address, and no other one meanwhile."""

    machine: str
    first: float
    last: float


@dataclass(frozen=True)
class Sight:
    """All that was seen, by address."""

    addresses: tuple[str, ...]
    holdings: Mapping[str, Sequence[Holding]]
    outages: Mapping[str, Sequence[Outage]]
    answered_from: Mapping[str, float | None]
    """The first answer to a ping; None: there was none."""
    doubles: Sequence[Double]
    double_owners: int
    """How many times two machines answered one question; 0 is what we promise."""
    samples: int
    """How many times each address was asked for."""
    answered_samples: Mapping[str, int]
    late: float
    """The longest that the observer itself was behind its plan."""
    dropped: int
    """Frames that it had no room for: not 0 means that the rest is not to be trusted."""
    started: float
    ended: float

    @classmethod
    def read(cls, addresses: Sequence[str], facts: Mapping[str, Any], names: Names) -> Self:
        """Give numbers and MACs their names."""
        outages: dict[str, list[Outage]] = {address: [] for address in addresses}
        for index, before, after, lost in facts["outages"]:
            outage = Outage(addresses[index], before, after, lost)
            outages[outage.address].append(outage)
        holdings = {
            address: [Holding(names.get(mac, mac), first, last) for mac, first, last in held]
            for address, held in zip(addresses, facts["holdings"], strict=True)
        }
        doubles = [
            Double(
                addresses[index],
                when,
                asked,
                tuple(Answer(names.get(mac, mac), heard, frame) for mac, heard, frame in answers),
            )
            for index, _, asked, when, *answers in facts["doubles"]
        ]
        return cls(
            addresses=tuple(addresses),
            holdings=holdings,
            outages=outages,
            answered_from=dict(zip(addresses, facts["first"], strict=True)),
            doubles=doubles,
            double_owners=facts["double_samples"],
            answered_samples=dict(zip(addresses, facts["answered"], strict=True)),
            **{name: facts[name] for name in ("samples", "late", "dropped", "started", "ended")},
        )

    def with_traces(self, traces: Mapping[str, Sequence[Sequence[float | None]]]) -> Self:
        """The same with what the machines' recorders say of each double, in the same order."""
        doubles = [
            replace(
                double,
                answers=tuple(
                    replace(
                        answer,
                        delivered=traces[answer.machine][number][0],
                        sent=traces[answer.machine][number][1],
                    )
                    if answer.machine in traces
                    else answer
                    for answer in double.answers
                ),
            )
            for number, double in enumerate(self.doubles)
        ]
        return replace(self, doubles=doubles)

    def owners(self) -> dict[str, str]:
        """Who answered last for each address; addresses that nobody answered for are not there."""
        return {address: held[-1].machine for address, held in self.holdings.items() if held}

    def outage(self, address: str, since: float = 0) -> Outage | None:
        """The longest outage that was not over at that time; None when no ping was lost."""
        lasting = [
            outage
            for outage in self.outages[address]
            if outage.first_after is None or outage.first_after > since
        ]
        return max(lasting, key=lambda outage: outage.seconds, default=None)

    def gap(self, address: str, since: float = 0) -> float:
        """How long its longest outage since then was; infinite when it never answered again."""
        if self.answered_from[address] is None:
            return inf
        outage = self.outage(address, since)
        return outage.seconds if outage else 0.0

    def worst_gap(self, since: float = 0) -> float:
        """The longest gap of any address."""
        return max(self.gap(address, since) for address in self.addresses)

    def back_after(self, address: str, event: float) -> float:
        """From an event to the first answer after the outage that it made; 0 when it made none."""
        outage = self.outage(address, event)
        if outage is None or outage.first_after is None:
            return 0.0 if outage is None else inf
        return outage.first_after - event

"""What the pulse is told of the NodePlumbings: whom to hear, what to answer, where to look."""

from collections.abc import Mapping

from duravip_operator.core.snapshot import Plumbing
from duravip_operator.pulse.authentication import Agent
from duravip_operator.pulse.pulse import Pulse
from duravip_operator.pulse.roster import Entry, entry_of


class Briefing:
    """Tells it, and works out anew only what is of a NodePlumbing that has changed."""

    def __init__(self, pulse: Pulse, our_address: str) -> None:
        self._pulse, self._our_address = pulse, our_address
        self._roster: dict[str, tuple[Plumbing, Entry]] = {}

    def tell(self, epoch: int | None, plumbings: Mapping[str, Plumbing]) -> None:
        """`epoch` is None unless we lead."""
        known, self._roster = self._roster, {}
        for name, plumbing in plumbings.items():
            entry = known.get(name)
            is_same = entry is not None and entry[0] is plumbing
            self._roster[name] = entry if entry and is_same else (plumbing, entry_of(plumbing))
        self._pulse.know({name: agent_of(plumbing) for name, plumbing in plumbings.items()})
        beating_here = (n for n, p in plumbings.items() if self._our_address in p.pulse)
        self._pulse.expect(frozenset(beating_here))
        self.acknowledge(epoch, plumbings)

    def acknowledge(self, epoch: int | None, plumbings: Mapping[str, Plumbing]) -> None:
        """Tell it only what it answers to agents, who wait for that; the rest may come later."""
        self._pulse.tell(
            epoch,
            {name: plumbing.generation for name, plumbing in plumbings.items()},
            {name: entry for name, (_, entry) in self._roster.items()},
        )


def agent_of(plumbing: Plumbing) -> Agent:
    """What a NodePlumbing says of the node's agent.

    An agent is as old as a status without its public key; what it is told by an old leader, it can
    only answer as one.
    """
    is_old = not plumbing.public_key or not any(plumbing.pulse_keys)
    return Agent(plumbing.boot, plumbing.public_key, is_old)

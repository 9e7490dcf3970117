"""The loop's questions to others: who has this address, who claims ours, what does the spec say.

None of them waits: answers come as events.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from duravip_agent import clock
from duravip_agent.core.observed import Link
from duravip_agent.core.probing import Findings, Question
from duravip_agent.events import Answered, Claimed, Inbox
from duravip_agent.scout import Scout
from duravip_agent.watch import Held, Watcher
from duravip_api.addresses import numbered


class Inquiry:
    """Asks."""

    def __init__(self, inbox: Inbox, scout: Scout, read_soon: Callable[[], None]) -> None:
        self._inbox, self._scout = inbox, scout
        self._watcher = Watcher(lambda claims: inbox.put(Claimed(claims)))
        self._held = Held()
        self.read_soon = read_soon
        """Read the spec at once."""

    def start(self) -> None:
        """Begin to listen."""
        self._scout.start()
        self._watcher.start()

    def ask(self, generation: int, addresses: Mapping[str, frozenset[str]]) -> None:
        """Ask each segment for addresses that a spec of this generation contests (rule A2)."""
        for interface, asked in addresses.items():
            question = Question(tuple(sorted(asked, key=numbered)))
            self._scout.ask(interface, question, partial(self._answer, generation))

    def hold(self, addresses: Mapping[str, frozenset[str]], links: Iterable[Link]) -> None:
        """Listen for claims of exactly these, by interface (rule A4)."""
        held = Held(addresses, frozenset(link.mac for link in links if link.mac))
        if held != self._held:
            self._held = held
            self._watcher.hold(held)

    def _answer(self, generation: int, findings: Findings) -> None:
        self._inbox.put(Answered(generation, findings, clock.now()))

"""One message of one Binding and two nodes: every history, by the rules of `duravip_mail.core`.

Nothing is known to be up to date. At every step the address may be anywhere, nowhere, or on both
nodes; each table of each node may be written anew, whatever it says then; and the message may be
looked at again where it is, tried from there, or handed over. All states that can be reached are
visited, so that no history is too long.

Two things must never happen, and one must always be possible:

- the message leaves from a node that has not got the address;
- it is taken twice while neither an address nor a table has changed: that would be a loop;
- as soon as all that is known is true, it leaves from the owner, and has travelled at most once.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Final

from duravip_mail.core.routes import HAND_OVER, Table, accepted, routes, transport_of
from duravip_mail.core.staleness import ACTION, is_stale, routes_in
from duravip_mail.core.world import MailBinding, World

ADDRESS: Final = "10.1.1.1"
NAME: Final = "a"
TRANSPORT: Final = f"{transport_of(MailBinding(NAME))}:"
NODES: Final = (0, 1)
GONE: Final = 2
"""Where the message is once it has left."""


@dataclass(frozen=True, slots=True)
class View:
    """What a table was made from."""

    here: bool
    suspended: bool

    def world(self) -> World:
        """The same as the rules want it."""
        binding = MailBinding(NAME, ADDRESS, is_suspended=self.suspended)
        return World((binding,), frozenset({ADDRESS}) if self.here else frozenset())


VIEWS: Final = tuple(View(*facts) for facts in product((False, True), repeat=2))
AWAY: Final = View(here=False, suspended=False)
HERE: Final = View(here=True, suspended=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules, to be weakened one by one."""

    routes: Callable[[World], Table] = routes
    accepted: Callable[[World], Table] = accepted
    is_bind_enforced: bool = True
    waits_for_tables: bool = True
    """Whether the queue is looked at only once both tables are made from the same view."""


@dataclass(frozen=True, slots=True)
class State:
    """All of it at one moment."""

    holders: tuple[bool, bool]
    """Which node has the address plumbed."""
    entering: tuple[View, View]
    handed: tuple[View, View]
    """What each node's tables were made from: `routes` and `accepted`."""
    place: int
    route: str
    """What the message's queue file keeps."""
    taken: int = 0
    """How often it was handed over since anything has changed."""
    left_wrongly: bool = False

    @property
    def is_loop(self) -> bool:
        """Whether one mistake has moved it twice."""
        return self.taken > 1


class Model:
    """What may happen next, by these rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._enter = cache(lambda view: rules.routes(view.world())[NAME].removeprefix(ACTION))
        self._take = cache(lambda view: rules.accepted(view.world())[NAME])
        self._current = cache(lambda view: routes_in(rules.routes(view.world())))

    def starts(self) -> Iterator[State]:
        """A message enters at the first node, whatever is known there."""
        for view in VIEWS:
            yield State((False, False), (view, AWAY), (AWAY, AWAY), 0, self._enter(view))

    def next(self, state: State) -> Iterator[State]:
        """Every state that one step leads to."""
        for first, second in product((False, True), repeat=2):
            yield replace(state, holders=(first, second), taken=0)
        for node, view in product(NODES, VIEWS):
            yield replace(state, entering=_with(state.entering, node, view), taken=0)
            yield replace(state, handed=_with(state.handed, node, view), taken=0)
        if state.place != GONE:
            yield self.looked_at(state)
            yield from self.tried(state)

    def looked_at(self, state: State) -> State:
        """The program beside Postfix looks at the queue."""
        view = state.entering[state.place]
        if self._rules.waits_for_tables and view != state.handed[state.place]:
            return state
        is_true = not is_stale(state.route, self._current(view))
        return state if is_true else replace(state, route=self._enter(view))

    def tried(self, state: State) -> Iterator[State]:
        """Postfix tries: it sends, or hands the message over, or nothing comes of it."""
        if state.route == TRANSPORT:
            is_bound = state.holders[state.place]
            if is_bound or not self._rules.is_bind_enforced:
                yield replace(state, place=GONE, route="", left_wrongly=not is_bound)
        elif state.route.startswith(f"{HAND_OVER}:"):
            # Who has the address itself reaches itself.
            here = [state.place] if state.holders[state.place] else NODES
            for node in (node for node in here if state.holders[node]):
                answer = self._take(state.handed[node])
                if answer.startswith(ACTION):
                    route = answer.removeprefix(ACTION)
                    yield replace(state, place=node, route=route, taken=state.taken + 1)

    def settled(self, state: State, owner: int) -> State:
        """What becomes of the message once all that is known is true, and nothing changes."""
        true = (HERE, AWAY) if owner == 0 else (AWAY, HERE)
        state = replace(
            state, holders=(owner == 0, owner == 1), entering=true, handed=true, taken=0
        )
        for _ in range(4):
            if state.place != GONE:
                state = next(iter(self.tried(self.looked_at(state))), state)
        return state


def reachable(model: Model) -> set[State]:
    """Every state of every history; those in which something is wrong lead no further."""
    found = set(model.starts())
    waiting = deque(found)
    while waiting:
        state = waiting.popleft()
        if state.left_wrongly or state.is_loop:
            continue
        for after in model.next(state):
            if after not in found:
                found.add(after)
                waiting.append(after)
    return found


def _with(views: tuple[View, View], node: int, view: View) -> tuple[View, View]:
    return (view, views[1]) if node == 0 else (views[0], view)

"""Everything that can happen next in the small world, one step at a time.

`weak` names the parts of the rule that are left out. The cores stay as they are: what a weakened
operator overlooks is taken out of the facts that it decides from, or of the conditions that its
writes carry.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from duravip_operator.core import handover
from duravip_operator.core.snapshot import Hearing
from simulation.world import NAMES, Agent, Operator, World, Write, acted, decided

T = TypeVar("T")
Weak = frozenset[str]
WEAKENINGS = ("revoke-first", "release-before-grant", "doubts", "conditional-write")


def steps(world: World, weak: Weak) -> Iterator[tuple[str, World]]:
    """`(what happens, the world after it)` for everything that can happen now."""
    for i, name in enumerate(NAMES):
        for what, step in AGENT_STEPS.items():
            yield f"{name} {what}", step(world, i)
    for i in (0, 1):
        yield f"operator {i} reads", _operator(world, i, cache=world.api)
        yield f"operator {i} decides", _decide(world, i, weak)
        yield f"operator {i} writes", _write(world, i, weak)
        yield f"operator {i} takes the lead", _lead(world, i)
    yield "the other node is preferred", world._replace(preferred=1 - world.preferred)


def _decide(world: World, i: int, weak: Weak) -> World:
    operator = world.operators[i]
    if not operator.epoch or operator.writes or not operator.cache:
        return world
    if any(api.epoch != operator.epoch for api in operator.cache):
        return _stamp(world, i)
    heard = tuple(agent.hearing for agent in world.agents)
    facts, memory = operator.cache, operator.memory
    if "release-before-grant" in weak:
        facts = tuple(api._replace(served=False, observed=api.generation) for api in facts)
    if "doubts" in weak:
        memory = tuple(handover.Doubts(n, a.generation) for n, a in zip(NAMES, facts, strict=True))
    grants, after = decided(facts, memory, heard, world.preferred)
    if "revoke-first" in weak:
        grants = _all_at_once(world, i, grants)
    writes = [
        Write(n, granted, api.generation)
        for n, (granted, api) in enumerate(zip(grants, operator.cache, strict=True))
        if granted != api.granted
    ]
    writes.sort(key=lambda write: not write.granted)  # the worst order that a network can make
    return _operator(world, i, writes=tuple(writes), memory=after)


def _all_at_once(world: World, i: int, grants: tuple[bool, ...]) -> tuple[bool, ...]:
    """Grant to the one who is to have it while the other one still is granted it."""
    revoked = [
        n for n, api in enumerate(world.operators[i].cache) if api.granted and not grants[n]
    ]
    return tuple(granted or 1 - n in revoked for n, granted in enumerate(grants))


def _stamp(world: World, i: int) -> World:
    """A new leader first writes its epoch everywhere, and learns on the way what is true."""
    operator = world.operators[i]
    heard = tuple(agent.hearing for agent in world.agents)
    _, memory = decided(operator.cache, operator.memory, heard, world.preferred)
    writes = tuple(
        Write(n, api.granted, api.generation)
        for n, api in enumerate(operator.cache)
        if api.epoch != operator.epoch
    )
    return _operator(world, i, writes=writes, memory=memory)


def _write(world: World, i: int, weak: Weak) -> World:
    """The next write reaches the API server, which takes it only on what was read."""
    operator = world.operators[i]
    if not operator.writes:
        return world
    (n, granted, generation), *rest = operator.writes
    api = world.api[n]
    world = _operator(world, i, writes=tuple(rest))
    if generation != api.generation and "conditional-write" not in weak:
        return world
    after = api._replace(
        granted=granted,
        generation=api.generation + 1,
        epoch=operator.epoch,
    )
    name, known = NAMES[n], operator.memory[n]
    known_before = {name: known} if known else {}
    before = operator.cache[n]
    memory = handover.after_write(known_before, before.plumbing(name), after.plumbing(name))
    memories, cache = list(operator.memory), list(operator.cache)
    memories[n], cache[n] = memory[name], after
    world = _operator(world, i, memory=tuple(memories), cache=tuple(cache))
    return world._replace(api=_put(world.api, n, after))


def _lead(world: World, i: int) -> World:
    """The Lease changes hands; the former leader does not know it yet."""
    highest = max(operator.epoch for operator in world.operators)
    if world.operators[i].epoch == highest:
        return world
    fresh = Operator(epoch=highest + 1, cache=world.operators[i].cache)
    return world._replace(operators=_put(world.operators, i, fresh))


def _read(world: World, n: int) -> World:
    api = world.api[n]
    return _agent(world, n, seen=api.granted, seen_generation=api.generation)


def _act(world: World, n: int) -> World:
    agent = world.agents[n]
    if not agent.seen_generation:
        return world
    return _agent(world, n, plumbed=acted(wants=agent.seen, plumbed=agent.plumbed))


def _report(world: World, n: int) -> World:
    agent = world.agents[n]
    if agent.plumbed != agent.seen or not agent.seen_generation:
        return world
    return _status(world, n, observed=agent.seen_generation, served=agent.plumbed)


def _stop(world: World, n: int) -> World:
    """SIGTERM: everything withdrawn, and goodbye said."""
    world = _agent(world, n, running=False, seen=False, seen_generation=0, plumbed=False)
    return _status(world, n, served=False, stopped=True)


def _crash(world: World, n: int) -> World:
    return _agent(world, n, running=False, seen=False, seen_generation=0, plumbed=False)


def _lose(world: World, n: int) -> World:
    """The pulse calls it lost: in this world, only when it is."""
    return world if world.agents[n].running else _agent(world, n, hearing=Hearing.LOST)


def _boot(world: World, n: int) -> World:
    """The agent starts: it says so, and is heard, before it reads what it is granted."""
    if world.agents[n].running:
        return world
    world = world._replace(agents=_put(world.agents, n, Agent()))
    return _status(world, n, observed=0, served=False, stopped=False)


def _alive(step: Callable[[World, int], World]) -> Callable[[World, int], World]:
    return lambda world, n: step(world, n) if world.agents[n].running else world


AGENT_STEPS: dict[str, Callable[[World, int], World]] = {
    "reads": _alive(_read),
    "acts": _alive(_act),
    "reports": _alive(_report),
    "stops": _alive(_stop),
    "crashes": _alive(_crash),
    "is called lost": _lose,
    "boots": _boot,
}


def _agent(world: World, n: int, **fields: Any) -> World:
    return world._replace(agents=_put(world.agents, n, world.agents[n]._replace(**fields)))


def _status(world: World, n: int, **fields: Any) -> World:
    return world._replace(api=_put(world.api, n, world.api[n]._replace(**fields)))


def _operator(world: World, i: int, **fields: Any) -> World:
    operator = world.operators[i]._replace(**fields)
    return world._replace(operators=_put(world.operators, i, operator))


def _put(items: tuple[T, T], index: int, item: T) -> tuple[T, T]:
    return (item, items[1]) if index == 0 else (items[0], item)

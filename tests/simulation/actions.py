"""Everything that can happen next in the small world, one step at a time.

`weak` names the parts of the rule that are left out. The cores stay as they are: what a weakened
program overlooks is taken out of the facts that it decides from, or of the conditions that its
writes and its refreshes carry.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from duravip_agent.core import deadman
from duravip_operator.core import handover
from duravip_operator.core.snapshot import Placement, Silence
from simulation import world as w
from simulation.world import (
    HOLD,
    NAMES,
    OLD,
    SUSPECT,
    Agent,
    Operator,
    World,
    Write,
)

T = TypeVar("T")
Weak = frozenset[str]
WEAKENINGS = (
    *("revoke-first", "release-before-grant", "doubts", "conditional-write"),
    *("witness", "probe", "contact", "dead-man", "yield", "epoch", "late-refresh", "hold"),
)
WHERE = Placement("eth1", 32, fencing="Segment")


def steps(world: World, weak: Weak) -> Iterator[tuple[str, World]]:
    """`(what happens, the world after it)` for everything that can happen now."""
    yield "a tick passes", _tick(world, weak)
    for i, name in enumerate(NAMES):
        for what, step in AGENT_STEPS.items():
            yield f"{name} {what}", step(world, i, weak)
    for i in (0, 1):
        yield f"operator {i} reads", _operator(world, i, cache=world.api)
        yield f"operator {i} scouts", _scout(world, i, weak)
        yield f"operator {i} decides", _decide(world, i, weak)
        yield f"operator {i} writes", _write(world, i, weak)
        yield f"operator {i} takes the lead", _lead(world, i)
        yield f"operator {i} works", _pass(world, i, weak)
    yield "the other node is preferred", world._replace(preferred=1 - world.preferred)
    yield "the segment splits or heals", _split(world)


def _tick(world: World, weak: Weak) -> World:
    both = world.segment and all(map(w.is_audible, world.agents))
    first, second = world.operators
    return world._replace(
        agents=(_aged(world.agents[0], weak), _aged(world.agents[1], weak)),
        operators=(
            first._replace(led=min(OLD, first.led + 1)),
            second._replace(led=min(OLD, second.led + 1)),
        ),
        both=world.both + 1 if both else 0,
        is_excused=both and world.is_excused,
    )


def _aged(agent: Agent, weak: Weak) -> Agent:
    return agent._replace(
        heard=min(OLD, agent.heard + 1),
        acked=min(OLD, agent.acked + 1),
        refreshed=min(OLD, agent.refreshed + (not (agent.frozen and "dead-man" in weak))),
        asked=min(OLD, agent.asked + 1),
        turned=min(OLD, agent.turned + 1),
    )


def _split(world: World) -> World:
    """Cut the segment in two, or make it one again: whoever owned one half each is found out."""
    both = all(map(w.is_audible, world.agents))
    return world._replace(segment=not world.segment, both=0, is_excused=not world.segment and both)


# --- the operator


def _scout(world: World, i: int, weak: Weak) -> World:
    """A neighbour, if one can be asked, looks whether a suspect still answers."""
    operator = world.operators[i]
    if not operator.epoch:
        return world
    gone = list(operator.gone)
    for n, agent in enumerate(world.agents):
        scout = world.agents[1 - n]
        if agent.heard < SUSPECT:
            gone[n] = False
        elif scout.running and not scout.frozen and scout.control and scout.heard < SUSPECT:
            # One that never hears the suspect is no witness; one that lately did, and now is cut
            # off from it, does not know.
            is_witness = not world.isolated or "witness" in weak
            gone[n] = is_witness and not w.answers_there(world, 1 - n)
    return _operator(world, i, gone=tuple(gone))


def _pass(world: World, i: int, weak: Weak) -> World:
    """All that an operator does in one pass when nothing is in its way."""
    world = _scout(_operator(world, i, cache=world.api), i, weak)
    world = _decide(world, i, weak)
    while world.operators[i].writes:
        world = _write(world, i, weak)
    return world


def _silences(world: World, operator: Operator) -> tuple[Silence | None, ...]:
    return tuple(
        None
        if agent.heard < SUSPECT
        else Silence(
            gone=frozenset({"eth1"}) if operator.gone[n] else w.NONE,
            is_muted=agent.heard > HOLD and operator.led > HOLD,
        )
        for n, agent in enumerate(world.agents)
    )


def _decide(world: World, i: int, weak: Weak) -> World:
    operator = world.operators[i]
    if not operator.epoch or operator.writes or not operator.cache:
        return world
    silences = _silences(world, operator)
    how = (world.preferred, "Strict" if "strict" in weak else "Segment", world.isolated)
    if any(api.epoch != operator.epoch for api in operator.cache) and "epoch" not in weak:
        _, known = w.decided(operator.cache, operator.memory, silences, how)
        stamps = tuple(
            Write(n, api.grant, api.generation)
            for n, api in enumerate(operator.cache)
            if api.epoch != operator.epoch
        )
        return _operator(world, i, writes=stamps, memory=known)
    facts, memory = operator.cache, operator.memory
    if "release-before-grant" in weak:
        facts = tuple(api._replace(served=False, observed=api.generation) for api in facts)
    if "doubts" in weak:
        memory = tuple(handover.Doubts(n, a.generation) for n, a in zip(NAMES, facts, strict=True))
    grants, after = w.decided(facts, memory, silences, how)
    if "revoke-first" in weak:
        grants = _all_at_once(operator, grants)
    writes = [
        Write(n, grant, api.generation)
        for n, (grant, api) in enumerate(zip(grants, operator.cache, strict=True))
        if grant != api.grant
    ]
    writes.sort(key=lambda write: not write.grant)  # the worst order that a network can make
    return _operator(world, i, writes=tuple(writes), memory=after)


def _all_at_once(operator: Operator, grants: tuple[str, ...]) -> tuple[str, ...]:
    """Grant to the one who is to have it while the other one still is granted it."""
    revoked = {n for n, api in enumerate(operator.cache) if api.grant and not grants[n]}
    return tuple("free" if 1 - n in revoked else grant for n, grant in enumerate(grants))


def _write(world: World, i: int, weak: Weak) -> World:
    """The next write reaches the API server, which takes it only on what was read."""
    operator = world.operators[i]
    if not operator.writes:
        return world
    (n, grant, generation), *rest = operator.writes
    api = world.api[n]
    world = _operator(world, i, writes=tuple(rest))
    if generation != api.generation and "conditional-write" not in weak:
        return world
    after = api._replace(grant=grant, generation=api.generation + 1, epoch=operator.epoch)
    name, known = NAMES[n], operator.memory[n]
    memory = handover.after_write(
        {name: known} if known else {},
        w.plumbing(name, operator.cache[n], WHERE),
        w.plumbing(name, after, WHERE),
    )
    memories, cache = list(operator.memory), list(operator.cache)
    memories[n], cache[n] = memory[name], after
    world = _operator(world, i, memory=tuple(memories), cache=tuple(cache))
    return world._replace(api=_put(world.api, n, after))


def _lead(world: World, i: int) -> World:
    """The Lease changes hands; the former leader does not know it yet."""
    highest = max(operator.epoch for operator in world.operators)
    if world.operators[i].epoch == highest:
        return world
    fresh = Operator(epoch=highest + 1, led=0, cache=world.operators[i].cache)
    return world._replace(operators=_put(world.operators, i, fresh))


# --- the agent


def _beat(world: World, n: int, _: Weak) -> World:
    """A beat arrives, and whoever believes to lead acknowledges it."""
    agent = world.agents[n]
    if not agent.control:
        return world
    agent = agent._replace(heard=0)
    for operator in world.operators:
        knows = operator.epoch and operator.cache and operator.epoch >= agent.seen_epoch
        if knows and operator.epoch >= agent.acked_epoch:
            agent = agent._replace(
                acked=0,
                acked_epoch=operator.epoch,
                acked_generation=operator.cache[n].generation,
            )
    return world._replace(agents=_put(world.agents, n, agent))


def _refresh(world: World, n: int, weak: Weak) -> World:
    """The thread that beats refreshes the dead-man, if its rule lets it."""
    agent = world.agents[n]
    strict = mode(world, weak) == "Strict" and agent.armed
    refreshed = -agent.refreshed if agent.may_refresh else None
    leash = deadman.Leash(refreshed, -agent.turned, w.contact_of(agent), strict, w.LIMITS)
    if "late-refresh" in weak:
        leash = deadman.Leash(0, -agent.turned, w.contact_of(agent), strict, w.LIMITS)
    if "hold" in weak:
        leash = deadman.Leash(refreshed, -agent.turned, None, False, w.LIMITS)  # noqa: FBT003
    if deadman.may_refresh(leash, 0):
        return _agent(world, n, refreshed=0)
    return _agent(world, n, may_refresh=False, refreshed=OLD)


def _read(world: World, n: int, weak: Weak) -> World:
    api, agent = world.api[n], world.agents[n]
    if not agent.control or (api.epoch < agent.seen_epoch and "epoch" not in weak):
        return world
    return _agent(world, n, seen=api.grant, seen_generation=api.generation, seen_epoch=api.epoch)


def _ask(world: World, n: int, _: Weak) -> World:
    return _agent(world, n, asked=0, answered=w.answers_there(world, n))


def _turn(world: World, n: int, weak: Weak) -> World:
    """One round of the agent's loop: judge, mute, arm."""
    agent = world.agents[n]
    if not agent.seen_generation:
        return world
    # Without contact it asks whether somebody else answers for what it has.
    facts = agent._replace(claimed=agent.claimed or w.answers_there(world, n))
    if "probe" in weak and agent.seen:
        facts = facts._replace(seen="free")
    if "contact" in weak:
        facts = facts._replace(
            acked=0, acked_epoch=agent.seen_epoch, acked_generation=agent.seen_generation
        )
    if "yield" in weak:
        facts = facts._replace(claimed=False)
    if "hold" in weak or "late-refresh" in weak:
        facts = facts._replace(refreshed=0, may_refresh=agent.armed)
    armed, anew = w.judged(facts, "Segment" if "hold" in weak else mode(world, weak))
    told = {"refreshed": 0, "may_refresh": True} if anew else {}
    if not armed:
        told = {"may_refresh": False, "refreshed": OLD}
    world = _agent(world, n, armed=armed, claimed=False, turned=0, **told)
    if anew and world.segment and not world.isolated:
        world = _agent(world, 1 - n, claimed=True)
    return world


def _report(world: World, n: int, _: Weak) -> World:
    agent = world.agents[n]
    if not agent.seen_generation or not agent.control or (agent.armed and not agent.seen):
        return world
    return _status(world, n, observed=agent.seen_generation, served=agent.armed, stopped=False)


def _stop(world: World, n: int, _: Weak) -> World:
    """SIGTERM: everything withdrawn, and goodbye said if anybody can hear it."""
    control = world.agents[n].control
    world = _crash(world, n)
    return _status(world, n, served=False, stopped=True) if control else world


def _crash(world: World, n: int, _: Weak = frozenset()) -> World:
    off = Agent(running=False, heard=world.agents[n].heard, control=world.agents[n].control)
    return world._replace(agents=_put(world.agents, n, off))


def _boot(world: World, n: int, _: Weak) -> World:
    """The agent starts: it says so before it reads what it is granted."""
    agent = world.agents[n]
    if agent.running or not agent.control:
        return world
    fresh = Agent(heard=agent.heard, control=agent.control)
    world = world._replace(agents=_put(world.agents, n, fresh))
    return _status(world, n, observed=0, served=False, stopped=False, boot=True)


def _freeze(world: World, n: int, _: Weak) -> World:
    return _agent(world, n, frozen=not world.agents[n].frozen)


def _cut(world: World, n: int, _: Weak) -> World:
    return _agent(world, n, control=not world.agents[n].control)


def _work(world: World, n: int, weak: Weak) -> World:
    """All that an agent does in one go when nothing is in its way."""
    for step in (_beat, _read, _beat, _ask, _turn, _refresh, _report):
        world = step(world, n, weak)
    return world


Step = Callable[[World, int, Weak], World]


def _awake(step: Step) -> Step:
    def when_awake(world: World, n: int, weak: Weak) -> World:
        agent = world.agents[n]
        return step(world, n, weak) if agent.running and not agent.frozen else world

    return when_awake


def _running(step: Step) -> Step:
    return lambda world, n, weak: step(world, n, weak) if world.agents[n].running else world


AGENT_STEPS: dict[str, Step] = {
    "beats": _awake(_beat),
    "refreshes": _awake(_refresh),
    "reads": _awake(_read),
    "asks": _awake(_ask),
    "turns": _awake(_turn),
    "reports": _awake(_report),
    "stops": _awake(_stop),
    "freezes or thaws": _running(_freeze),
    "crashes": _running(_crash),
    "boots": _boot,
    "loses or regains control": _cut,
    "works": _awake(_work),
}


def mode(world: World, weak: Weak) -> str:
    """The fencing in force: `strict` among the weakenings stands for such a Topology.

    Where there is no witness the operator has told the agents to be strict.
    """
    return "Strict" if "strict" in weak or world.isolated else "Segment"


def _agent(world: World, n: int, **fields: Any) -> World:
    return world._replace(agents=_put(world.agents, n, world.agents[n]._replace(**fields)))


def _status(world: World, n: int, **fields: Any) -> World:
    return world._replace(api=_put(world.api, n, world.api[n]._replace(**fields)))


def _operator(world: World, i: int, **fields: Any) -> World:
    operator = world.operators[i]._replace(**fields)
    return world._replace(operators=_put(world.operators, i, operator))


def _put(items: tuple[T, T], index: int, item: T) -> tuple[T, T]:
    return (item, items[1]) if index == 0 else (items[0], item)

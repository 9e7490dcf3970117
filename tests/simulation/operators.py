"""What an operator does in the small world, one step at a time."""

from dataclasses import replace

from duravip_operator.core import handover
from duravip_operator.core.snapshot import Placement, Silence
from simulation import cores
from simulation import world as w
from simulation.changes import Weak, change_operator, put
from simulation.world import HOLD, NAMES, SUSPECT, Operator, World, Write

WHERE = Placement("eth1", 32, fencing="Segment")


def scout(world: World, i: int, weak: Weak) -> World:
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
            gone[n] = is_witness and not w.hears_other(world, 1 - n)
    return change_operator(world, i, gone=tuple(gone))


def work(world: World, i: int, weak: Weak) -> World:
    """All that an operator does in one pass when nothing is in its way."""
    world = scout(change_operator(world, i, cache=world.api), i, weak)
    world = decide(world, i, weak)
    while world.operators[i].writes:
        world = write(world, i, weak)
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


def decide(world: World, i: int, weak: Weak) -> World:
    operator = world.operators[i]
    if not operator.epoch or operator.writes or not operator.cache:
        return world
    silences = _silences(world, operator)
    mode = "Strict" if "strict" in weak else "Segment"
    how = cores.How(world.preferred if world.is_wanted else None, mode, world.isolated)
    if any(api.epoch != operator.epoch for api in operator.cache) and "epoch" not in weak:
        _, known = cores.decided(operator.cache, operator.memory, silences, operator.heard, how)
        stamps = tuple(
            Write(n, api.grant, api.generation)
            for n, api in enumerate(operator.cache)
            if api.epoch != operator.epoch
        )
        return change_operator(world, i, writes=stamps, memory=known)
    facts, memory, heard = operator.cache, operator.memory, operator.heard
    if "release-before-grant" in weak:
        facts = tuple(api._replace(served=False, observed=api.generation) for api in facts)
    if "doubts" in weak:
        memory = tuple(handover.Doubts(n, a.generation) for n, a in zip(NAMES, facts, strict=True))
    if "first-grant" in weak:
        memory = tuple(_released(n, memory[i], facts[i]) for i, n in enumerate(NAMES))
    if "let-go" in weak:
        heard = (_obedient(heard[0], facts[0]), _obedient(heard[1], facts[1]))
    grants, after = cores.decided(facts, memory, silences, heard, how)
    if "revoke-first" in weak:
        grants = _all_at_once(operator, grants)
    writes = [
        Write(n, grant, api.generation)
        for n, (grant, api) in enumerate(zip(grants, operator.cache, strict=True))
        if grant != api.grant
    ]
    writes.sort(key=lambda write: not write.grant)  # the worst order that a network can make
    return change_operator(world, i, writes=tuple(writes), memory=after)


def _released(name: str, known: handover.Doubts | None, api: w.Api) -> handover.Doubts:
    """As if the node had just let the address go."""
    doubts = known or handover.Doubts(name, api.generation)
    return replace(doubts, releases=doubts.releases._replace(released=w.ONE))


def _obedient(heard: w.Heard | None, api: w.Api) -> w.Heard | None:
    """What a node would say that has done what it has read."""
    return heard and heard._replace(armed=api.served and bool(api.grant))


def _all_at_once(operator: Operator, grants: tuple[str, ...]) -> tuple[str, ...]:
    """Grant to the one who is to have it while the other one still is granted it."""
    revoked = {n for n, api in enumerate(operator.cache) if api.grant and not grants[n]}
    return tuple("free" if 1 - n in revoked else grant for n, grant in enumerate(grants))


def write(world: World, i: int, weak: Weak) -> World:
    """The next write reaches the API server, which takes it only on what was read."""
    operator = world.operators[i]
    if not operator.writes:
        return world
    (n, grant, generation), *rest = operator.writes
    api = world.api[n]
    world = change_operator(world, i, writes=tuple(rest))
    if generation != api.generation and "conditional-write" not in weak:
        return world
    after = api._replace(grant=grant, generation=api.generation + 1, epoch=operator.epoch)
    name, known = NAMES[n], operator.memory[n]
    memory = handover.after_write(
        {name: known} if known else {},
        cores.plumbing(name, operator.cache[n], WHERE),
        cores.plumbing(name, after, WHERE),
    )
    memories, cache = list(operator.memory), list(operator.cache)
    memories[n], cache[n] = memory[name], after
    world = change_operator(world, i, memory=tuple(memories), cache=tuple(cache))
    return world._replace(api=put(world.api, n, after))


def lead(world: World, i: int) -> World:
    """The Lease changes hands; the former leader does not know it yet."""
    highest = max(operator.epoch for operator in world.operators)
    if world.operators[i].epoch == highest:
        return world
    fresh = Operator(epoch=highest + 1, led=0, cache=world.operators[i].cache)
    return world._replace(operators=put(world.operators, i, fresh))

"""What an operator does in the small world, one step at a time."""

from dataclasses import replace

from duravip_operator.core import releases
from duravip_operator.core.snapshot import Placement, Suspicion
from simulation import cores
from simulation import world as w
from simulation.changes import Weak, change_operator, put
from simulation.world import HOLD, NAMES, SUSPECT, Operator, World, Write

WHERE = Placement("eth1", 32, fencing="Segment")


def read(world: World, i: int) -> World:
    """It reads everything; that the store has gone back ends its reign."""
    operator = world.operators[i]
    if world.is_restored and not operator.has_noticed:
        anew = Operator(cache=world.api, heard=operator.heard, former=operator.epoch)
        return world._replace(operators=put(world.operators, i, anew._replace(has_noticed=True)))
    return change_operator(world, i, cache=world.api)


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
    world = scout(read(world, i), i, weak)
    world = decide(world, i, weak)
    while world.operators[i].writes:
        world = write(world, i, weak)
    return world


def _silences(world: World, operator: Operator) -> tuple[Suspicion | None, ...]:
    return tuple(
        None
        if agent.heard < SUSPECT
        else Suspicion(
            unreachable_on=frozenset({"eth1"}) if operator.gone[n] else w.NONE,
            is_self_fenced=agent.heard > HOLD and operator.led > HOLD,
        )
        for n, agent in enumerate(world.agents)
    )


def decide(world: World, i: int, weak: Weak) -> World:
    operator = world.operators[i]
    if not operator.epoch or operator.writes or not operator.cache:
        return world
    silences = _silences(world, operator)
    mode = "Strict" if "strict" in weak else "Segment"
    wanted = world.preferred if world.is_wanted else None
    is_restored = operator.is_restored and "restore" not in weak
    restored_in = operator.epoch if is_restored else None
    how = cores.How(wanted, mode, world.isolated, "goodbye" in weak, restored_in, world.fit)
    if any(api.epoch != operator.epoch for api in operator.cache) and "epoch" not in weak:
        _, known = cores.decided(operator.cache, operator.memory, silences, operator.heard, how)
        stamps = tuple(
            Write(n, _stamped(api.grant, is_restored), api.generation, api.epoch)
            for n, api in enumerate(operator.cache)
            if api.epoch != operator.epoch
        )
        return change_operator(world, i, writes=stamps, memory=known)
    facts, memory, heard = operator.cache, operator.memory, operator.heard
    if "release-before-grant" in weak:
        facts = tuple(api._replace(served=False, observed=api.generation) for api in facts)
    if "doubts" in weak:
        memory = tuple(
            releases.ReleaseRecord(n, a.generation) for n, a in zip(NAMES, facts, strict=True)
        )
    if "first-grant" in weak:
        memory = tuple(_released(n, memory[i], facts[i]) for i, n in enumerate(NAMES))
    if "let-go" in weak:
        heard = (_obedient(heard[0], facts[0]), _obedient(heard[1], facts[1]))
    if "ahead" in weak:
        heard = (_behind(heard[0], facts[0]), _behind(heard[1], facts[1]))
    grants, after = cores.decided(facts, memory, silences, heard, how)
    if "revoke-first" in weak:
        grants = _all_at_once(operator, grants)
    writes = [
        Write(n, grant, api.generation, api.epoch)
        for n, (grant, api) in enumerate(zip(grants, operator.cache, strict=True))
        if grant != api.grant
    ]
    writes.sort(key=lambda write: not write.grant)  # the worst order that a network can make
    return change_operator(world, i, writes=tuple(writes), memory=after)


def _stamped(grant: str, is_restored: bool) -> str:
    return "contested" if grant and is_restored else grant


def _released(
    name: str, known: releases.ReleaseRecord | None, api: w.Api
) -> releases.ReleaseRecord:
    """As if the node had just let the address go."""
    doubts = known or releases.ReleaseRecord(name, api.generation)
    return replace(doubts, confirmed=doubts.confirmed._replace(released=w.ONE))


def _obedient(heard: w.Heard | None, api: w.Api) -> w.Heard | None:
    """What a node would say that has done what it has read."""
    return heard and heard._replace(active=api.served and bool(api.grant))


def _behind(heard: w.Heard | None, api: w.Api) -> w.Heard | None:
    """Nothing, if it names a spec that this operator has not read."""
    return None if heard and heard.generation > api.generation else heard


def _all_at_once(operator: Operator, grants: tuple[str, ...]) -> tuple[str, ...]:
    """Grant to the one who is to have it while the other one still is granted it."""
    revoked = {n for n, api in enumerate(operator.cache) if api.grant and not grants[n]}
    return tuple("free" if 1 - n in revoked else grant for n, grant in enumerate(grants))


def write(world: World, i: int, weak: Weak) -> World:
    """The next write reaches the API server, which takes it only on what was read."""
    operator = world.operators[i]
    if not operator.writes:
        return world
    (n, grant, generation, epoch), *rest = operator.writes
    api = world.api[n]
    world = change_operator(world, i, writes=tuple(rest))
    is_same = (generation, epoch) == (api.generation, api.epoch)
    if not is_same and "conditional-write" not in weak:
        return world
    after = api._replace(grant=grant, generation=api.generation + 1, epoch=operator.epoch)
    name, known = NAMES[n], operator.memory[n]
    before = cores.plumbing(name, operator.cache[n], WHERE)
    memory: releases.ReleaseRecords = {name: known} if known else {}
    left = releases.unconfirmed_after(memory, before, w.ONE if grant else w.NONE)
    left = w.NONE if "unconfirmed" in weak else left
    after = after._replace(unconfirmed=None if left is None else bool(left))
    memory = releases.after_write(memory, before, cores.plumbing(name, after, WHERE))
    memories, cache = list(operator.memory), list(operator.cache)
    memories[n], cache[n] = memory[name], after
    world = change_operator(world, i, memory=tuple(memories), cache=tuple(cache))
    return world._replace(api=put(world.api, n, after))


def lead(world: World, i: int) -> World:
    """The Lease changes hands; the former leader does not know it yet. Beats all have heard."""
    before, former = world.operators[i], world.operators[1 - i]
    if before.epoch > former.epoch:
        return world
    known = [*world.api, *before.cache, *former.cache]
    epochs = [before.epoch, before.former, former.epoch, former.former]
    epochs += [*(api.epoch for api in known), *(agent.seen_epoch for agent in world.agents)]
    is_first = world.is_restored and not before.has_led
    cache = world.api if is_first else before.cache
    fresh = Operator(epoch=max(epochs) + 1, led=0, cache=cache, heard=before.heard)
    knows = world.is_restored
    fresh = fresh._replace(is_restored=is_first, has_noticed=knows, has_led=knows)
    return world._replace(operators=put(world.operators, i, fresh))

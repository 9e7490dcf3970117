"""What the future of a small world depends on: generations are compared, never counted.

A world is four parts that mostly stay as they were from one step to the next, so each part is
looked at once and known by a number from then on.
"""

from functools import lru_cache

from duravip_operator.core.releases import ReleaseRecord
from simulation.world import OLD, Agent, Api, Heard, Operator, World

Ranks = dict[int, int]
Parts = tuple[object, ...]

_numbers: dict[Parts, int] = {}

GOODBYE = Heard(0, active=False, stopped=True)
"""It counts, whatever else was said."""


def essence(world: World) -> Parts:
    """Equal for two worlds in which exactly the same can happen from now on."""
    if world.backup or world.is_restored:
        return tuple(world)  # numbers come again: it matters which ones
    epochs = _epochs(world)
    first, second = world.operators
    return (
        _side(0, epochs, world.api[0], world.agents[0], _beliefs(first, 0), _beliefs(second, 0)),
        _side(1, epochs, world.api[1], world.agents[1], _beliefs(first, 1), _beliefs(second, 1)),
        *_rest(first, epochs),
        *_rest(second, epochs),
        *world[3:],
    )


Beliefs = tuple[Api | None, ReleaseRecord | None, Heard | None, tuple[int, ...]]
"""What an operator has read of a node, remembers and has heard of it, and is about to replace."""


def _beliefs(operator: Operator, n: int) -> Beliefs:
    writes = tuple(w.generation for w in operator.writes if w.node == n) if operator.writes else ()
    api, heard = operator.cache[n] if operator.cache else None, operator.heard[n]
    if heard and heard.stopped:
        heard = GOODBYE
    elif api and heard and heard.generation < api.generation:
        heard = None  # of a spec that is known to be replaced: it never counts again
    return api, operator.memory[n], heard, writes


def _rest(operator: Operator, epochs: tuple[int, ...]) -> Parts:
    """What is left of an operator without its beliefs."""
    writes = tuple((w.node, w.grant) for w in operator.writes)
    return epochs.index(operator.epoch), operator.led, operator.gone, writes


@lru_cache(maxsize=1 << 18)
def _side(n: int, epochs: tuple[int, ...], api: Api, agent: Agent, *beliefs: Beliefs) -> int:
    """The number of all that concerns one node."""
    order = {epoch: rank for rank, epoch in enumerate(epochs)}
    ranks = _generations(api, agent, beliefs)
    starts = _starts(api, beliefs)
    parts = (
        n,
        _api(api, ranks, order, starts),
        _agent(agent, ranks, order),
        *(
            (
                cache and _api(cache, ranks, order, starts),
                doubts
                and (ranks[doubts.generation], doubts.unconfirmed, *_releases(doubts, starts)),
                heard and (ranks[heard.generation], heard.active, heard.stopped),
                tuple(ranks[generation] for generation in writes),
            )
            for cache, doubts, heard, writes in beliefs
        ),
    )
    return _numbers.setdefault(parts, len(_numbers))


def _api(api: Api, ranks: Ranks, epochs: Ranks, starts: dict[str, int]) -> Parts:
    generations = ranks[api.generation], ranks[api.observed]
    boot = api.boot and starts[f"boot-{api.boot}"]
    said = epochs[api.told], api.served, api.stopped, api.unconfirmed
    return api.grant, *generations, epochs[api.epoch], *said, boot


def _releases(doubts: ReleaseRecord, starts: dict[str, int]) -> Parts:
    known = doubts.confirmed
    return starts.get(known.boot, 0), known.served, known.released


def _starts(api: Api, beliefs: tuple[Beliefs, ...]) -> dict[str, int]:
    """The starts of an agent that anything is known of, in order, from 1 on."""
    boots = {api.boot, *(cache.boot for cache, *_ in beliefs if cache)}
    boots |= {
        int(doubts.confirmed.boot.removeprefix("boot-"))
        for _, doubts, *_ in beliefs
        if doubts and doubts.confirmed.boot
    }
    return {f"boot-{boot}": rank for rank, boot in enumerate(sorted(boots - {0}), 1)}


def _agent(agent: Agent, ranks: Ranks, epochs: Ranks) -> Agent:
    acked = agent.acked if agent.acked_generation else OLD
    return agent._replace(
        acked=acked,
        seen_generation=ranks[agent.seen_generation],
        acked_generation=ranks[agent.acked_generation] if acked < OLD else 0,
        seen_epoch=epochs[agent.seen_epoch],
        acked_epoch=epochs[agent.acked_epoch],
    )


def _generations(api: Api, agent: Agent, beliefs: tuple[Beliefs, ...]) -> Ranks:
    known = {0, api.generation, api.observed, agent.seen_generation, agent.acked_generation}
    for cache, doubts, heard, writes in beliefs:
        known.update(writes)
        if cache:
            known |= {cache.generation, cache.observed}
        if doubts:
            known.add(doubts.generation)
        if heard:
            known.add(heard.generation)
    return {number: rank for rank, number in enumerate(sorted(known))}


def _epochs(world: World) -> tuple[int, ...]:
    """All epochs that anybody knows, in order."""
    if world.operators[1].epoch == 0 and world.operators[0].epoch == 1:
        return (0, 1)  # nobody else has ever led
    known = {0, *(o.epoch for o in world.operators)}
    known |= {epoch for api in world.api for epoch in (api.epoch, api.told)}
    known |= {epoch for a in world.agents for epoch in (a.seen_epoch, a.acked_epoch)}
    known |= {e for o in world.operators for api in o.cache for e in (api.epoch, api.told)}
    return tuple(sorted(known))

"""What the future of a small world depends on: generations are compared, never counted."""

from simulation.world import OLD, Agent, Api, Operator, World

Ranks = dict[int, int]


def essence(world: World) -> object:
    """Equal for two worlds in which exactly the same can happen from now on."""
    ranks = [_generations(world, n) for n in (0, 1)]
    epochs = _ranked(_epochs(world))
    pairs = zip(world.api, world.agents, ranks, strict=True)
    return (
        tuple((_api(api, r, epochs), _agent(agent, r, epochs)) for api, agent, r in pairs),
        tuple(_operator(operator, ranks, epochs) for operator in world.operators),
        world.segment,
        world.isolated,
        world.preferred,
        world.both,
        world.is_excused,
    )


def _api(api: Api, ranks: Ranks, epochs: Ranks) -> object:
    generations = ranks[api.generation], ranks[api.observed]
    return api.grant, *generations, epochs[api.epoch], api.served, api.stopped, api.boot


def _agent(agent: Agent, ranks: Ranks, epochs: Ranks) -> object:
    acked = agent.acked if agent.acked_generation else OLD
    return agent._replace(
        acked=acked,
        seen_generation=ranks[agent.seen_generation],
        acked_generation=ranks[agent.acked_generation] if acked < OLD else 0,
        seen_epoch=epochs[agent.seen_epoch],
        acked_epoch=epochs[agent.acked_epoch],
    )


def _operator(operator: Operator, ranks: list[Ranks], epochs: Ranks) -> object:
    return (
        epochs[operator.epoch],
        operator.led,
        operator.gone,
        tuple(_api(api, r, epochs) for api, r in zip(operator.cache, ranks, strict=False)),
        tuple(
            d and (r[d.generation], d.addresses)
            for d, r in zip(operator.memory, ranks, strict=True)
        ),
        tuple((w.node, w.grant, ranks[w.node][w.generation]) for w in operator.writes),
    )


def _generations(world: World, n: int) -> Ranks:
    seen = [world.api[n], *(o.cache[n] for o in world.operators if o.cache)]
    agent = world.agents[n]
    known = {0, agent.seen_generation, agent.acked_generation}
    known |= {w.generation for o in world.operators for w in o.writes if w.node == n}
    known |= {number for api in seen for number in (api.generation, api.observed)}
    known |= {doubts.generation for o in world.operators if (doubts := o.memory[n])}
    return _ranked(known)


def _epochs(world: World) -> set[int]:
    known = {0, *(api.epoch for api in world.api), *(o.epoch for o in world.operators)}
    known |= {epoch for a in world.agents for epoch in (a.seen_epoch, a.acked_epoch)}
    return known | {api.epoch for o in world.operators for api in o.cache}


def _ranked(numbers: set[int]) -> Ranks:
    return {number: rank for rank, number in enumerate(sorted(numbers))}

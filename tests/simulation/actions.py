"""Everything that can happen next in the small world, one step at a time."""

from collections.abc import Iterator

from simulation import world as w
from simulation.agents import AGENT_STEPS
from simulation.changes import Weak, change_operator
from simulation.operators import decide, lead, scout, work, write
from simulation.world import NAMES, OLD, Agent, World


def steps(world: World, weak: Weak) -> Iterator[tuple[str, World]]:
    """`(what happens, the world after it)` for everything that can happen now."""
    yield "a tick passes", _tick(world, weak)
    for i, name in enumerate(NAMES):
        for what, step in AGENT_STEPS.items():
            yield f"{name} {what}", step(world, i, weak)
    for i in (0, 1):
        yield f"operator {i} reads", change_operator(world, i, cache=world.api)
        yield f"operator {i} scouts", scout(world, i, weak)
        yield f"operator {i} decides", decide(world, i, weak)
        yield f"operator {i} writes", write(world, i, weak)
        yield f"operator {i} takes the lead", lead(world, i)
        yield f"operator {i} works", work(world, i, weak)
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

"""Everything that can happen next in the small world, one step at a time."""

from collections.abc import Callable

from duravip_api.heartbeat import Heartbeat, address_digest
from duravip_operator.pulse.authentication import AgentIdentity as Trusted
from duravip_operator.pulse.authentication import objection
from simulation import world as w
from simulation.agents import AGENT_STEPS
from simulation.changes import Weak, change_operator, change_status, put
from simulation.operators import decide, lead, read, scout, work, write
from simulation.world import NAMES, OLD, Agent, World

Step = Callable[[World, Weak], World]
"""What can happen: the world after it. The same world, where it changes nothing."""


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
        fed_at=min(OLD, agent.fed_at + (not (agent.frozen and "dead-man" in weak))),
        asked=min(OLD, agent.asked + 1),
        turned=min(OLD, agent.turned + 1),
    )


def _split(world: World, _: Weak) -> World:
    """Cut the segment in two, or make it one again: whoever owned one half each is found out."""
    both = all(map(w.is_audible, world.agents))
    return world._replace(segment=not world.segment, both=0, is_excused=not world.segment and both)


def _forge(world: World, weak: Weak) -> World:
    """Whoever has n1's key says in n0's name that it has let go, whatever it was granted."""
    boot = Trusted("boot", "", is_shared_key_allowed=False)
    beat = Heartbeat("n0", boot.boot, 1, world.api[0].generation, address_digest(frozenset()))
    if objection(beat, "n1", boot) and "any-key" not in weak:
        return world
    said = w.Heard(world.api[0].generation, active=False)
    for i, operator in enumerate(world.operators):
        world = change_operator(world, i, heard=put(operator.heard, 0, said))
    return world


def _back_up(world: World, _: Weak) -> World:
    return world._replace(backup=world.api)


def _restore(world: World, _: Weak) -> World:
    """Only once: then everybody has to find out."""
    if world.backup is None:
        return world
    return world._replace(api=world.backup, backup=None, is_restored=True)


def _say_goodbye(world: World, _: Weak) -> World:
    """Somebody writes into n0's status that its agent has ended."""
    return change_status(world, 0, stopped=True, served=False)


def _serve(world: World, n: int) -> World:
    """What makes node n fit for the address; at first both are."""
    fit = world.fit or (True, True)
    return world._replace(fit=put(fit, n, not fit[n]))


def _stranger(world: World, _: Weak) -> World:
    """A host that is no node takes the address, which nobody has or is about to have; or goes.

    A node that is dead may have been granted it. Who takes it while it is on its way from one node
    to another is heard by nobody: that is excused.
    """
    if world.stranger:
        return world._replace(stranger=False)
    sides = list(zip(world.api, world.agents, strict=True))
    is_dead = any(api.grant and not (agent.running or api.stopped) for api, agent in sides)
    is_held = any(
        (agent.running or api.stopped)
        and (api.grant or agent.active or api.observed != api.generation)
        for api, agent in sides
    )
    is_on_its_way = any(write.grant for operator in world.operators for write in operator.writes)
    if is_held or is_on_its_way or (world.is_wanted and not is_dead):
        return world
    return world._replace(stranger=True)


def _steps_of_agent(n: int) -> dict[str, Step]:
    def step_of(what: str) -> Step:
        step = AGENT_STEPS[what]
        return lambda world, weak: step(world, n, weak)

    return {f"{NAMES[n]} {what}": step_of(what) for what in AGENT_STEPS}


def _steps_of_operator(i: int) -> dict[str, Step]:
    return {
        f"operator {i} reads": lambda world, _: read(world, i),
        f"operator {i} scouts": lambda world, weak: scout(world, i, weak),
        f"operator {i} decides": lambda world, weak: decide(world, i, weak),
        f"operator {i} writes": lambda world, weak: write(world, i, weak),
        f"operator {i} takes the lead": lambda world, _: lead(world, i),
        f"operator {i} works": lambda world, weak: work(world, i, weak),
    }


STEPS: dict[str, Step] = {
    "a tick passes": _tick,
    **_steps_of_agent(0),
    **_steps_of_agent(1),
    **_steps_of_operator(0),
    **_steps_of_operator(1),
    "n0's server comes or goes": lambda world, _: _serve(world, 0),
    "n1's server comes or goes": lambda world, _: _serve(world, 1),
    "the other node is preferred": lambda world, _: world._replace(preferred=1 - world.preferred),
    "the segment splits or heals": _split,
    "n1's key speaks for n0": _forge,
    "n0's status says goodbye": _say_goodbye,
    "a backup is made": _back_up,
    "the backup is restored": _restore,
    "the object comes or goes": lambda world, _: world._replace(is_wanted=not world.is_wanted),
    "a stranger comes or goes": _stranger,
}
"""Everything that can happen next, in the order in which a walk looks at it."""

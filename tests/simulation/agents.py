"""What an agent does in the small world, and what happens to its node, one step at a time."""

from collections.abc import Callable

from duravip_agent.core import watchdog_rule
from simulation import cores
from simulation import world as w
from simulation.changes import Weak, change_agent, change_operator, change_status, mode, put
from simulation.world import OLD, Agent, World


def _beat(world: World, n: int, weak: Weak) -> World:
    """A beat arrives, and whoever believes to lead acknowledges it."""
    agent = world.agents[n]
    if not agent.control:
        return world
    agent = agent._replace(heard=0)
    said = w.Heard(0 if agent.store.is_old else agent.seen_generation, agent.active)
    for i, operator in enumerate(world.operators):
        world = change_operator(world, i, heard=put(operator.heard, n, said))
        knows = operator.epoch and operator.cache and operator.epoch >= agent.seen_epoch
        if knows and operator.epoch >= agent.acked_epoch:
            agent = agent._replace(
                acked=0,
                acked_epoch=operator.epoch,
                acked_generation=operator.cache[n].generation,
            )
    return _confirm(world._replace(agents=put(world.agents, n, agent)), n, weak)


def _confirm(world: World, n: int, weak: Weak) -> World:
    """A leader goes by what is in a store that has gone back: it counts now."""
    agent = world.agents[n]
    grant, generation, epoch = agent.store.read
    if not generation or (agent.acked_generation, agent.acked_epoch) != (generation, epoch):
        return world
    if grant and not agent.active and "restore" not in weak:
        grant = "contested"  # it may have been moved since, whatever the spec says
    seen = {"seen": grant, "seen_generation": generation, "seen_epoch": epoch, "asked": OLD}
    return change_agent(world, n, **seen, stale=False, store=w.Store(is_noticed=True))


def _notice(world: World, n: int) -> World:
    """It finds out that the store has gone back: no earlier acknowledgement counts any more."""
    store = w.Store(is_noticed=True, is_told=False, is_old=True)
    return change_agent(world, n, store=store, acked=OLD, acked_generation=0, asked=OLD)


def _refresh(world: World, n: int, weak: Weak) -> World:
    """The thread that beats refreshes the dead-man, if its rule lets it."""
    agent = world.agents[n]
    strict = mode(world, weak) == "Strict" and agent.active
    refreshed = -agent.fed_at if agent.may_refresh else None
    leash = watchdog_rule.WatchdogState(
        refreshed, -agent.turned, cores.contact_of(agent), strict, w.LIMITS
    )
    if "late-refresh" in weak:
        leash = watchdog_rule.WatchdogState(
            0, -agent.turned, cores.contact_of(agent), strict, w.LIMITS
        )
    if "hold" in weak:
        leash = watchdog_rule.WatchdogState(refreshed, -agent.turned, None, False, w.LIMITS)  # noqa: FBT003
    if watchdog_rule.may_feed(leash, 0):
        return change_agent(world, n, fed_at=0)
    return change_agent(world, n, may_refresh=False, fed_at=OLD)


def _read(world: World, n: int, weak: Weak) -> World:
    api, agent = world.api[n], world.agents[n]
    if agent.control and world.is_restored and not agent.store.is_noticed:
        return _notice(world, n)
    if agent.control and agent.store.is_old:
        if agent.store.is_told:
            read = (api.grant, api.generation, api.epoch)
            world = change_agent(world, n, store=agent.store._replace(read=read))
        return _confirm(world, n, weak)
    if not agent.control or ("epoch" not in weak and not cores.is_taken(agent, api)):
        return world
    is_stale = bool(api.grant) and (agent.stale or not agent.seen_generation)
    seen = {"seen_generation": api.generation, "seen_epoch": api.epoch, "stale": is_stale}
    if api.generation != agent.seen_generation:
        seen["asked"] = OLD  # a silence under an earlier spec counts for nothing
    return change_agent(world, n, seen=api.grant, **seen)


def _ask(world: World, n: int, _: Weak) -> World:
    return change_agent(world, n, asked=0, answered=w.answers_there(world, n))


def _facts(world: World, n: int, weak: Weak) -> Agent:
    """What its core decides from: without what a weakened rule overlooks."""
    agent = world.agents[n]
    # Without contact it asks whether somebody else answers for what it has.
    facts = agent._replace(claimed=agent.claimed or w.answers_there(world, n))
    if "probe" in weak and agent.seen:
        facts = facts._replace(seen="free")
    if "stale" in weak:
        facts = facts._replace(stale=False)
    if "contact" in weak:
        facts = facts._replace(
            acked=0, acked_epoch=agent.seen_epoch, acked_generation=agent.seen_generation
        )
    if "epoch" in weak:
        facts = facts._replace(acked_epoch=agent.seen_epoch)
    if "yield" in weak:
        facts = facts._replace(claimed=False)
    if "hold" in weak or "late-refresh" in weak:
        facts = facts._replace(fed_at=0, may_refresh=agent.active)
    return facts


def _turn(world: World, n: int, weak: Weak) -> World:
    """One round of the agent's loop: judge, mute, arm."""
    agent = world.agents[n]
    if not agent.seen_generation:
        return world
    facts = _facts(world, n, weak)
    armed, anew = cores.judged(facts, "Segment" if "hold" in weak else mode(world, weak))
    told = {"fed_at": 0, "may_refresh": True} if anew else {}
    if not armed:
        told = {"may_refresh": False, "fed_at": OLD}
    is_kept = armed and not anew
    has_yielded = agent.active and not armed and facts.claimed
    told |= {"stale": bool(agent.seen) and not is_kept and (agent.stale or has_yielded)}
    world = change_agent(world, n, active=armed, claimed=False, turned=0, **told)
    if anew and world.stranger:
        world = world._replace(is_invaded=True)
    if anew and world.segment and not world.isolated:
        world = change_agent(world, 1 - n, claimed=True)
    return world


def _report(world: World, n: int, _: Weak) -> World:
    agent, store = world.agents[n], world.agents[n].store
    if not agent.seen_generation or not agent.control or (agent.active and not agent.seen):
        return world
    told = {"told": agent.seen_epoch, "served": agent.active, "stopped": False}
    if not store.is_told:
        world = _introduced(change_agent(world, n, store=store._replace(is_told=True)), n)
    observed = 0 if store.is_old else agent.seen_generation
    world = change_status(world, n, observed=observed, **told)
    is_news = world.is_restored and not store.is_noticed  # the answer tells
    return _notice(world, n) if is_news else world


def _introduced(world: World, n: int) -> World:
    """The status names another start of the agent: an earlier one's word counts no more."""
    for i, operator in enumerate(world.operators):
        world = change_operator(world, i, heard=put(operator.heard, n, None))
    return change_status(world, n, boot=world.api[n].boot + 1)


def _stop(world: World, n: int, _: Weak) -> World:
    """SIGTERM: everything withdrawn, and goodbye said if anybody can hear it."""
    control = world.agents[n].control
    world = _crash(world, n)
    if not control:
        return world
    goodbye = w.Heard(world.api[n].generation, active=False, stopped=True)
    for i, operator in enumerate(world.operators):
        world = change_operator(world, i, heard=put(operator.heard, n, goodbye))
    return change_status(world, n, served=False, stopped=True)


def _crash(world: World, n: int, _: Weak = frozenset()) -> World:
    off = Agent(running=False, heard=world.agents[n].heard, control=world.agents[n].control)
    return world._replace(agents=put(world.agents, n, off))


def _boot(world: World, n: int, _: Weak) -> World:
    """The agent starts: it says so before it reads what it is granted."""
    agent = world.agents[n]
    if agent.running or not agent.control:
        return world
    store = w.Store(is_noticed=world.is_restored)
    fresh = Agent(heard=agent.heard, control=agent.control, store=store)
    world = _introduced(world._replace(agents=put(world.agents, n, fresh)), n)
    return change_status(world, n, observed=0, served=False, stopped=False)


def _freeze(world: World, n: int, _: Weak) -> World:
    return change_agent(world, n, frozen=not world.agents[n].frozen)


def _cut(world: World, n: int, _: Weak) -> World:
    return change_agent(world, n, control=not world.agents[n].control)


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

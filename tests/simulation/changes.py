"""One thing of the small world changed, the rest as it was; and what a weakening means."""

from typing import Any, TypeVar

from simulation.world import World

T = TypeVar("T")
Weak = frozenset[str]

WEAKENINGS = (
    *("revoke-first", "release-before-grant", "doubts", "let-go", "conditional-write"),
    *("witness", "probe", "contact", "dead-man", "yield", "epoch", "late-refresh", "hold"),
    *("word", "restore", "any-key", "first-grant", "stale", "unconfirmed", "goodbye"),
    "ahead",
)
"""The parts of the rule that can be left out. The cores stay as they are: what a weakened program
overlooks is taken out of the facts that it decides from, or of the conditions that its writes and
its refreshes carry."""


def mode(world: World, weak: Weak) -> str:
    """The fencing in force: `strict` among the weakenings stands for such a Topology.

    Where there is no witness the operator has told the agents to be strict.
    """
    return "Strict" if "strict" in weak or world.isolated else "Segment"


def change_agent(world: World, n: int, **fields: Any) -> World:
    return world._replace(agents=put(world.agents, n, world.agents[n]._replace(**fields)))


def change_status(world: World, n: int, **fields: Any) -> World:
    return world._replace(api=put(world.api, n, world.api[n]._replace(**fields)))


def change_operator(world: World, i: int, **fields: Any) -> World:
    operator = world.operators[i]._replace(**fields)
    return world._replace(operators=put(world.operators, i, operator))


def put(items: tuple[T, T], index: int, item: T) -> tuple[T, T]:
    return (item, items[1]) if index == 0 else (items[0], item)

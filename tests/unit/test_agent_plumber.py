"""The order of one step, with a kernel and a segment that are played by a few lines."""

from collections.abc import Callable, Mapping, Sequence

from duravip_agent.core.grant import Placement
from duravip_agent.core.observed import Alias, Link, Observed
from duravip_agent.metrics import Metrics
from duravip_agent.plumber import CHUNK, Plumber

HERE = Placement("eth0", 32)


class World:
    """A kernel, and an announcer; both write down what is asked of them."""

    def __init__(self, *held: str) -> None:
        self.log: list[str] = []
        self.aliases = {alias(address) for address in held}
        self.refuses: set[str] = set()

    def observed(self, *, with_links: bool) -> Observed:
        del with_links
        links = (Link(2, "eth0", is_up=True, has_carrier=True),)
        return Observed(links, tuple(sorted(self.aliases)))

    def add(self, aliases: Sequence[Alias]) -> dict[Alias, str]:
        return self._change("add", aliases, self.aliases.add)

    def delete(self, aliases: Sequence[Alias]) -> dict[Alias, str]:
        return self._change("delete", aliases, self.aliases.discard)

    def links_changed(self, links: tuple[Link, ...], now: float) -> None: ...

    def serving(self, served: Mapping[Placement, frozenset[str]], now: float) -> None: ...

    def plumbed(self, served: Mapping[Placement, frozenset[str]], now: float) -> None:
        del now
        self.log.append(f"announce {sum(map(len, served.values()))}")

    def _change(
        self, verb: str, aliases: Sequence[Alias], change: Callable[[Alias], None]
    ) -> dict[Alias, str]:
        self.log.append(f"{verb} {len(aliases)}")
        refused = {alias: "no" for alias in aliases if alias.address in self.refuses}
        for one in aliases:
            if one not in refused:
                change(one)
        return refused


def alias(address: str) -> Alias:
    return Alias(2, address, 32, is_marked=True)


def wanted(*addresses: str) -> dict[str, Placement]:
    return dict.fromkeys(addresses, HERE)


def stepped(
    world: World, want: dict[str, Placement], must_yield: Callable[[], bool] = lambda: False
) -> tuple[Plumber, bool]:
    plumber = Plumber(world, world, Metrics("1.0"))  # type: ignore[arg-type]
    plumber.look(0.0, with_links=True)
    is_done = plumber.step(want, 0.0, lambda: world.log.append("report"), must_yield)
    return plumber, is_done


def test_what_is_released_goes_and_is_reported_before_anything_is_added() -> None:
    world = World("10.1.1.1")
    stepped(world, wanted("10.1.1.2"))
    assert world.log == ["delete 1", "report", "add 1", "announce 1"]


def test_thousands_are_announced_chunk_by_chunk() -> None:
    world = World()
    plumber, is_done = stepped(world, wanted(*(f"10.1.2.{n}" for n in range(CHUNK))))
    assert world.log == [f"add {CHUNK}", f"announce {CHUNK}"]
    assert is_done
    assert len(plumber.observed.marked) == CHUNK


def test_something_newer_interrupts_the_adding() -> None:
    world = World()
    many = wanted(*(f"10.1.{n // 256}.{n % 256}" for n in range(3 * CHUNK)))
    answers = [False, True]
    plumber, is_done = stepped(world, many, lambda: answers.pop(0))
    assert not is_done
    assert len(plumber.observed.marked) == CHUNK


def test_what_cannot_be_deleted_is_still_held_and_said() -> None:
    world = World("10.1.1.1")
    world.refuses = {"10.1.1.1"}
    plumber, _ = stepped(world, {})
    assert plumber.failures == {"10.1.1.1": "no"}
    assert plumber.observed.marked == (alias("10.1.1.1"),)


def test_what_cannot_be_added_is_said_and_waits_for_its_next_try() -> None:
    world = World()
    world.refuses = {"10.1.1.1"}
    plumber, _ = stepped(world, wanted("10.1.1.1"))
    assert plumber.failures == {"10.1.1.1": "no"}
    assert plumber.observed.marked == ()
    assert plumber.next_due(0.0) < float("inf")


def test_withdrawing_leaves_nothing_of_ours() -> None:
    world = World("10.1.1.1", "10.1.1.2")
    plumber, _ = stepped(world, wanted("10.1.1.1", "10.1.1.2"))
    plumber.withdraw()
    assert world.aliases == set()

"""No two Services get one address, and none is lost, whatever leaders die at whichever write."""

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import pytest

from properties.service_histories import (
    ASKED,
    NAMES,
    PORTS,
    Api,
    Leader,
    service_body,
    settle,
)

CHUNKS, CHUNK = 10, 1000
"""Ten thousand histories; the seed of each is its number."""
LONGEST = 60
VERBS = "ssseddppppwwcl"
LATE_VERBS = "ssssppzw"
REFUSALS = {"PoolExhausted", "PortTaken", "AddressTaken", "NamespaceConflict"}


class History:
    """Random things that happen to an API server and its leader."""

    def __init__(self, seed: int, *, counts_unseen: bool = True, has_late: bool = False) -> None:
        """`has_late`: the writes of a leader that was replaced may still be carried out later."""
        self._random = Random(seed)  # noqa: S311 - no secret
        self._has_late = has_late
        self._late: list[Iterator[None]] = []
        self.was_wrong = False
        """Whether something was shared wrongly for a while."""
        self._counts_unseen = counts_unseen
        self.api = Api()
        self.leader = Leader(self.api, counts_unseen=counts_unseen)
        self._verbs: dict[str, Callable[[str, int], None]] = {
            "s": self._make,
            "e": self._edit,
            "d": lambda key, _: self.api.delete("Service", key),
            "p": lambda _, number: self._plan(number),
            "w": lambda _, n: self.leader.watch("Service" if n % 2 else "DuraVIP", n // 2),
            "c": lambda _, __: self.api.collect(),
            "l": lambda _, __: self._replace_leader(),
            "z": lambda _, number: self._carry_out_late(number),
        }

    def walk(self) -> None:
        """All of it; AssertionError as soon as an address is given out twice."""
        for _ in range(self._random.randrange(LONGEST)):
            verb = self._verbs[self._random.choice(LATE_VERBS if self._has_late else VERBS)]
            verb(self._random.choice(NAMES), self._random.randrange(21))

    def _make(self, key: str, number: int) -> None:
        if key not in self.api.objects["Service"]:
            asked, port = ASKED[number % len(ASKED)], PORTS[number % len(PORTS)]
            self.api.put("Service", service_body(key, asked, [port]))

    def _edit(self, key: str, number: int) -> None:
        body = self.api.objects["Service"].get(key)
        if body:
            asked = body["metadata"]["annotations"].get("duravip.io/addresses", "")
            ports = [port for n, port in enumerate(PORTS) if number >> n & 1] or PORTS
            self.api.put("Service", service_body(key, asked, ports))

    def _plan(self, number: int) -> None:
        """A plan and its writes; after the first, second, third or fourth the leader may die."""
        writes = self.leader.writes(self.leader.plan())
        for n, _ in enumerate(writes, 1):
            self._look()
            if n == number % 5:
                self._late.append(writes)
                self._replace_leader()
                return

    def _carry_out_late(self, number: int) -> None:
        """So many writes of a leader that was replaced meanwhile."""
        if self._has_late and self._late:
            for _ in islice(self._late[-1], number):
                self._look()

    def _look(self) -> None:
        """Look for what is shared wrongly."""
        wrong = self.api.shared_wrongly()
        assert self._has_late or not wrong
        self.was_wrong |= bool(wrong)

    def _replace_leader(self) -> None:
        self.leader = Leader(self.api, counts_unseen=self._counts_unseen)


def each_is_answered(api: Api, leader: Leader) -> None:
    """Each Service has its address, or its status says why not, and that is true."""
    assert leader.last is not None
    vips = api.objects["DuraVIP"].values()
    owners = {body["metadata"]["ownerReferences"][0]["uid"] for body in vips}
    free = {f"10.1.1.{n}" for n in range(1, 5)} - {body["spec"]["address"] for body in vips}
    for key, body in api.objects["Service"].items():
        status = leader.last.statuses[key]
        assert status.condition is not None
        has_it = body["metadata"]["uid"] in owners
        assert has_it == bool(status.ingress)
        assert has_it or status.condition.reason in REFUSALS
        assert status.condition.reason != "PoolExhausted" or not free


def nothing_is_left(api: Api, leader: Leader) -> None:
    """Once all Services are gone, so are their DuraVIPs, and the pool is whole."""
    for key in NAMES:
        api.delete("Service", key)
    settle(api, leader)
    assert not api.objects["DuraVIP"]
    assert leader.last is not None
    assert leader.last.pools["few"].used4 == 0


def settled(seed: int, *, has_late: bool = False) -> History:
    """One history, and what must hold in the end."""
    history = History(seed, has_late=has_late)
    try:
        history.walk()
        settle(history.api, history.leader, is_mending=has_late)
        each_is_answered(history.api, history.leader)
        nothing_is_left(history.api, history.leader)
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
    return history


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_address_is_given_out_twice_and_none_is_lost(chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        settled(seed)


def test_what_two_leaders_have_written_at_once_is_mended() -> None:
    assert sum(settled(seed, has_late=True).was_wrong for seed in range(CHUNK)) > 0


def test_a_leader_that_forgets_what_it_has_just_sent_is_found_out() -> None:
    found = 0
    for seed in range(CHUNK):
        try:
            History(seed, counts_unseen=False).walk()
        except AssertionError:
            found += 1
    assert found > 0

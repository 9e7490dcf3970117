"""What others write costs little to read, however hard they try within the schema's limits."""

import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duravip_agent.core.node_spec import parse_node_spec
from duravip_api.grants import MOST_GRANTED
from duravip_api.manifest import KINDS, definition
from duravip_operator.core import parsing
from duravip_operator.core.address_pools import parse_pool

MOST_BYTES = 1_000_000
"""Of an object: etcd takes little more."""
MOST_SECONDS, MOST_MEMORY = 0.25, 5 << 20
"""20-40 ms on a quiet machine; whatever grows without a bound takes seconds."""
READERS: Mapping[str, tuple[Callable[[dict[str, Any]], object], ...]] = {
    "DuraVIP": (lambda body: parsing.vip_object("DuraVIP", body),),
    "Binding": (lambda body: parsing.vip_object("Binding", body),),
    "Topology": (parsing.topology,),
    "AddressPool": (parse_pool,),
    "NodePlumbing": (parsing.plumbing, parse_node_spec),
}
LONGEST_KEY = 317
METADATA = {"name": "x", "namespace": "y", "uid": "u", "generation": 1, "resourceVersion": "7"}


class Writer:
    """Somebody who fills an object with as much as the schema lets in."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left = MOST_BYTES
        self._spellings = random.choice((["x"], ["number"], ["range"], ["list"], [*self.FORMS]))

    def made(self, schema: Mapping[str, Any]) -> Any:
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if "type" not in schema:  # the server does not look at it: NodePlumbing's served
            return [self._text(45) for _ in self._counted(self._random.choice((100, 16384)))]
        kind = schema["type"]
        if kind == "array":
            return [self.made(schema["items"]) for _ in self._counted(schema["maxItems"])]
        if kind == "object":
            return self._map(schema) if "maxProperties" in schema else self._object(schema)
        if kind == "string":
            return self._text(schema.get("maxLength", 64))
        return self._random.choice((True, False)) if kind == "boolean" else self._integer(schema)

    FORMS = ("x", "number", "range", "list", "socket")

    def _map(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        keys = (f"k{n:0>{LONGEST_KEY - 1}}" for n in self._counted(schema["maxProperties"]))
        return {key: self.made(schema["additionalProperties"]) for key in keys}

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        names = list(schema.get("properties", ()))
        self._random.shuffle(names)
        return {
            name: self.made(schema["properties"][name])
            for name in names
            if name in required or (self._left > 0 and self._random.random() < 0.8)
        }

    def _counted(self, most: int) -> Iterator[int]:
        """Few, or so many that no more of them go in."""
        for number in range(self._random.choice((1, 3, most, most, most))):
            if self._left <= 0:
                return
            yield number

    def _integer(self, schema: Mapping[str, Any]) -> int:
        return self._random.randint(schema.get("minimum", 0), schema.get("maximum", 1 << 31))

    def _text(self, longest: int) -> str:
        number = self._random.randrange(1 << 16) * 2
        ends = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"fd00::1:{number:x}")
        start = self._random.choice(ends)
        form = self._random.choice(self._spellings)
        text = {
            "x": "x" * longest,
            "number": start,
            "range": f"10.{number & 7}.0.0-10.9.{number & 255}.{number >> 9}",
            "list": (start + ",1" * longest)[: longest - longest % 2],
            "socket": f"TCP/{number & 255} {start}-10.255.255.255",
        }[form][:longest]
        self._left -= len(text) + 4
        return text


def cost(read: Callable[[dict[str, Any]], object], body: dict[str, Any]) -> tuple[float, int]:
    """Seconds of the processor, and the memory that it takes at most, beside the shared caches."""
    times = []
    for _ in range(3):
        parsing._spelled_out.cache_clear()  # noqa: SLF001 - it would know the answer
        parsing._all_of.cache_clear()  # noqa: SLF001
        begun = time.thread_time()
        found = read(body)
        times.append(time.thread_time() - begun)
        del found
    parsing._spelled_out.cache_clear()  # noqa: SLF001
    tracemalloc.start()
    try:
        found = read(body)
        used = tracemalloc.get_traced_memory()[1]
        del found
        return min(times), used
    finally:
        tracemalloc.stop()


def check(kind: str, body: dict[str, Any]) -> None:
    for read in READERS[kind]:
        try:
            seconds, memory = cost(read, body)
        except ValueError:  # the agent takes no spec that has not the form of its kind
            continue
        assert seconds < MOST_SECONDS, read
        assert memory < MOST_MEMORY, read


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model.__name__)
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_object_that_the_schema_lets_in_is_read_quickly(kind: Any, seed: int) -> None:
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    random = Random(seed)  # noqa: S311 - hypothesis draws the seed
    body = {**Writer(random).made(schema), "metadata": METADATA}
    check(kind.model.__name__, body)


WIDE = "10.0.0.0-10.255.255.255"
BLOCK = "10.1.0.0-10.1.63.255"
"""As many as one node may be granted."""


@pytest.mark.parametrize(
    "listening",
    [
        [f"TCP/{port} {WIDE}" for port in range(200)],
        [f"TCP/{port} ::-ffff::" for port in range(4096)],
        [f"TCP/25 10.{n >> 8}.{n & 255}.0-10.255.255.255" for n in range(4096)],
    ],
)
def test_a_range_that_a_node_writes_is_never_spelled_out(listening: list[str]) -> None:
    check("NodePlumbing", {"metadata": METADATA, "status": {"listening": listening}})


@pytest.mark.parametrize(
    "granted",
    [
        [BLOCK],
        [WIDE] * 16384,
        ["10.1.1.1" + ",1" * 500] * 1000,
        ["xx"] * 16384,
        ["10.1.1.1" + ",1" * 500 + ",x"] * 1000,
    ],
)
def test_all_entries_of_a_spec_together_have_one_bound(granted: list[str]) -> None:
    entry = {"name": "eth1", "mask": 32, "granted": granted, "contested": granted}
    several = max(1, MOST_BYTES // (2 * len('","'.join(granted)) + 100))
    spec = {"interfaces": [{**entry, "name": f"eth{n}"} for n in range(min(several, 256))]}
    body = {"metadata": METADATA, "spec": spec}
    check("NodePlumbing", body)
    assert sum(map(len, parsing.plumbing(body).grants.values())) <= MOST_GRANTED
    assert len(parse_node_spec(body).wanted) <= MOST_GRANTED


@pytest.mark.parametrize("listed", [[BLOCK], [WIDE] * 16384, ["10.1.1.1" + ",1" * 500] * 2000])
def test_what_is_unconfirmed_counts_toward_it(listed: list[str]) -> None:
    entry = {"name": "eth1", "mask": 32, "granted": [BLOCK], "contested": []}
    unconfirmed = {"generation": METADATA["generation"], "addresses": listed}
    spec = {"interfaces": [entry], "unconfirmed": unconfirmed}
    check("NodePlumbing", {"metadata": METADATA, "spec": spec})
    check("NodePlumbing", {"metadata": METADATA, "spec": {**spec, "interfaces": []}})


def test_both_programs_read_the_same_of_a_spec_that_grants_too_much() -> None:
    entries = [["10.1.1.1"], [BLOCK], ["10.1.1.2", WIDE, "10.1.1.3"]]
    interfaces = [{"name": "eth1", "mask": 32, "granted": e} for e in entries]
    body = {"metadata": METADATA, "spec": {"interfaces": interfaces}}
    found = parsing.plumbing(body).granted
    assert found == {"10.1.1.1", "10.1.1.2", "10.1.1.3"}
    assert found == set(parse_node_spec(body).wanted)


def test_what_a_node_writes_of_itself_is_read_up_to_a_limit_but_never_without_its_exclusion() -> (
    None
):
    labels = {f"{'k' * 300}{n}": "v" * 63 for n in range(3000)}
    labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
    addresses = [{"address": f"10.1.{n >> 8}.{n & 255}"} for n in range(37000)]
    body = {"metadata": {"name": "n", "labels": labels}, "status": {"addresses": addresses}}
    seconds, memory = cost(parsing.node, body)
    assert (seconds < MOST_SECONDS, memory < MOST_MEMORY) == (True, True)
    assert parsing.node(body).excluded

"""How long Services wait for their addresses: `python -m bench.services [SERVICES]`.

A lab with two operators and three agents, an AddressPool, and so many Services of type
LoadBalancer that are created at once, 2000 if nothing is said. Times are those since the first of
them was created; what the API server needs to create them is part of all the others. It ends with
1 if what is promised for 2000 is missed.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

from kubernetes import client

from bench.usage import usage
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until

NAMESPACE: Final = "default"
CREATORS: Final = 8
PATIENCE: Final = 300
PROMISED_S: Final = 30.0
PROMISED_MIB: Final = 400.0
GROUP: Final = "duravip.io/v1alpha1"
OBJECTS: Final = (
    {
        "apiVersion": GROUP,
        "kind": "Topology",
        "metadata": {"name": "lan"},
        "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"},
    },
    {
        "apiVersion": GROUP,
        "kind": "AddressPool",
        "metadata": {"name": "many"},
        "spec": {"ranges": ["10.1.64.0/18"]},
    },
)


def service(number: int) -> dict[str, Any]:
    """One of them."""
    spec = {
        "type": "LoadBalancer",
        "loadBalancerClass": "duravip.io/vip",
        "allocateLoadBalancerNodePorts": False,
        "ports": [{"name": "http", "port": 80}],
    }
    return {"metadata": {"name": f"s{number}", "namespace": NAMESPACE}, "spec": spec}


class Crowd:
    """So many Services, from their creation to their end."""

    def __init__(self, lab: Lab, fleet: Fleet, count: int) -> None:
        self._count, self._fleet = count, fleet
        self._client = lab.api()
        self._core: Any = client.CoreV1Api(self._client)  # the stubs know too little

    def create(self) -> None:
        """All of them, as fast as the API server takes them."""
        with ThreadPoolExecutor(CREATORS) as pool:
            for _ in pool.map(self._create, range(self._count)):
                pass

    def delete(self) -> None:
        """Likewise."""
        with ThreadPoolExecutor(CREATORS) as pool:
            for _ in pool.map(self._delete, range(self._count)):
                pass

    def addresses(self) -> list[str]:
        """What their statuses name."""
        listed = self._core.list_namespaced_service(NAMESPACE, _preload_content=False)
        items = json.loads(listed.data)["items"]
        statuses = [body["status"].get("loadBalancer", {}) for body in items]
        return [item["ip"] for status in statuses for item in status.get("ingress", ())]

    def have_addresses(self) -> bool:
        """Whether all of them have one."""
        return len(self.addresses()) == self._count

    def are_served(self) -> bool:
        """Whether every address has its owner."""
        return sum(map(bool, self._fleet.owners().values())) == self._count

    def are_gone(self) -> bool:
        """Whether nothing is left of them."""
        return not self._fleet.owners()

    def _create(self, number: int) -> None:
        self._core.create_namespaced_service(NAMESPACE, service(number), _preload_content=False)

    def _delete(self, number: int) -> None:
        self._core.delete_namespaced_service(f"s{number}", NAMESPACE, _preload_content=False)


@contextmanager
def most_memory(pid: int) -> Iterator[Callable[[], float]]:
    """The most that a program and its children have taken since, in MiB."""
    ended, seen = threading.Event(), [usage(pid).rss_mib]

    def look() -> None:
        while not ended.wait(0.5):
            seen.append(usage(pid).rss_mib)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: max(seen)
    finally:
        ended.set()
        thread.join()


def measured(count: int) -> bool:
    """Print what is measured; whether all of it is as promised."""
    with Lab("api") as lab:
        fleet = Fleet(lab)
        fleet.start()
        wait_until(lambda: fleet.leader() != "", "somebody leads", PATIENCE)
        items = {"apiVersion": "v1", "kind": "List", "items": OBJECTS}
        lab.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(items))
        crowd = Crowd(lab, fleet, count)
        with most_memory(fleet.operators[fleet.leader()].pid) as memory:
            began = time.monotonic()
            crowd.create()
            print(f"{count} Services are created after {time.monotonic() - began:.1f} s")
            wait_until(crowd.have_addresses, "all have an address", PATIENCE)
            given = time.monotonic() - began
            addresses = crowd.addresses()
            twice = count - len(set(addresses))
            print(f"all have an address after {given:.1f} s, and {twice} one that another has too")
            wait_until(crowd.are_served, "all are served", PATIENCE)
            print(f"all are served after {time.monotonic() - began:.1f} s")
            deleted = time.monotonic()
            crowd.delete()
            wait_until(crowd.are_gone, "nothing is left", PATIENCE)
            print(f"nothing is left {time.monotonic() - deleted:.1f} s after a delete of all")
            print(f"the leader takes {memory():.0f} MiB at most")
            taken = memory()
    return given <= PROMISED_S and taken <= PROMISED_MIB and not twice


def main(count: str = "2000") -> int:
    """The exit code."""
    return 0 if measured(int(count)) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""What `make demo` shows, on whatever cluster: the manual's example, and a node that dies."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from lab.charts import NAMESPACE
from lab.errors import LabError
from lab.observer.results import Sight
from lab.requests import Request, failures, longest_gap

BOUND: Final = 2.0
"""Seconds that a client may go without the address of a node that has died."""
BOUND_WITH_LEADER: Final = 5.0
"""The same when the operator's leader died with it."""
BEFORE: Final = 1.0
AFTER: Final = 0.5
"""How long is observed before and after what is to be seen."""
ASKED_ON: Final = 3.0
"""Seconds that requests go on after a fail-over: whatever is to fail fails by then."""
REQUESTS_EVERY: Final = 1 / 50
SERVICE: Final = "front"
LOOK_EVERY: Final = 0.3

Say = Callable[[str], None]


class Observed(Protocol):
    """What the client has seen, once the observation is over."""

    sight: Sight


class Asked(Protocol):
    """What the client has asked, once that is over."""

    made: tuple[Request, ...]


class Stage(Protocol):
    """A cluster with the example's nodes, and a client on their segment."""

    addresses: tuple[str, str]
    """Those of the example; the first one has a preference."""

    def start(self) -> None:
        """Start it; nothing is left of it when that fails."""

    def install(self) -> None:
        """Install the chart, and return when both programs are ready."""

    def example(self) -> str:
        """docs/examples/seed.yaml, as it has to read here."""

    def workloads(self) -> dict[str, str]:
        """Those of docs/examples/workloads that can run here, by name, as they have to read."""

    def fetch(self, url: str) -> str:
        """What a server says to the client; empty: nothing."""

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl."""

    def observe(self, addresses: Sequence[str]) -> AbstractContextManager[Observed]:
        """Let the client look at these."""

    def requests(self, url: str, every: float) -> AbstractContextManager[Asked]:
        """Let the client make HTTP requests at this pace, in seconds; each may take a second."""

    def crash(self, node: str) -> float:
        """Cut a node's power; the time.monotonic() of it."""

    def revive(self, node: str) -> None:
        """Switch it on again."""

    def hints(self) -> str:
        """What a person may try next."""

    def leave(self) -> None:
        """Let it run when we end."""

    def stop(self) -> None:
        """End it."""


def tell(stage: Stage, say: Say) -> None:
    """Show all of it; LabError when something was not as promised."""
    say("installing the chart")
    stage.install()
    say("applying docs/examples/seed.yaml: two listeners and two bindings on two addresses")
    stage.kubectl("apply", "-f", "-", text=stage.example())
    _wait(lambda: _are_owned(stage), "every address of the example has its owner", 60)
    print(stage.kubectl("get", "vips", "-o", "wide"))
    with stage.observe(stage.addresses) as seen:
        time.sleep(BEFORE)
    for address, node in seen.sight.owners().items():
        say(f"the client reaches {address}: {node} answers for it")
    _show_workloads(stage, say)
    owner = _owner(stage)
    _crash(stage, owner, say)
    _check_workloads(stage, say)
    _return(stage, owner, say)
    _crash_of_a_service(stage, say)
    print(stage.kubectl("get", "vips", "-o", "wide"))
    print(stage.hints())


def _show_workloads(stage: Stage, say: Say) -> None:
    for name, text in stage.workloads().items():
        say(f"applying docs/examples/workloads/{name}.yaml")
        stage.kubectl("apply", "-f", "-", text=text)
    _check_workloads(stage, say)


def _check_workloads(stage: Stage, say: Say) -> None:
    for what, url in _urls(stage).items():
        say(f"{what} answers at {url}: {_answer(stage, url)}")


def _answer(stage: Stage, url: str) -> str:
    answers: list[str] = []

    def is_answered() -> bool:
        answers.append(stage.fetch(url))
        return answers[-1] != ""

    _wait(is_answered, f"something answers at {url}", 90)
    return answers[-1]


def _urls(stage: Stage) -> dict[str, str]:
    prefix = stage.addresses[0].rpartition(".")[0]
    return {
        "a DaemonSet on the nodes' network": f"http://{prefix}.20:8080/",
        "a Service, by its externalIPs,": f"http://{prefix}.21/",
        "the same, by pods of that node only,": f"http://{prefix}.22/",
        "a Service of type LoadBalancer": _service_url(stage),
    }


def _service_url(stage: Stage) -> str:
    """Where the Service answers; it gets its address as soon as the operator has seen it."""
    path = "-o=jsonpath={.status.loadBalancer.ingress[0].ip}"
    address: list[str] = []

    def is_given() -> bool:
        address.append(stage.kubectl("get", "service", SERVICE, path))
        return address[-1] != ""

    _wait(is_given, "the Service has an address", 60)
    return f"http://{address[-1]}/"


def _crash(stage: Stage, owner: str, say: Say) -> None:
    led = _leader_node(stage) == owner
    also = ", which also runs the operator's leader" if led else ""
    say(f"cutting the power of {owner}, the owner of {stage.addresses[0]}{also}")
    with stage.observe(stage.addresses) as seen:
        time.sleep(BEFORE)
        crashed = stage.crash(owner)
        _wait(lambda: _owner(stage) not in {"", owner}, "another node has the address", 30)
        time.sleep(AFTER)
    sight = seen.sight
    gap, bound = sight.worst_gap(crashed), BOUND_WITH_LEADER if led else BOUND
    node = sight.owners()[stage.addresses[0]]
    say(f"the client went without it for {gap:.2f} s (at most {bound:g} s); now {node} answers")
    _check_single(sight)
    if gap > bound:
        raise LabError(f"the gap was {gap:.2f} s, more than {bound:g} s")


def _return(stage: Stage, owner: str, say: Say) -> None:
    say(f"switching {owner} on again; the address prefers it, and goes back when it has settled")
    with stage.observe(stage.addresses) as seen:
        stage.revive(owner)
        _wait(lambda: _owner(stage) == owner, f"{owner} has its address back", 120)
        time.sleep(AFTER)
    gap = seen.sight.worst_gap()
    say(f"{owner} has {stage.addresses[0]} again; the client noticed a gap of {gap * 1000:.0f} ms")
    _check_single(seen.sight)


def _crash_of_a_service(stage: Stage, say: Say) -> None:
    """What a client sees of a Service whose owner dies, with pods on that node and another."""
    nodes = _participants(stage)
    rollout = ("rollout", "status", f"deployment/{SERVICE}", "--timeout=120s")
    stage.kubectl(*rollout)
    url, owner = _service_url(stage), _service_owner(stage)
    led = _leader_node(stage) == owner
    also = ", which also runs the operator's leader" if led else ""
    say(f"asking {url} 50 times a second, and cutting the power of {owner}, its owner{also}")
    with stage.requests(url, REQUESTS_EVERY) as asked:
        time.sleep(BEFORE)
        crashed = stage.crash(owner)
        _wait(lambda: _service_owner(stage) not in {"", owner}, "another node has it", 30)
        time.sleep(ASKED_ON)
    gap, bound = longest_gap(asked.made), BOUND_WITH_LEADER if led else BOUND
    failed = failures(asked.made)
    last = max((request.began for request in failed), default=crashed) - crashed
    say(
        f"the client went {gap:.2f} s without an answer (at most {bound:g} s): {len(failed)} of "
        f"{len(asked.made)} requests failed, the last one begun {last:.2f} s after the crash"
    )
    if gap > bound:
        raise LabError(f"the gap was {gap:.2f} s, more than {bound:g} s")
    say(f"switching {owner} on again")
    stage.revive(owner)
    _wait(lambda: _participants(stage) == nodes, "every node takes part again", 120)


def _check_single(sight: Sight) -> None:
    if sight.double_owners:
        first = sight.doubles[0]
        who = " and ".join(sorted(first.machines))
        raise LabError(
            f"two nodes answered for one address, {sight.double_owners} times: {who} for "
            f"{first.address}"
        )


def _entities(stage: Stage) -> list[dict[str, Any]]:
    """The example's DuraVIPs and Bindings."""
    found = json.loads(stage.kubectl("get", "vips", "-o", "json"))["items"]
    return [item for item in found if item["spec"].get("address") in stage.addresses]


def _are_owned(stage: Stage) -> bool:
    """Whether all are served, and by the node that they prefer."""
    items = _entities(stage)
    statuses = [item.get("status", {}) for item in items]
    owners = [status.get("owner") for status in statuses if status.get("state") == "Owned"]
    wanted = [item["spec"].get("preference", "") for item in items]
    return len(owners) == 4 and all(
        owner == wish for owner, wish in zip(owners, wanted, strict=True) if wish
    )


def _owner(stage: Stage) -> str:
    """Who serves the address with a preference; empty while its objects do not agree."""
    statuses = [
        item.get("status", {})
        for item in _entities(stage)
        if item["spec"]["address"] == stage.addresses[0]
    ]
    owners = {status.get("owner", "") for status in statuses if status.get("state") == "Owned"}
    return owners.pop() if len(owners) == 1 else ""


def _service_owner(stage: Stage) -> str:
    """Who serves the Service's address; empty: nobody."""
    path = "-o=jsonpath={.status.owner}"
    return stage.kubectl("get", "duravip", f"svc-{SERVICE}", path)


def _participants(stage: Stage) -> int:
    """How many nodes may hold the example's addresses."""
    counts = [item.get("status", {}).get("participants", 0) for item in _entities(stage)]
    return min(counts, default=0)


def _leader_node(stage: Stage) -> str:
    in_namespace = f"--namespace={NAMESPACE}"
    lease = ("get", "lease", "duravip-operator", in_namespace)
    pod = stage.kubectl(*lease, "-o=jsonpath={.spec.holderIdentity}")
    return stage.kubectl("get", "pod", pod, in_namespace, "-o=jsonpath={.spec.nodeName}")


def _wait(condition: Callable[[], bool], what: str, timeout: float) -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:g} s")
        time.sleep(LOOK_EVERY)

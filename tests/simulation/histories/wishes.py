"""What people can ask for in the long histories, and who should have what at rest."""

from datetime import UTC, datetime
from typing import NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.annotations import MOVE_TO, RELEASE_FROM, format_time
from simulation.histories.apiserver import EPOCH, ApiServer, Key
from simulation.histories.cluster import ENTITIES, OBJECTS, Cluster
from simulation.histories.network import NODES


def vip(name: str) -> Key:
    """The DuraVIP or Binding of this name."""
    return next(key for key in OBJECTS if key.name == name)


def prefer(cluster: Cluster, name: str, node: str) -> None:
    """An entity prefers a node, or none."""
    _edit(cluster.api, name, preference=node)


def follow(cluster: Cluster, target: str) -> None:
    """DuraVIP c follows something else, or stands by itself."""
    _edit(cluster.api, "c", follow=target, enableDuravip=not target)


def readdress(cluster: Cluster, name: str, address: str) -> None:
    """An entity gets another address."""
    _edit(cluster.api, name, address=address)


def delete(cluster: Cluster, name: str) -> None:
    """An entity is deleted."""
    cluster.api.delete(vip(name))


def create(cluster: Cluster, name: str) -> None:
    """And made again, as it was at first."""
    if cluster.api.read(vip(name)) is None:
        cluster.api.create(vip(name), dict(OBJECTS[vip(name)]))


def fence(cluster: Cluster, name: str, mode: str) -> None:
    """The fencing of a Topology changes."""
    _edit(cluster.api, name, fencing=mode)


def exclude(cluster: Cluster, node: str) -> None:
    """An administrator takes a node out."""
    _label(cluster.api, node, {EXCLUDE_LABEL: "true"})


def include(cluster: Cluster, node: str) -> None:
    """And puts it back."""
    _label(cluster.api, node, {})


def forget_node(cluster: Cluster, node: str) -> None:
    """The Node object is deleted, though the machine and its agent run."""
    cluster.api.delete(Key("Node", node))


def know_node(cluster: Cluster, node: str) -> None:
    """It is back."""
    if cluster.api.read(Key("Node", node)) is None:
        cluster.api.create(Key("Node", node), {}, labels={})


def ask(cluster: Cluster, name: str, node: str, annotation: str) -> None:
    """Somebody asks for a move to, or away from, a node."""
    key = vip(name)
    if cluster.api.read(key):
        now = datetime.fromtimestamp(EPOCH + cluster.clock.now, UTC)
        cluster.api.change_metadata(key, annotations={annotation: f"{node}@{format_time(now)}"})


def move(cluster: Cluster, name: str, node: str) -> None:
    """To it."""
    ask(cluster, name, node, MOVE_TO)


def give_away(cluster: Cluster, name: str, node: str) -> None:
    """Away from it."""
    ask(cluster, name, node, RELEASE_FROM)


class Expected(NamedTuple):
    """Who should have an address at rest."""

    nodes: frozenset[str]
    """One of these, and no other one; empty: nobody may."""
    is_sure: bool = True
    """Whether it must be one of them: not where all may have been given up."""


def expected(cluster: Cluster) -> dict[str, Expected]:
    """`{address: Expected}` of every address that somebody names."""
    api = cluster.api
    able = frozenset(
        node
        for node in NODES
        if (body := api.read(Key("Node", node)))
        and EXCLUDE_LABEL not in body["metadata"]["labels"]
    )
    specs = [body["spec"] for key in ENTITIES if (body := api.read(key))]
    led = leader_of(api)
    found: dict[str, Expected] = {}
    for spec in specs:
        address = spec["address"]
        if not spec.get("follow"):
            party = {address, *(follower for follower, its in led.items() if its == address)}
            machines = cluster.network.machines
            well = frozenset(n for n in able if machines[n].has_refused.isdisjoint(party))
            preferred = well & {spec.get("preference")}
            found[address] = Expected(preferred or able, bool(well))
    for follower, leader in led.items():
        found[follower] = found.get(leader, Expected(frozenset()))
    return found


def leader_of(api: ApiServer) -> dict[str, str]:
    """`{address of c: the address that it follows}`."""
    body = api.read(vip("c"))
    target = body["spec"].get("follow") if body else None
    if not body or not target:
        return {}
    followed = api.read(vip(target)) if target == "b" else None
    return {body["spec"]["address"]: followed["spec"]["address"] if followed else target}


def _edit(api: ApiServer, name: str, **fields: object) -> None:
    key = vip(name)
    body = api.read(key)
    if body:
        spec = {k: v for k, v in {**body["spec"], **fields}.items() if v != ""}
        api.replace_spec(key, spec)


def _label(api: ApiServer, node: str, labels: dict[str, str]) -> None:
    if api.read(Key("Node", node)):
        api.change_metadata(Key("Node", node), labels=labels)

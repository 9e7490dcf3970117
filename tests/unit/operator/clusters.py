"""Small clusters for tests of the core: some nodes on one segment, and DuraVIPs."""

from dataclasses import replace

from duravip_api.addresses import from_int
from duravip_api.nodeplumbing import Nic
from duravip_operator.core import decision, parsing
from duravip_operator.core.snapshot import Liveness, Node, Plumbing, Snapshot, VipObject

LAN = parsing.topology(
    {"metadata": {"name": "lan"}, "spec": {"cidr": "10.1.0.0/16", "interface": "eth1"}}
)
NICS = {"eth1": Nic(name="eth1", index=2, up=True, carrier=True, addresses=["10.1.0.1/16"])}
NAMES = ("n1", "n2", "n3", "n4")


def cluster(vips: tuple[VipObject, ...], names: tuple[str, ...] = NAMES) -> Snapshot:
    return Snapshot(
        vips=vips,
        topologies=(LAN,),
        nodes={name: Node(name) for name in names},
        plumbings={n: Plumbing(n, generation=1, observed_generation=1, nics=NICS) for n in names},
        liveness=dict.fromkeys(names, Liveness.ALIVE),
        witnessed=dict.fromkeys(names, frozenset({"eth1"})),
    )


def granted(snapshot: Snapshot) -> Snapshot:
    """The cluster once everybody has done what one pass decided."""
    plans = decision.decide(snapshot, {}).plans
    plumbings = {
        name: replace(
            plumbing,
            grants=plans[name].grants,
            served=frozenset().union(*plans[name].grants.values()),
        )
        for name, plumbing in snapshot.plumbings.items()
    }
    return replace(snapshot, plumbings=plumbings)


def vip(number: int, preference: str = "") -> VipObject:
    address = from_int(4, (10 << 24) + (1 << 16) + 256 + number)
    return VipObject(
        "DuraVIP",
        "default",
        f"v{number}",
        f"u{number}",
        "",
        address=address,
        preference=preference,
    )

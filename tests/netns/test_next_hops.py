"""The next hops of a real kernel's routes, in every form in which it has them."""

from duravip_agent.kernel.netlink import read_next_hops
from netns.segment import Segment

ROUTES = (
    "addr add fd00:1::5/64 dev eth1 nodad",
    "route add default nexthop via 10.1.0.21 nexthop via 10.1.0.22",
    "-6 route add default nexthop via fd00:1::21 nexthop via fd00:1::22",
    "route add 10.5.0.0/16 via 10.1.0.31 table 100",
    "route add 10.6.0.0/16 via inet6 fd00:1::31 dev eth1",
    "nexthop add id 7 via 10.1.0.41 dev eth1",
    "nexthop add id 8 via 10.1.0.42 dev eth1",
    "nexthop add id 9 via fd00:1::41 dev eth1",
    "nexthop add id 20 group 7/8",
    "route add 10.7.0.0/16 nhid 20",
    "-6 route add fd00:7::/64 nhid 9",
    "route add blackhole 10.8.0.0/16",
    "route add 10.9.0.0/16 dev eth1",
)
ALL = (
    *("10.1.0.21", "10.1.0.22", "fd00:1::21", "fd00:1::22"),
    *("10.1.0.31", "10.1.0.41", "10.1.0.42", "fd00:1::31", "fd00:1::41"),
)


def test_every_next_hop_of_a_real_kernel_is_named() -> None:
    with Segment("a") as segment, segment.inside("a"):
        assert read_next_hops() == ()
        for line in ROUTES:
            segment.run("a", "ip", *line.split())
        assert read_next_hops() == ALL
        segment.run("a", "sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0")
        assert read_next_hops() == ALL


def test_a_router_with_many_routes_names_those_that_lead_to_most_of_the_world() -> None:
    lines = (
        f"route add 11.{n // 256}.{n % 256}.0/24 via 10.1.0.{n % 99 + 100}" for n in range(9999)
    )
    with Segment("a") as segment, segment.inside("a"):
        segment.ip(
            "a", *lines, "route add default via 10.1.0.21", "route add 128.0.0.0/1 via 10.1.0.22"
        )
        found = read_next_hops()
        assert found[0] == "10.1.0.21"
        assert len(found) == len(set(found)) > 1

"""Which address of the node a check is made of."""

from duravip_agent.core.check_targets import own_targets, probes
from duravip_agent.core.kernel_state import IfAddress, KernelState, Link
from duravip_agent.core.node_spec import parse_node_spec

LINKS = (Link(2, "eth1"), Link(3, "eth2"))


def observed(*addresses: tuple[int, str, bool]) -> KernelState:
    return KernelState(LINKS, tuple(IfAddress(n, a, 32, ours) for n, a, ours in addresses))


def test_the_first_own_address_on_the_interface_is_probed_and_never_a_virtual_one() -> None:
    seen = observed(
        (2, "10.1.1.1", True), (2, "10.1.0.11", False), (2, "10.1.0.12", False),
        (3, "169.254.1.1", False), (9, "10.9.9.9", False),
    )  # fmt: skip
    assert own_targets(seen) == {("eth1", 4): "10.1.0.11"}


def test_a_link_local_address_is_probed_where_there_is_no_other() -> None:
    seen = observed(
        (2, "fe80::1", False), (2, "fd00::1", False), (3, "fe80::2", False), (3, "fe80::3", False)
    )  # fmt: skip
    assert own_targets(seen) == {("eth1", 6): "fd00::1", ("eth2", 6): "fe80::2%eth2"}


def test_a_check_without_an_address_is_not_made() -> None:
    lines = [
        "tcp/eth1/ipv4/25/1s/500ms/3/2",
        "tcp/eth1/ipv6/25/1s/1s/3/2",
        "http/eth1/ipv4/80/1s/1s/3/2/200-299,404/-/x",
        "http/none",
    ]
    spec = parse_node_spec({"metadata": {}, "spec": {"checks": lines}})
    assert list(spec.checks) == lines[:3]
    assert "not understood" in spec.failures["http/none"]
    tcp, http = probes(spec.checks, observed((2, "10.1.0.11", False)))
    assert (tcp.line, tcp.target, tcp.port, tcp.interval, tcp.timeout) == (
        lines[0], "10.1.0.11", 25, 1.0, 0.5,
    )  # fmt: skip
    assert (http.scheme, http.path, http.statuses) == ("http", "/x", ((200, 299), (404, 404)))
    assert probes({}, observed((2, "10.1.0.11", False))) == ()

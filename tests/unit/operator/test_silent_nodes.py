"""When a silent node can no longer answer for a Topology's addresses."""

from dataclasses import replace

from duravip_api.nodeplumbing import Nic
from duravip_operator.core import parsing
from duravip_operator.core.silent_nodes import is_gone_from
from duravip_operator.core.snapshot import Plumbing, Snapshot, Suspicion, Topology


def topology(*names: str) -> Topology:
    spec = {"cidr": "10.1.1.0/24", "interfaces": list(names)}
    return parsing.topology({"metadata": {"name": "lan"}, "spec": spec})


TWO = topology("eth1", "ens192")


def silent(silence: Suspicion | None, *, linked: bool = True) -> Snapshot:
    """A node with both interfaces, the first one with a carrier or without."""
    carriers = {"eth1": linked, "ens192": True}
    nics = {n: Nic(name=n, index=2, up=True, carrier=c) for n, c in carriers.items()}
    suspicions = {"n1": silence} if silence else {}
    return Snapshot(plumbings={"n1": Plumbing("n1", nics=nics)}, suspicions=suspicions)


def test_a_node_is_gone_when_nothing_answers_on_the_interface_that_it_uses() -> None:
    silence = Suspicion(unreachable_on=frozenset({"eth1"}))
    assert is_gone_from(silent(silence), "n1", TWO)
    assert not is_gone_from(silent(silence, linked=False), "n1", TWO)
    assert not is_gone_from(silent(None), "n1", TWO)
    assert not is_gone_from(silent(silence), "n2", TWO)


def test_a_silent_node_whose_nodeplumbing_is_gone_is_asked_for_where_it_could_be() -> None:
    nowhere = replace(silent(Suspicion()), plumbings={})
    assert not is_gone_from(nowhere, "n1", TWO)


def test_a_node_that_answers_on_another_interface_of_the_topology_is_not_gone() -> None:
    silence = Suspicion(frozenset({"eth1"}), reachable_on=frozenset({"ens192"}))
    assert not is_gone_from(silent(silence), "n1", TWO)
    assert is_gone_from(silent(silence), "n1", topology("eth1"))

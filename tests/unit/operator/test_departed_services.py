"""Services that are LoadBalancers no more: the condition goes, until the API server says so."""

from duravip_operator.core.service_objects import ServiceObject
from duravip_operator.kube.departed_services import WITHOUT_CONDITION, DepartedServices
from duravip_operator.kube.service_writes import ObjectWrite
from unit.operator.service_world import asking, parsed, settled, vip

READY = {"type": "duravip.io/Ready", "status": "True", "reason": "Served", "message": ""}


def web(*, is_told: bool = True) -> dict[str, ServiceObject]:
    status = {"conditions": [READY] if is_told else []}
    return parsed(asking("10.1.1.5", namespace="shop", uid="s1", status=status))


def test_a_service_that_has_our_condition_and_leaves_loses_it_once() -> None:
    departed = DepartedServices()
    assert not departed
    departed.look(web(), [])
    assert departed
    assert not departed.writes()
    departed.look({}, [])
    assert departed
    assert departed.writes() == {"shop/web": ObjectWrite("status", WITHOUT_CONDITION, "s1")}
    departed.look({}, [])
    assert departed.writes(), "there was no answer yet"
    departed.answered("shop/web")
    departed.look({}, [])
    assert not departed.writes()
    assert not departed


def test_nothing_is_written_to_one_that_was_told_nothing() -> None:
    departed = DepartedServices()
    departed.look(web(is_told=False), [])
    departed.look({}, [])
    assert not departed.writes()


def test_one_that_is_back_keeps_its_condition() -> None:
    departed = DepartedServices()
    departed.look(web(), [])
    departed.look({}, [])
    departed.look(web(), [])
    assert not departed.writes()


def test_what_another_replica_has_generated_tells_of_a_service_that_left() -> None:
    departed = DepartedServices()
    generated = settled([asking("10.1.1.5", namespace="shop", uid="s1")])
    departed.look({}, [*generated, vip("mine", "10.1.1.9")])
    assert {key: write.uid for key, write in departed.writes().items()} == {"shop/web": "s1"}

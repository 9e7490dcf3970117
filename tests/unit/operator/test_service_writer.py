"""How a generated DuraVIP is put right; what is asked for and answered, tests/api tells."""

from duravip_operator.kube.service_writer import replacement
from duravip_operator.kube.service_writes import ObjectWrite

META = {
    "namespace": "shop",
    "name": "svc-web",
    "labels": {"duravip.io/service": "web"},
    "ownerReferences": [{"kind": "Service", "name": "web", "uid": "s1"}],
}


def test_what_others_have_written_beside_stays() -> None:
    found = {
        "metadata": {
            "resourceVersion": "7",
            "labels": {"team": "a"},
            "annotations": {"duravip.io/move-to": "n2@x", "duravip.io/pool": "old"},
        }
    }
    spec = {"address": "10.1.1.5"}
    wanted = {"metadata": {**META, "annotations": {}}, "spec": spec}
    patch = replacement(found, ObjectWrite("replace", wanted, "u1"))
    values = {step["path"]: step["value"] for step in patch}
    assert values["/metadata/labels"] == {"team": "a", "duravip.io/service": "web"}
    assert values["/metadata/annotations"] == {"duravip.io/move-to": "n2@x"}
    assert values["/spec"] == spec
    tested = {step["path"]: step["value"] for step in patch if step["op"] == "test"}
    assert tested == {"/metadata/uid": "u1", "/metadata/resourceVersion": "7"}


def test_the_pool_that_an_address_came_from_is_written() -> None:
    found = {"metadata": {"resourceVersion": "7"}}
    wanted = {"metadata": {**META, "annotations": {"duravip.io/pool": "lan"}}, "spec": {}}
    patch = replacement(found, ObjectWrite("replace", wanted, "u1"))
    assert {"duravip.io/pool": "lan"} in [step["value"] for step in patch]

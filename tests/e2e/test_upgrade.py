"""Helm from an earlier version to this one, as docs/install.md tells it, and back.

The earlier version is taken out of the repository's history. A clone without that has nothing to
upgrade from: then these tests are skipped, and say so.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from e2e.example import OBJECTS, Example
from lab import charts
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import wait_until
from lab.kubelet import load_former_images, references
from lab.upgrade import source_of

FORMER: Final = "2cbfa2f7b05682cd62590bddc9cc97927bbd0fe6"
CHART: Final = "helm/duravip"
HERE: Final = (charts.RELEASE, f"--namespace={charts.NAMESPACE}", "--wait")
ADDRESSES: Final = ("10.1.1.1", "10.1.1.2", "10.1.1.11", "10.1.1.12")
PLANNED: Final = 3.0
"""Seconds that an address may be away each time it moves; with room for a busy machine."""
MATURE: Final = 5.0
"""The earlier version's `operator.mature`: its operators grant nothing that long at first,
and a rollback asks the first agent to end meanwhile."""


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the earlier version."""
    try:
        return source_of(FORMER, tmp_path_factory.mktemp("former") / "tree")
    except LabError as error:
        pytest.skip(f"NO UPGRADE WAS TRIED: {error}. `git fetch --unshallow` gets it")


@pytest.fixture
def lab(former: Path) -> Iterator[Lab]:
    """A cluster with the earlier version as its chart installs it, which serves its examples."""
    with Lab("full") as lab:
        images = charts.images_named(load_former_images(lab.layout, lab.nodes, former))
        charts.helm(lab, "install", *HERE, "--create-namespace", str(former / CHART), *images)
        Example(lab).settle()
        groups = yaml.safe_load_all((former / "docs/examples/groups.yaml").read_text())
        bindings = [item for item in groups if item["kind"] == "Binding"]
        lab.kubectl("apply", "-f-", input=yaml.safe_dump_all(bindings))
        Example(lab).settle(OBJECTS + len(bindings))
        yield lab


def test_an_upgrade_and_a_rollback_keep_every_address_and_object(lab: Lab) -> None:
    with kept(lab, "upgrade", PLANNED):
        lab.kubectl("apply", "--server-side", "--force-conflicts", "-f", f"{charts.CHART}/crds/")
        images = charts.images_named(references(lab.layout))
        charts.helm(lab, "upgrade", *HERE, str(charts.CHART), "--reset-then-reuse-values", *images)
    # What only the new version knows is still there after the old one, and was not in its way.
    change = {"spec": {"expose": "Declared"}}
    lab.kubectl("patch", "dvip", "smtp-2", "--type=merge", f"--patch={json.dumps(change)}")
    with kept(lab, "rollback", MATURE + PLANNED):
        charts.helm(lab, "rollback", *HERE, "1")


@contextmanager
def kept(lab: Lab, what: str, longest: float) -> Iterator[None]:
    """Meanwhile no address is lost for longer than these seconds, and no field of any object."""
    before = objects(lab)
    served = sum(kind != "Topology" for kind, _ in before)
    with lab.observe(ADDRESSES) as seen:
        yield
        Example(lab).settle(served)
    sight = seen.sight
    print(f"{what}: without an answer for {sight.worst_gap():.2f} s at most")
    assert sight.double_owners == 0
    assert sight.worst_gap() <= longest, (sight.holdings, sight.outages)
    after = objects(lab)
    assert {
        key: {field: after[key].get(field) for field in before[key]} for key in before
    } == before
    wait_until(lambda: owners(lab) == lab.who_answers(ADDRESSES), "statuses name who answers")


def objects(lab: Lab) -> dict[tuple[str, str], dict[str, Any]]:
    """What people wrote, by kind and name; new kinds may add fields with their defaults."""
    listed = json.loads(lab.kubectl("get", "dvip,dvb,dvt", "--all-namespaces", "-o=json"))
    return {
        (item["kind"], item["metadata"]["name"]): item["spec"] | {"uid": item["metadata"]["uid"]}
        for item in listed["items"]
    }


def owners(lab: Lab) -> dict[str, str]:
    """Who serves each address, as the statuses say."""
    items = json.loads(lab.kubectl("get", "vips", "-o=json"))["items"]
    return {item["spec"]["address"]: item["status"]["owner"] for item in items}

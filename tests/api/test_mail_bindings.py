"""The Bindings of a cluster as the mail server of a node knows them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.objects import Body, apply, binding, delete_all, duravip
from duravip_mail.bindings import BindingsFile
from duravip_mail.cluster import ClusterBindings
from duravip_mail.core.world import MailBinding
from lab.cluster import Lab
from lab.fleet import wait_until

LAB = "bare"
X = MailBinding("mail-x", "10.1.1.31", aliases=("mail-old",))
STAMP = "-o=jsonpath={.metadata.creationTimestamp}"
OTHER = "mail-other"

Start = Callable[[], ClusterBindings]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bindings.json"


@pytest.fixture
def start(lab: Lab, file: Path) -> Iterator[Start]:
    """Starts what writes the file; ended at the end, when all Bindings are deleted, too."""
    started: list[ClusterBindings] = []

    def one() -> ClusterBindings:
        started.append(ClusterBindings(file, {"mail-old": "mail-x"}, lab.kubeconfig))
        started[-1].start()
        return started[-1]

    yield one
    for cluster in started:
        cluster.stop()
    delete_all(lab)


def wait_for(file: Path, *wanted: MailBinding) -> None:
    wait_until(lambda: BindingsFile(file).read() == wanted, f"the file has {wanted}", 60)


def test_the_file_follows_what_people_write(lab: Lab, file: Path, start: Start) -> None:
    start()
    wait_for(file)
    apply(lab, [binding("mail-x", X.address), duravip("mail-in", "10.1.1.32", follow="mail-x")])
    heard = replace(X, listeners=("10.1.1.32",))
    wait_for(file, heard)
    apply(lab, [binding("mail-x", "10.1.1.33", group="bulk", suspend=True)])
    wait_for(file, replace(heard, address="10.1.1.33", group="bulk", is_suspended=True))
    lab.kubectl("delete", "vipbinding", "mail-x")
    wait_for(file)


def test_a_younger_binding_of_another_namespace_does_not_take_a_name(
    lab: Lab, file: Path, start: Start
) -> None:
    apply(lab, [binding("mail-x", X.address)])
    lab.kubectl("create", "namespace", OTHER)
    wait_until(lambda: is_younger(lab), "the other one is younger", 60)
    start()
    wait_for(file, X)
    apply(lab, [binding("mail-y", "10.1.1.32")])
    wait_for(file, X, MailBinding("mail-y", "10.1.1.32"))
    lab.kubectl("delete", "vipbinding", "mail-x")
    wait_for(file, replace(X, address="10.1.1.39"), MailBinding("mail-y", "10.1.1.32"))


def is_younger(lab: Lab) -> bool:
    """Make the other one; objects that come within one second are of one age."""
    body: Body = binding("mail-x", "10.1.1.39")
    apply(lab, [body | {"metadata": {"name": "mail-x", "namespace": OTHER}}])
    made = [
        lab.kubectl("get", "vipbinding", "mail-x", f"-n={n}", STAMP) for n in ("default", OTHER)
    ]
    if made[0] < made[1]:
        return True
    lab.kubectl("delete", "vipbinding", "mail-x", f"-n={OTHER}")
    return False


def test_without_an_api_server_the_last_names_count(
    lab: Lab, file: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    apply(lab, [binding("mail-x", X.address)])
    first = start()
    wait_for(file, X)
    first.stop()
    lab.control_plane.api_server.kill()
    try:
        caplog.clear()
        start()
        wait_until(lambda: caplog.text.count("cannot watch") == 2, "both kinds are asked for")
        assert BindingsFile(file).read() == (X,)
    finally:
        lab.control_plane.start_api_server()
        lab.control_plane.wait_until_ready()
    apply(lab, [binding("mail-z", "10.1.1.34")])
    wait_for(file, X, MailBinding("mail-z", "10.1.1.34"))

"""Tokens in files end, and others take their place: nobody notices, until there is no new one."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest
import yaml

from lab.cluster import Lab
from lab.fleet import NAMESPACE, Fleet, wait_until
from lab.tokens import REMEMBERED, token

LAB = "tokens"
LASTS: Final = 12.0
RENEWED_EVERY: Final = 4.0
A_MINUTE, SLACK = 60.0, 30.0


class Tokens:
    """A file with a token that is always a new one, until nobody renews it any more."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.fleet = Fleet(lab)
        lab.kubectl("create", "serviceaccount", "both", f"-n{NAMESPACE}")
        role = ("--clusterrole=cluster-admin", f"--serviceaccount={NAMESPACE}:both")
        lab.kubectl("create", "clusterrolebinding", "both", *role)
        found = json.loads(
            lab.kubectl("get", "serviceaccount", "both", f"-n{NAMESPACE}", "-ojson")
        )
        self._account = (NAMESPACE, "both", found["metadata"]["uid"])
        self._key = next(lab.layout.home.rglob("sa.key"))
        self._file = folder / "token"
        self.kubeconfig = folder / "kubeconfig"
        content = yaml.safe_load(lab.inside_kubeconfig.read_text())
        content["users"][0]["user"] = {"tokenFile": str(self._file)}
        self.kubeconfig.write_text(yaml.safe_dump(content))
        self.stopping = Event()
        self._renew()
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self.stopping.wait(RENEWED_EVERY):
            self._renew()

    def _renew(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(token(self._key, self._account, LASTS))
        new.replace(self._file)


@pytest.fixture
def tokens(lab: Lab, tmp_path: Path) -> Iterator[Tokens]:
    made = Tokens(lab, tmp_path)
    option = f"--kubeconfig={made.kubeconfig}"
    made.fleet.start_operator("n1", option)
    made.fleet.start_agent("n1", option)
    yield made
    made.stopping.set()


def test_a_token_that_is_renewed_is_read_again_and_one_that_is_not_ends_both(
    lab: Lab, tokens: Tokens
) -> None:
    fleet = tokens.fleet
    wait_until(lambda: fleet.leader() == "n1", "it leads", 60)
    epoch = (
        "get",
        "lease",
        "duravip-operator",
        f"-n{NAMESPACE}",
        "-ojsonpath={.spec.leaseTransitions}",
    )
    before = lab.kubectl(*epoch)
    time.sleep(LASTS + REMEMBERED + 5)
    assert fleet.leader() == "n1"
    assert lab.kubectl(*epoch) == before, "it has lost the Lease meanwhile"
    assert fleet.operators["n1"].is_running
    assert fleet.agents["n1"].is_running
    tokens.stopping.set()
    patience = LASTS + REMEMBERED + A_MINUTE + SLACK
    for program in (fleet.operators["n1"], fleet.agents["n1"]):
        assert program.wait(patience) == 2
        said = program.output()
        assert "the API server has not known us for 60 s (401)" in said

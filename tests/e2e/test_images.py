"""What is in the images, asked in the pods that run them."""

import json
from typing import Final

import pytest

from e2e.example import HOME, Example
from lab.charts import ANY_USER, NAMESPACE
from lab.cluster import Lab

MODULES: Final = ("kopf", "pyroute2", "kubernetes", "duravip_api")
ASK: Final = (
    "import json, os, importlib.util as u;"
    f"print(json.dumps([[m for m in {MODULES} if u.find_spec(m)], os.getuid()]))"
)


@pytest.mark.parametrize(
    ("program", "own", "user"), [("operator", "kopf", ANY_USER), ("agent", "pyroute2", 0)]
)
def test_a_pod_has_its_own_dependencies_and_not_the_others(
    lab: Lab, example: Example, program: str, own: str, user: int
) -> None:
    pod = example.agent_pod(HOME) if program == "agent" else example.leader_pod()
    command = ("exec", pod, f"-n{NAMESPACE}", "--", "/usr/bin/python3", "-c", ASK)
    modules, runs_as = json.loads(lab.kubectl(*command))
    assert modules == [own, "kubernetes", "duravip_api"]
    assert runs_as == user

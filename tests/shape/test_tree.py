"""What a stranger can rely on when looking around in the tree."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from duravip_api.manifest import manifests
from duravip_api.reasons import Reason

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout.split()


@pytest.mark.parametrize("folder", ["crds", "helm/duravip/crds"])
@pytest.mark.parametrize("name", manifests())
def test_the_crds_are_what_the_models_say(folder: str, name: str) -> None:
    assert (ROOT / folder / name).read_text() == manifests()[name], "run `make manifests`"


@pytest.mark.parametrize(
    "name", [name for name in TRACKED if name.endswith((".py", ".sh", ".go"))]
)
def test_no_source_file_is_long(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= LONGEST


CORES = [
    name
    for name in TRACKED
    if re.fullmatch(r"(operator|agent|mail|hooks)/duravip_\w+/core/(?!__init__)\w+\.py", name)
]
DECIDES_NOTHING = {"agent/duravip_agent/core/kernel_state.py"}
"""Values alone."""


@pytest.mark.parametrize("name", sorted({*CORES} - DECIDES_NOTHING))
def test_every_rule_has_tests_of_its_own_name(name: str) -> None:
    program, rule = name.partition("/")[0], Path(name).name
    assert f"tests/unit/{program}/test_{rule}" in TRACKED


@pytest.mark.parametrize("program", ["operator", "agent", "cli", "mail", "hooks"])
def test_no_class_name_means_two_things_in_one_program(program: str) -> None:
    classes = Counter(
        node.name
        for name in TRACKED
        if name.startswith((f"{program}/", "crds/")) and name.endswith(".py")
        for node in ast.walk(ast.parse((ROOT / name).read_text()))
        if isinstance(node, ast.ClassDef)
    )
    twice = {name for name, times in classes.items() if times > 1}
    assert twice <= {"Topology", "AddressPool"}, (
        "the kind, and what the operator's core makes of one"
    )


def test_the_standard_library_is_not_hidden() -> None:
    assert not (ROOT / "operator/__init__.py").exists()


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_every_reason_is_said_somewhere_and_has_a_sentence(reason: Reason) -> None:
    assert reason.sentence
    sources = [n for n in TRACKED if n.endswith(".py") and n != "crds/duravip_api/reasons.py"]
    programs = [n for n in sources if not n.startswith("tests/")]
    assert any(f"Reason.{reason.name}" in (ROOT / n).read_text() for n in programs)

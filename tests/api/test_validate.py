"""`validate` and the API server agree about every file: each takes what the other takes."""

import random
import re
from pathlib import Path
from typing import Final

import pytest

from api.manifest_texts import text
from duravip_cli.manifests.documents import parse_manifests
from lab.cluster import Lab
from lab.errors import LabError

LAB = "bare"

FILES: Final = 400
SEEDS: Final = (1, 2)
NAMED: Final = re.compile(r"/(\d+)\.yaml")
NO_NAMESPACE: Final = re.compile(r'namespaces ".*" not found')
"""The server looks for the namespace before it looks at the object: nothing can be compared."""

TYPED: Final = (
    "{apiVersion: duravip.io/v1alpha1, kind: Binding, metadata: {name: 123}, spec: {}}",
    "{apiVersion: duravip.io/v1alpha1, kind: Binding, metadata: {name: '123'}, spec: {}}",
    "{apiVersion: duravip.io/v1alpha1, kind: Binding, metadata: {name: y}, spec: {}}",
    "{apiVersion: duravip.io/v1alpha1, kind: Binding, metadata: {name: a}, spec: {group: 1e3}}",
    "{apiVersion: duravip.io/v1alpha1, kind: Binding, metadata: {name: a}, spec: {group: 1:30}}",
    "{apiVersion: duravip.io/v1alpha1, kind: DuraVIP, metadata: {name: a}, "
    "spec: {address: 10.1.1.1, nodeSelector: {'a b': c}}}",
    "{apiVersion: duravip.io/v1alpha1, kind: DuraVIP, metadata: {name: a}, spec: "
    "{address: 10.1.1.1, services: [{name: a, port: 25.0}, {name: b, port: 0x1a}]}}",
)


def refused_by_the_server(lab: Lab, folder: Path) -> dict[int, str]:
    """What the server has against each file, by its number; kubectl reads them all in one go."""
    try:
        lab.kubectl("create", "--dry-run=server", "-f", str(folder), timeout=240)
    except LabError as error:
        lines = str(error).splitlines()
        return {int(number): line for line in lines for number in NAMED.findall(line)}
    return {}


def refused_here(file: Path) -> str:
    """What `validate` has against it."""
    problems = parse_manifests([(file.name, file.read_text())], "default").problems
    return "; ".join(problem.line for problem in problems)


@pytest.mark.parametrize("seed", [*SEEDS, None])
def test_each_takes_what_the_other_takes(lab: Lab, tmp_path: Path, seed: int | None) -> None:
    rng = random.Random(seed)  # noqa: S311 - any will do
    texts = [text(rng, n) for n in range(FILES)] if seed else TYPED
    for number, content in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(content)
    theirs = refused_by_the_server(lab, tmp_path)
    ours = {n: refused_here(tmp_path / f"{n}.yaml") for n in range(len(texts))}
    assert len(theirs) < len(texts)
    wrong = [
        f"{texts[n].strip()}\n  server: {theirs.get(n, '-')}\n  validate: {said or '-'}"
        for n, said in ours.items()
        if bool(said) != (n in theirs) and not NO_NAMESPACE.search(theirs.get(n, ""))
    ]
    assert not wrong, f"{len(wrong)} of {len(texts)}:\n" + "\n".join(wrong[:12])

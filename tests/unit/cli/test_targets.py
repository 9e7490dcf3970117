"""What an argument names."""

import pytest

from duravip_cli.__main__ import run
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.objects import EntityKind
from duravip_cli.targets import parse_node, parse_target
from unit.cli.memory import Memory


def body(namespace: str, name: str, address: str) -> dict[str, dict[str, str]]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"address": address}}


OBJECTS: list[tuple[EntityKind, dict[str, dict[str, str]]]] = [
    ("DuraVIP", body("web", "out", "10.1.1.2")),
    ("DuraVIP", body("mail", "out", "10.1.1.1")),
    ("Binding", body("mail", "out", "10.1.1.1")),
    ("Binding", body("mail", "v6", "fd00::1")),
    ("DuraVIP", body("duravip", "odd", "10.1.1.9")),
]


@pytest.mark.parametrize(
    ("text", "namespace", "named"),
    [
        ("10.1.1.1", "", {1, 2}),
        ("10.1.1.1", "elsewhere", {1, 2}),
        ("fd00:0:0::1", "", {3}),
        ("out", "", {0, 1, 2}),
        ("out", "mail", {1, 2}),
        ("mail/out", "web", {1, 2}),
        ("duravip/out", "", {0, 1}),
        ("dvip/out", "web", {0}),
        ("VIPBindings/out", "", {2}),
        ("binding.duravip.io/out", "", {2}),
        ("bindings.duravip.io/out", "mail", {2}),
        ("dvb/v6", "", {3}),
        ("duravip/odd", "", {4}),
        ("nobody", "", set()),
    ],
)
def test_addresses_names_and_types_are_told_apart(
    text: str, namespace: str, named: set[int]
) -> None:
    target = parse_target(text, namespace)
    assert {i for i, entity in enumerate(OBJECTS) if target.names(*entity)} == named


@pytest.mark.parametrize("text", ["n1", "node/n1", "nodes/n1", "no/n1", "dvn/n1", "Node/n1"])
def test_a_node_may_have_its_type_before_it(text: str) -> None:
    assert parse_node(text) == "n1"


def test_the_wrong_type_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["show", "node/n1"], ["drain", "duravip/web"], ["simulate", "--fail", "pod/x"]):
        assert run(words, lambda _: Memory()) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines() == [
        "kubectl-duravip: node/n1 is a node: here an address or its object is wanted",
        "kubectl-duravip: duravip/web is no node",
        "kubectl-duravip: pod/x is no node",
    ]
    with pytest.raises(CommandError):
        parse_target("dvn/n1")

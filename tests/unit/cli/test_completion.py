"""What a shell offers when the tabulator key is pressed."""

from argparse import Namespace

import pytest

from duravip_cli.__main__ import VERBS, run
from duravip_cli.completion import Directive, complete
from duravip_cli.errors import CommandError
from duravip_cli.verbs.completion import SCRIPTS
from unit.cli.memory import Memory

OBJECTS = Memory(
    Node=[{"metadata": {"name": name}} for name in ("n1", "n2", "worker-1")],
    DuraVIP=[{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"address": "10.1.1.1"}}],
    Binding=[
        {"metadata": {"name": "out", "namespace": "mail"},
         "spec": {"address": "fd00::1", "group": "bulk"}}
    ],
    Service=[{"metadata": {"name": "front", "namespace": "shop"}}],
)  # fmt: skip


def offered(*words: str) -> list[str]:
    found, directive = complete(words, lambda _: OBJECTS)
    assert directive is Directive.NO_FILES
    return [candidate.word for candidate in found]


def test_first_comes_a_verb() -> None:
    assert offered("") == sorted(VERBS)
    assert offered("dr") == ["drain"]
    assert offered("-n", "mail", "und") == ["undrain"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["drain", "w"], ["worker-1"]),
        (["drain", "n1", "--timeout", ""], []),
        (["show", ""], ["10.1.1.1", "fd00::1", "mail/out", "shop/web"]),
        (["show", "10.1.1.1", ""], ["fd00::1", "mail/out", "shop/web"]),
        (["move", "10.1.1.1", "n"], ["n1", "n2"]),
        (["why", "10.1.1.1", ""], []),
        (["services", "f"], ["front"]),
        (["groups", ""], ["bulk"]),
        (["release", "--group", ""], ["bulk"]),
        (["simulate", "--fail", "n1", "n"], ["n2"]),
        (["simulate", "--fail", "n1", "--drain", "w"], ["worker-1"]),
        (["show", "-n", ""], ["mail", "shop"]),
        (["-n", "s"], ["shop"]),
        (["show", "-o", ""], ["json", "name", "wide", "yaml"]),
        (["show", "--output", "w"], ["wide"]),
        (["import", "k"], ["kube-vip"]),
        (["move", "--c"], ["--cancel", "--context"]),
        (["--kubeconfig=x", "versio"], ["version"]),
    ],
)
def test_then_what_may_stand_there(words: list[str], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_where_a_file_is_wanted_the_shell_offers_its_own() -> None:
    for words in (["validate", ""], ["--kubeconfig", ""], ["simulate", "--apply", "a.yaml", ""]):
        assert complete(words, lambda _: OBJECTS) == ([], Directive.FILES)


def test_the_options_say_which_cluster_is_asked() -> None:
    asked = list[tuple[str, str]]()

    def connect(arguments: Namespace) -> Memory:
        asked.append((arguments.kubeconfig, arguments.context))
        return OBJECTS

    complete(["--kubeconfig", "there", "drain", "--context=home", ""], connect)
    assert asked == [("there", "home")]


def test_a_cluster_that_does_not_answer_has_nothing_to_offer() -> None:
    def connect(_: Namespace) -> Memory:
        raise CommandError("cannot reach the API server")

    assert complete(["drain", ""], connect) == ([], Directive.NO_FILES)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_script_asks_the_same_program(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["completion", shell]) == 0
    assert "kubectl_complete-duravip" in capsys.readouterr().out

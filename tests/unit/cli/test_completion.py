"""What a shell offers when the tabulator key is pressed."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from duravip_cli.__main__ import VERBS, run
from duravip_cli.completion import Directive, complete
from duravip_cli.errors import CommandError
from duravip_cli.verbs.completion import SCRIPTS
from unit.cli.memory import Memory

PROGRAMS = Path(sys.executable).parent
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


def test_the_program_that_kubectl_runs_ends_with_what_cobra_expects(tmp_path: Path) -> None:
    for words, last in (["drai"], ":4"), (["validate", ""], ":0"), (["drain", ""], ":4"):
        said = subprocess.run(
            [PROGRAMS / "kubectl_complete-duravip", *words],
            capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)},
        )  # fmt: skip
        assert said.stdout.splitlines()[-1] == last
        assert said.stderr == ""
    assert (
        "drain\tTake nodes out"
        in subprocess.run(
            [PROGRAMS / "kubectl_complete-duravip", "drai"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_bash_completes_with_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    typed = "COMP_WORDS=(kubectl-duravip undr); COMP_CWORD=1; _kubectl_duravip"
    said = subprocess.run(
        ["bash", "-c", f'{script}\n{typed}; echo "${{COMPREPLY[@]}}"'],
        capture_output=True, text=True, check=True, env={"PATH": f"{PROGRAMS}:/usr/bin:/bin"},
    )  # fmt: skip
    assert said.stdout.split() == ["undrain"]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_script_asks_the_same_program(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["completion", shell]) == 0
    assert "kubectl_complete-duravip" in capsys.readouterr().out

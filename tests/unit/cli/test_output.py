"""What is printed, and read from files, cannot move a terminal or exhaust the memory."""

import io
from pathlib import Path

import pytest

from duravip_cli import __main__
from duravip_cli.__main__ import run
from duravip_cli.errors import CommandError
from duravip_cli.output import Output
from unit.cli.memory import Memory

EVIL = "a\x1b[2J\x9b31m\u202eb\nn1 is lost\x7f"
SHOWN = r"a\x1b[2J\x9b31m\u202eb\nn1 is lost\x7f"


@pytest.mark.parametrize("form", ["table", "json"])
def test_nothing_raw_is_printed_in_any_form(form: str) -> None:
    stream = io.StringIO()
    output = Output(form, stream)
    output.line(EVIL)
    output.table(("GROUP", "N"), [(EVIL, 1)])
    output.json({"group": EVIL})
    printed = stream.getvalue()
    assert all(char == "\n" or char.isprintable() for char in printed), printed
    assert printed.startswith(f"{SHOWN}\n")


def test_an_error_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    memory = Memory()
    memory.refusal = CommandError(f"you may not {EVIL}")
    assert run(["show"], lambda _: memory) == 1
    assert capsys.readouterr().err == f"kubectl-duravip: you may not {SHOWN}\n".replace(
        r"\nn1", " n1"
    )


@pytest.mark.parametrize("name", ["-", "file"])
def test_a_file_is_text_in_utf_8_and_not_too_large(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    file = tmp_path / "f.yaml"
    for content, said in ((b"\xff\xfe", "it is no text"), (b"a" * 11, "it is larger than")):
        file.write_bytes(content)
        monkeypatch.setattr("duravip_cli.manifests.files.MAX_BYTES", 10)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert run(["validate", name if name == "-" else str(file)], lambda _: Memory()) == 2
        assert said in capsys.readouterr().err


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


ROWS = [("10.1.1.1", "Owned", "-"), ("10.1.1.2", "Broken", "Broken,Conflict")]
HEADS = ("ADDRESS", "STATE", "FLAGS")


def printed(columns: int, form: str = "table", **environment: str) -> list[str]:
    terminal = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        Output(form, terminal, environment).table(HEADS, ROWS)
    return terminal.getvalue().splitlines()


def test_on_a_terminal_states_have_colours() -> None:
    heads, good, bad = printed(80)
    assert heads.startswith("\x1b[1mADDRESS\x1b[0m")
    assert "\x1b[32mOwned\x1b[0m" in good
    assert "\x1b[31mBroken\x1b[0m" in bad
    assert "\x1b" not in "".join(printed(80, NO_COLOR="1") + printed(80, TERM="dumb"))


def test_a_narrow_terminal_gets_no_line_that_is_wider() -> None:
    assert printed(21, NO_COLOR="1") == [
        "ADDRESS    STATE    …",
        "10.1.1.1   Owned    -",
        "10.1.1.2   Broken   …",
    ]
    assert printed(12, NO_COLOR="1") == ["ADDRESS    …", "10.1.1.1   …", "10.1.1.2   …"]
    assert printed(20, "wide", NO_COLOR="1")[-1] == "10.1.1.2   Broken   Broken,Conflict"


def test_a_pipe_gets_all_of_it_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = io.StringIO()
    Output("table", stream, {}).table(HEADS, ROWS)
    assert stream.getvalue().splitlines()[-1] == "10.1.1.2   Broken   Broken,Conflict"


def test_a_fault_of_the_program_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: list[str]) -> None:
        raise KeyError("spec")

    monkeypatch.setattr(__main__, "run", fail)
    with pytest.raises(SystemExit) as end:
        __main__.main()
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("kubectl-duravip: this is a fault of the program (KeyError: 'spec')")
    monkeypatch.setenv("DURAVIP_TRACEBACK", "1")
    with pytest.raises(KeyError):
        __main__.main()

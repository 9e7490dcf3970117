"""What is printed, and read from files, cannot move a terminal or exhaust the memory."""

import io
from pathlib import Path

import pytest

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

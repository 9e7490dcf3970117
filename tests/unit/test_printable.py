"""What others have written reaches a terminal, and a log, without anything that they act on."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest

from duravip_cli.__main__ import run
from duravip_cli.errors import CommandError
from duravip_cli.output import Output
from duravip_runtime.log_format import Text
from duravip_runtime.text import printable, printable_json
from unit.cli_memory import Memory

EVIL = "a\x1b[2J\x9b31m\u202eb\nn1 is lost\x7f"
SHOWN = r"a\x1b[2J\x9b31m\u202eb\nn1 is lost\x7f"


def test_whatever_a_terminal_acts_on_is_shown_and_the_rest_stays() -> None:
    assert printable(EVIL) == SHOWN
    assert printable("Grüße, 世界: ~") == "Grüße, 世界: ~"
    assert printable("\ud800") == r"\ud800"


def test_json_says_the_same_without_anything_raw() -> None:
    text = printable_json(json.dumps({"a": EVIL}, ensure_ascii=False, indent=2))
    assert json.loads(text) == {"a": EVIL}
    assert printable(text.replace("\n", "")) == text.replace("\n", "")


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


def test_no_message_and_no_exception_forges_a_line_of_the_log() -> None:
    try:
        raise ValueError("x\n2026-01-01T00:00:00.000+00:00 info    all is well")  # noqa: TRY301
    except ValueError:
        failure = sys.exc_info()
    record = logging.LogRecord("d", logging.INFO, "f", 1, "refused: %s", (EVIL,), failure)
    first, *behind = Text().format(record).split("\n")
    assert first.endswith(f"info    refused: {SHOWN}")
    assert behind
    assert all(line.startswith("  ") for line in behind)


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

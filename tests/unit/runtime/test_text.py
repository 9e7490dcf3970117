"""Text that others have written is made harmless for a terminal, and for a log."""

import json
import logging
import sys

from duravip_runtime.log_format import TextFormatter
from duravip_runtime.text import printable, printable_json, summarize

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


def test_no_message_and_no_exception_forges_a_line_of_the_log() -> None:
    try:
        raise ValueError("x\n2026-01-01T00:00:00.000+00:00 info    all is well")  # noqa: TRY301
    except ValueError:
        failure = sys.exc_info()
    record = logging.LogRecord("d", logging.INFO, "f", 1, "refused: %s", (EVIL,), failure)
    first, *behind = TextFormatter().format(record).split("\n")
    assert first.endswith(f"info    refused: {SHOWN}")
    assert behind
    assert all(line.startswith("  ") for line in behind)


def test_a_long_list_is_cut_and_the_rest_is_counted() -> None:
    assert summarize([]) == ""
    assert summarize(["n1", "n2"]) == "n1, n2"
    assert summarize(range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert summarize(range(7), 6, "ranges") == "0, 1, 2, 3, 4, 5 and 1 more ranges"

"""Metrics: all are documented, and none of them has a label for each address."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from duravip_agent.metrics import Metrics as AgentMetrics
from duravip_mail.metrics import Metrics as MailMetrics
from duravip_operator.metrics import Metrics as OperatorMetrics

PAGE = Path(__file__).resolve().parents[3] / "docs/metrics.md"
PREFIXES = {
    OperatorMetrics: "duravip_operator_",
    AgentMetrics: "duravip_agent_",
    MailMetrics: "duravip_mail_",
}
LABELS = {
    "binding", "code", "condition", "direction", "family", "flag", "from", "hearing", "kind",
    "node", "phase", "pool", "ready", "reason", "result", "state", "to", "verb", "verdict",
    "version",
}  # fmt: skip


def metrics(program: Any) -> list[Any]:
    """All that a program registers, in the order in which it makes them."""
    found = [value for value in vars(program("1.0")).values() if hasattr(value, "describe")]
    return [metric for metric in found if hasattr(metric, "labels")]


def row(metric: Any) -> str:
    """As the page has it. prometheus_client has no public way to ask for the labels."""
    (what,) = metric.describe()
    name = f"{what.name}_total" if what.type == "counter" else what.name
    labels = ", ".join(metric._labelnames) or "-"  # noqa: SLF001
    return f"| `{name}` | {what.type} | {labels} | {what.documentation} |"


def test_the_page_lists_exactly_the_metrics_that_there_are() -> None:
    rows = [row(metric) for program in PREFIXES for metric in metrics(program)]
    listed = [line for line in PAGE.read_text().splitlines() if line.startswith("| `duravip_")]
    assert listed == rows, "\n".join(rows)


@pytest.mark.parametrize("program", PREFIXES)
def test_names_and_labels_are_as_prometheus_wants_them(program: Any) -> None:
    registered = {name.describe()[0].name for name in metrics(program)}
    families = {family.name for family in program("1.0").registry.collect()}
    assert registered == {name for name in families if not name.startswith("process_")}
    assert "process_cpu_seconds" in families
    assert b"_created" not in generate_latest(program("1.0").registry)
    for metric in metrics(program):
        name = metric.describe()[0].name
        assert name.startswith(PREFIXES[program])
        assert not name.endswith(("_ms", "_count", "_sum", "_bucket"))
        assert LABELS.issuperset(metric._labelnames), name  # noqa: SLF001


def test_what_alerts_compare_with_before_is_there_before_anything_has_happened() -> None:
    """Prometheus' `increase` takes no notice of a series that begins with 1."""
    sample = OperatorMetrics("1.0").registry.get_sample_value
    for phase in ("suspect", "scout", "decide", "write", "serve"):
        assert sample("duravip_operator_failover_seconds_count", {"phase": phase}) == 0


def test_no_address_is_named_unless_somebody_asks_for_it() -> None:
    families = {family.name for family in OperatorMetrics("1.0").registry.collect()}
    assert "duravip_address_info" not in families
    families = {family.name for family in OperatorMetrics("1.0", 5).registry.collect()}
    assert "duravip_address_info" in families


def test_a_replica_that_no_longer_leads_says_nothing_of_the_cluster() -> None:
    program = OperatorMetrics("1.0")
    program.lead(3)
    program.vips.labels("Owned").set(7)
    program.lead(None)
    sample = program.registry.get_sample_value
    assert sample("duravip_operator_entities", {"state": "Owned"}) is None
    assert (sample("duravip_operator_leading"), sample("duravip_operator_epoch")) == (0, 3)

"""What Prometheus makes of the alerts: on the series of faults, at rest, in upgrades."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import generate_latest

from chart.alert_faults import FAULTS, GONE, MINUTE, NEVER, Fault, served_within
from chart.test_alerts import PANELS, RULES, known
from duravip_agent.metrics import Metrics as AgentMetrics
from duravip_mail.metrics import Metrics as MailMetrics
from duravip_operator.metrics import Metrics as OperatorMetrics
from lab import charts
from lab.charts import CHART
from lab.processes import run
from lab.prometheus_program import promtool

FILE: Final = CHART / "files/alerts.yaml"
BY_NAME: Final = {rule["alert"]: rule for rule in RULES}
SCRAPED_AS: Final = {"instance", "pod"}
"""Labels that Prometheus adds."""
UNITS: Final = {"s": 1, "m": MINUTE, "h": 60 * MINUTE}
STEP: Final = 15
"""Seconds between two scrapes, as the chart has it."""
BEGINS = LASTS = 5 * MINUTE
"""When a fault begins, and how long it lasts beyond what its alert waits, in seconds."""
NODES: Final = ("n1", "n2", "n3")

Values = Sequence[str]
"""Those of one series, from scrape to scrape, as promtool takes them."""


def phases(*parts: tuple[str, int]) -> list[str]:
    """Values that stay so for a number of scrapes each; `+30`: it grows by 30 in each; `=`: stays.

    >>> phases(("0", 1), ("+30", 2), ("=", 1))
    ["0", "30", "60", "60"]
    """
    found: list[str] = []
    for value, scrapes in parts:
        for _ in range(scrapes):
            grown = value[0] in "+=" and f"{float(found[-1]) + float(value.strip('=') or 0):g}"
            found.append(grown or value)
    return found


def by_leader(pod: str, ones: Values, zeros: Values, heard: Values = ()) -> dict[str, Values]:
    """What only the leader exports."""
    pool = f'{{pod="{pod}",pool="shops",family='
    return {
        **{
            f'duravip_operator_node_heard{{pod="{pod}",node="{node}"}}': heard or ones
            for node in NODES
        },
        f'duravip_operator_units{{pod="{pod}",state="Owned"}}': ones,
        f'duravip_operator_units{{pod="{pod}",state="Unassigned"}}': zeros,
        f'duravip_operator_entities{{pod="{pod}",state="Broken"}}': zeros,
        f'duravip_operator_pool_addresses{pool}"4"}}': ones,
        f'duravip_operator_pool_addresses_used{pool}"4"}}': zeros,
        f'duravip_operator_pool_addresses{pool}"6"}}': zeros,
        f'duravip_operator_pool_addresses_used{pool}"6"}}': zeros,
    }


def by_replica(pod: str, leading: Values, ones: Values, zeros: Values) -> dict[str, Values]:
    return {
        f'duravip_operator_leading{{pod="{pod}"}}': leading,
        f'duravip_operator_webhook_listening{{pod="{pod}"}}': ones,
        f'duravip_operator_topologies_without_witness{{pod="{pod}"}}': zeros,
        **dict.fromkeys(served_within(pod), zeros),
    }


def by_agent(node: str, pod: str, ones: Values, zeros: Values, lost: Values) -> dict[str, Values]:
    labels = f'{{instance="{node}:9481",pod="{pod}"}}'
    return {
        f"duravip_agent_well{labels}": ones,
        f"duravip_agent_lapses_total{labels}": zeros,
        f"duravip_agent_beats_lost_total{labels}": lost,
    }


def by_mail(
    node: str, ones: Values, zeros: Values, delivered: Values, moved: Values
) -> dict[str, Values]:
    """A tenth of the mail is handed over."""
    labels = f'instance="{node}:9482",pod="mail-{node}"'
    sent = f'{labels},binding="foo",result="sent"'
    return {
        f"duravip_mail_agent_connected{{{labels}}}": ones,
        f"duravip_mail_table_age_seconds{{{labels}}}": ones,
        f'duravip_mail_bind_refused_total{{{labels},binding="foo"}}': zeros,
        f"duravip_mail_delivered_total{{{sent}}}": delivered,
        f'duravip_mail_mmove_total{{{labels},direction="out",binding="foo",result="sent"}}': moved,
    }


def at_rest(scrapes: int) -> dict[str, Values]:
    """A leader, a standby, three nodes: nothing happens but that single heartbeats are lost."""
    ones, zeros, lost = (phases(("0", 1), (v, scrapes)) for v in ("1", "0", "+0.2"))
    found = {**by_leader("a", ones, zeros), **by_replica("a", ones, ones, zeros)}
    found |= by_replica("b", zeros, ones, zeros)
    for node in NODES:
        found |= by_agent(node, node, ones, zeros, lost)
        found |= by_mail(
            node, ones, zeros, *(phases(("0", 1), (v, scrapes)) for v in ("+30", "+3"))
        )
    return found


def waits(rule: dict[str, Any]) -> int:
    """Its `for`, in seconds."""
    text = rule.get("for", "0s")
    return int(text[:-1]) * UNITS[text[-1]]


def expected_nothing(at: Sequence[int], beside: str = "") -> list[dict[str, Any]]:
    """No alert fires at these seconds, but for one perhaps."""
    query = f'ALERTS{{alertstate="firing",alertname!="{beside}"}}'
    return [{"expr": query, "eval_time": f"{second}s", "exp_samples": []} for second in at]


def expected(fault: Fault, second: int, *, is_firing: bool) -> dict[str, Any]:
    rule = BY_NAME[fault.alert]
    texts = {**rule["annotations"], "summary": fault.summary}
    firing = {"exp_labels": {**rule["labels"], **fault.labels}, "exp_annotations": texts}
    return {
        "eval_time": f"{second}s",
        "alertname": fault.alert,
        "exp_alerts": [firing] if is_firing else [],
    }


def assert_as_expected(folder: Path, series: Mapping[str, Values], **tests: Any) -> None:
    """Have promtool evaluate the rules on these series; LabError says what was otherwise."""
    step = f"{tests.pop('step', STEP)}s"
    listed = [{"series": name, "values": " ".join(v)} for name, v in series.items()]
    test = {"interval": step, "input_series": listed, **tests}
    body = {"rule_files": [str(FILE)], "evaluation_interval": step, "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(body))
    run([str(promtool()), "test", "rules", str(folder / "test.yaml")])


@pytest.mark.parametrize("name", FAULTS)
def test_an_alert_fires_on_its_fault_alone_and_ends_with_it(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    waited = waits(BY_NAME[fault.alert])
    lasts, after = waited + LASTS, fault.looks_back + 10 * MINUTE
    times = [seconds // STEP for seconds in (BEGINS, lasts, after)]
    changed = {
        name: phases(*zip(course, times, strict=True)) for name, course in fault.series.items()
    }
    end = BEGINS + lasts + after - STEP
    alone = expected_nothing(range(0, end, 5 * MINUTE), beside=fault.alert)
    still = BEGINS + waited - STEP
    fires_at = (BEGINS + fault.ramp + waited + 2 * STEP, BEGINS + lasts - STEP)
    assert_as_expected(
        tmp_path,
        at_rest(sum(times)) | changed,
        alert_rule_test=[
            expected(fault, still, is_firing=False),
            *(expected(fault, second, is_firing=True) for second in fires_at),
            expected(fault, end, is_firing=False),
        ],
        promql_expr_test=alone,
    )


def test_every_alert_has_its_fault_and_every_series_is_exported() -> None:
    assert {fault.alert for fault in FAULTS.values()} == {*BY_NAME}
    made = [*at_rest(1), *(name for fault in FAULTS.values() for name in fault.series)]
    for series in made:
        metric, _, labels = series.partition("{")
        assert {*re.findall(r"(\w+)=", labels)} - SCRAPED_AS == known()[metric], series


LONG: Final = 60
"""Scrapes."""


def life(born: int, *parts: tuple[str, int]) -> list[str]:
    """The values of a program that is there from this scrape on for as long as the parts say."""
    died = LONG - born - sum(scrapes for _, scrapes in parts)
    return phases((NEVER, born), *parts, (GONE, died))


def new_leader(pod: str, at: int) -> dict[str, Values]:
    """It has heard of no node when it is scraped first, and knows no owner."""
    ones, zeros = life(at, ("1", LONG - at)), life(at, ("0", LONG - at))
    heard, unowned = (life(at, (v, 1), (w, LONG - at - 1)) for v, w in (("0", "1"), ("3", "0")))
    unassigned = f'duravip_operator_units{{pod="{pod}",state="Unassigned"}}'
    return by_leader(pod, ones, zeros, heard) | {unassigned: unowned}


def upgrade() -> dict[str, Values]:
    """New replicas, then a new agent on one node after the other.

    At one scrape nobody leads; that costs every node two seconds of heartbeats.
    """
    found = by_leader("a", life(0, ("1", 23)), life(0, ("0", 23)))
    for pod, born, lasts in (("a", 0, 23), ("b", 0, 21), ("c", 20, 40), ("d", 22, 38)):
        ones, zeros = life(born, ("1", lasts)), life(born, ("0", lasts))
        leading = {"a": ones, "c": life(born, ("0", 4), ("1", 36))}.get(pod, zeros)
        found |= by_replica(pod, leading, ones, zeros)
    found |= new_leader("c", 24)
    for node, ends in zip(NODES, (30, 34, 38), strict=True):
        lost = life(0, ("0", 23), ("+20", 1), ("=", ends - 24))
        found |= by_agent(node, f"{node}-old", life(0, ("1", ends)), life(0, ("0", ends)), lost)
        born, lasts = ends + 1, LONG - ends - 1
        ones, zeros = life(born, ("1", lasts)), life(born, ("0", lasts))
        found |= by_agent(node, f"{node}-new", ones, zeros, zeros)
        heard = f'duravip_operator_node_heard{{pod="c",node="{node}"}}'
        found[heard] = phases((NEVER, 24), ("1", ends - 24), (GONE, 1), ("1", LONG - ends - 1))
    return found


def crash_of_the_leader() -> dict[str, Values]:
    """The standby is scraped once before it leads."""
    ones, zeros = life(0, ("1", LONG)), life(0, ("0", LONG))
    ended, ended_zeros = life(0, ("1", 20)), life(0, ("0", 20))
    found = {
        **by_leader("a", ended, ended_zeros),
        **by_replica("a", ended, ended, ended_zeros),
        **by_replica("b", life(0, ("0", 21), ("1", LONG - 21)), ones, zeros),
        **new_leader("b", 21),
    }
    for node in NODES:
        found |= by_agent(node, node, ones, zeros, life(0, ("0", 20), ("+30", 1), ("=", 39)))
    return found


@pytest.mark.parametrize("step", [STEP, 2 * STEP])
@pytest.mark.parametrize(
    "series",
    [at_rest(LONG - 1), upgrade(), crash_of_the_leader()],
    ids=["rest", "upgrade", "crash"],
)
def test_no_alert_fires_when_nothing_is_wrong(
    series: dict[str, Values], step: int, tmp_path: Path
) -> None:
    quiet = expected_nothing(range(0, LONG * step, step))
    assert_as_expected(tmp_path, series, step=step, promql_expr_test=quiet)


def test_promtool_takes_the_rules_of_the_file_and_of_the_chart(tmp_path: Path) -> None:
    (rules,) = (
        item
        for item in charts.rendered("--set=monitoring.rules.enabled=true")
        if item["kind"] == "PrometheusRule"
    )
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    run(
        [
            str(promtool()),
            "check",
            "rules",
            "--lint-fatal",
            str(FILE),
            str(tmp_path / "rules.yaml"),
        ]
    )


def test_promtool_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    rules = [
        {"record": f"query:{n}", "expr": query.replace("$__rate_interval", "1m")}
        for n, query in enumerate(queries)
    ]
    body = {"groups": [{"name": "queries", "rules": rules}]}
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump(body))
    run([str(promtool()), "check", "rules", "--lint-fatal", str(tmp_path / "queries.yaml")])


def test_the_dashboard_shows_the_first_move_from_a_node_to_another_one(tmp_path: Path) -> None:
    (panel,) = (panel for panel in PANELS if panel["title"].startswith("Moves"))
    labels = '{pod="a",reason="NodeLost",from="n3",to="n1"}'
    query = panel["targets"][0]["expr"].replace("$__rate_interval", "1m")
    drawn = [
        {"eval_time": at, "expr": query, "exp_samples": samples}
        for at, samples in (
            ("4m", []),
            ("5m", [{"labels": '{reason="NodeLost"}', "value": 7}]),
            ("9m", [{"labels": '{reason="NodeLost"}', "value": 0}]),
        )
    ]
    moves = {f"duravip_operator_moves_total{labels}": life(20, ("7", LONG - 20))}
    assert_as_expected(tmp_path, moves, promql_expr_test=drawn)


@pytest.mark.parametrize("program", [OperatorMetrics, AgentMetrics, MailMetrics])
def test_promtool_takes_what_a_program_shows(program: Any) -> None:
    shown = generate_latest(program("1.0").registry).decode()
    assert run([str(promtool()), "check", "metrics", "--extended"], shown)

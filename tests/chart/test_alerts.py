"""The chart's alerts and dashboard: they ask for metrics that there are."""

import json
import re
from typing import Any, Final

import pytest
import yaml

from duravip_agent.metrics import Metrics as AgentMetrics
from duravip_mail.metrics import Metrics as MailMetrics
from duravip_operator.metrics import Metrics as OperatorMetrics
from lab import charts
from lab.charts import CHART

RUNBOOKS: Final = (CHART.parents[1] / "docs/runbooks.md").read_text()
RULES: Final = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"][0]["rules"]
METRIC: Final = re.compile(r"(duravip_\w+)(?:\{([^}]*)\})?")
MADE_OF_HISTOGRAMS: Final = ("_bucket", "_sum", "_count")


def known() -> dict[str, set[str]]:
    """`{metric as it is scraped: its labels}`."""
    found: dict[str, set[str]] = {}
    for program in (OperatorMetrics("1"), AgentMetrics("1"), MailMetrics("1")):
        for metric in vars(program).values():
            if hasattr(metric, "describe") and hasattr(metric, "labels"):
                (family,) = metric.describe()
                labels = set(metric._labelnames)  # noqa: SLF001 - there is no public way
                suffixes = {"counter": ("_total",), "histogram": MADE_OF_HISTOGRAMS}
                for suffix in suffixes.get(family.type, ("",)):
                    found[f"{family.name}{suffix}"] = labels | (
                        {"le"} if suffix == "_bucket" else set()
                    )
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    asked = METRIC.findall(rule["expr"])
    assert asked
    for name, selector in asked:
        labels = set(re.findall(r"(\w+)\s*!?=", selector))
        assert labels <= known()[name], name
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description"}
    section = RUNBOOKS.partition(f"## {rule['alert']}\n")[2].partition("\n## ")[0]
    assert all(word in section for word in ("*What it means.*", "*Look at*", "*Do.*"))


def test_every_runbook_is_of_an_alert() -> None:
    assert re.findall(r"^## (\w+)", RUNBOOKS, re.MULTILINE) == [rule["alert"] for rule in RULES]


PANELS: Final = json.loads((CHART / "files/dashboard.json").read_text())["panels"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_of_the_dashboard_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        asked = METRIC.findall(target["expr"])
        assert asked
        for name, selector in asked:
            assert set(re.findall(r"(\w+)\s*!?=", selector)) <= known()[name], name
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert shown <= known()[asked[0][0]] | {"instance"}


def rendered(*options: str) -> dict[str, Any]:
    made = charts.rendered(*[part for option in options for part in ("--set", option)])
    return {f"{o['kind']} {o['metadata']['name']}": o for o in made}


def alerts(*options: str) -> dict[str, Any]:
    (group,) = rendered("monitoring.rules.enabled=true", *options)["PrometheusRule duravip"][
        "spec"
    ]["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_the_chart_makes_rules_of_them_that_link_to_the_runbooks() -> None:
    assert not any("monitoring" in str(o.get("apiVersion")) for o in rendered().values())
    links, more = "monitoring.rules.runbooks=https://x/runbooks", "monitoring.rules.labels.a=b"
    made = alerts(links, more, "mail.enabled=true")
    assert list(made) == [rule["alert"] for rule in RULES]
    told = made["DuraVIPNoLeader"]
    assert told["annotations"]["runbook_url"] == "https://x/runbooks#duravipnoleader"
    assert told["expr"] == RULES[0]["expr"]
    left_out = {"DuraVIPNoLeader", "DuraVIPWebhookMissing"} | {
        rule["alert"] for rule in RULES if "duravip_mail_" in rule["expr"]
    }
    assert set(alerts("monitoring.rules.disabled={DuraVIPNoLeader}", "webhook.enabled=false")) == (
        {rule["alert"] for rule in RULES} - left_out
    )


def test_the_chart_hands_the_dashboard_to_grafana() -> None:
    made = rendered("monitoring.dashboard.enabled=true")["ConfigMap duravip-dashboard"]
    assert json.loads(made["data"]["duravip.json"])["panels"] == PANELS
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_who_has_them_scraped_is_told_what_else_that_needs() -> None:
    asked = "--set=monitoring.podMonitors.enabled=true"
    mail = "--set=mail.enabled=true"
    missing = ("agent.exposeMetrics", "mail.exposeMetrics", "networkPolicy.metricsFrom")
    assert all(value in charts.notes(asked, mail) for value in missing)
    assert "mail.exposeMetrics" not in charts.notes(asked)
    source = "networkPolicy.metricsFrom[0].podSelector.matchLabels.a=b"
    given = (
        "--set=agent.exposeMetrics=true", "--set=mail.exposeMetrics=true", f"--set={source}", mail,
    )  # fmt: skip
    assert not any(value in charts.notes(asked, *given) for value in missing)
    assert not any(value in charts.notes() for value in missing)


def test_the_chart_has_all_programs_scraped() -> None:
    asked = (
        "monitoring.podMonitors.enabled=true",
        "monitoring.podMonitors.labels.release=prometheus",
    )
    assert "PodMonitor duravip-mail" not in rendered(*asked)
    made = rendered(*asked, "mail.enabled=true")
    for program, kind in (
        ("operator", "Deployment"),
        ("agent", "DaemonSet"),
        ("mail", "DaemonSet"),
    ):
        monitor = made[f"PodMonitor duravip-{program}"]
        pod = made[f"{kind} duravip-{program}"]["spec"]["template"]
        selected = monitor["spec"]["selector"]["matchLabels"]
        assert selected.items() <= pod["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        ports = [port for one in pod["spec"]["containers"] for port in one["ports"]]
        assert endpoint["port"] in {port["name"] for port in ports}
        assert monitor["metadata"]["labels"]["release"] == "prometheus"

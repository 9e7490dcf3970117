"""A real Prometheus on a machine of a lab: it scrapes, evaluates rules, and is asked."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import yaml

from lab.errors import LabError
from lab.machines import Machine
from lab.processes import Process
from lab.prometheus_program import prometheus

ADDRESS: Final = "127.0.0.1:9090"
EVERY: Final = "1s"
"""How often is scraped and evaluated."""
ASK: Final = ("curl", "--silent", "--show-error", "--fail", "--max-time", "10")


class Prometheus:
    """One that has been started; times are of the machine's wall clock, in seconds."""

    def __init__(
        self, machine: Machine, jobs: Mapping[str, Sequence[str]], rules: Mapping[str, Any]
    ) -> None:
        """`jobs` are the targets, HOST:PORT, by job; `rules` what a file of rules holds."""
        self._machine = machine
        self._targets = sum(map(len, jobs.values()))
        self.started_at = time.time()
        folder = machine.folder / "prometheus"
        folder.mkdir()
        (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
        scraped = [
            {"job_name": job, "static_configs": [{"targets": list(targets)}]}
            for job, targets in jobs.items()
        ]
        settings = {
            "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
            "rule_files": ["rules.yaml"],
            "scrape_configs": scraped,
        }
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        options = {
            "config.file": folder / "prometheus.yaml",
            "storage.tsdb.path": folder / "data",
            "web.listen-address": ADDRESS,
        }
        argv = [f"--{name}={value}" for name, value in options.items()]
        self.process: Process = machine.spawn([str(prometheus()), *argv])

    def is_scraping(self) -> bool:
        """Whether it runs, and every target has answered."""
        try:
            found = self._ask("query", query="sum(up)")["result"]
        except LabError:
            if self.process.is_running:
                return False
            raise LabError(f"Prometheus has ended: {self.process.output()[-1000:]}") from None
        return bool(found) and float(found[0]["value"][1]) == self._targets

    def firing(self) -> frozenset[str]:
        """The alerts that fire now, as NAME, or as NAME and the node or instance of it."""
        alerts = self._ask("alerts")["alerts"]
        return frozenset(_name(a["labels"]) for a in alerts if a["state"] == "firing")

    def fired(self, since: float) -> frozenset[str]:
        """All that have fired at some time since then."""
        found = self.history('ALERTS{alertstate="firing"}', since)
        return frozenset(_name(series["metric"]) for series in found)

    def history(self, query: str, since: float = 0.0) -> list[dict[str, Any]]:
        """What a query gives from then until now: series with `metric` and `values`."""
        times = {"start": max(since, self.started_at), "end": time.time(), "step": EVERY}
        series: list[dict[str, Any]] = self._ask("query_range", query=query, **times)["result"]
        return series

    def _ask(self, what: str, **parameters: Any) -> dict[str, Any]:
        url = f"http://{ADDRESS}/api/v1/{what}?{urlencode(parameters)}"
        answer = json.loads(self._machine.run([*ASK, url]))
        data: dict[str, Any] = answer["data"]
        return data


def _name(labels: Mapping[str, str]) -> str:
    where = labels.get("node") or labels.get("instance", "")
    return f"{labels['alertname'].removeprefix('DuraVIP')} {where}".strip()

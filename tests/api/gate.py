"""The admission webhook of an operator that runs as a process, and what the API server says."""

import base64
import json
import sys
from pathlib import Path
from typing import Final

from api.objects import Body
from bench.scrapes import value
from bench.systems.operators import FETCH, URL
from lab.cluster import Lab
from lab.errors import LabError
from lab.fleet import PROGRAMS, Fleet, wait_until
from lab.layout import control_address
from lab.pki import Pki

ADDRESS: Final = control_address(1)
LISTEN: Final = f"{ADDRESS}:9443"
READYZ: Final = (
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9480);"
    "c.request('GET', '/readyz'); print(c.getresponse().read().decode())"
)
DRY: Final = "--dry-run=server"
PATIENCE: Final = 60


class Gate:
    """An operator on n1 with webhooks, and the API server told of it as the chart does."""

    def __init__(self, lab: Lab, timeout_s: int = 15, programs: Path = PROGRAMS) -> None:
        """The API server waits for an answer for `timeout_s`; `programs` is a folder."""
        self._lab = lab
        self.fleet = Fleet(lab, programs)
        """The operator is on n1, and so is an agent."""
        self.folder = lab.layout.home / "webhook"
        """Where the operator's certificate is."""
        self.renew()
        self.open()
        self.fleet.start_agent("n1")
        lab.kubectl("apply", "-f", "-", input=json.dumps(_configuration(lab, timeout_s)))

    def renew(self) -> None:
        """Put another certificate in the place of the operator's."""
        Pki(self._lab.layout).serving(self.folder, f"IP:{ADDRESS}")

    def open(self) -> None:
        """Start the operator."""
        options = (f"--webhook-listen={LISTEN}", f"--webhook-cert-dir={self.folder}")
        self.fleet.start_operator("n1", *options)

    def close(self) -> None:
        """End the operator."""
        self.fleet.operators["n1"].terminate()
        assert self.fleet.operators["n1"].wait() == 0

    def log(self) -> str:
        """What the operator has said since it was started."""
        return self.fleet.operators["n1"].output()

    def counted(self, reason: str) -> float:
        """How many objects the operator says that it has refused for this reason."""
        return value(self._page(URL), "duravip_operator_refusals_total", reason=reason)

    def restarts(self) -> float:
        """How often kopf has ended."""
        return value(self._page(URL), "duravip_operator_kopf_restarts_total")

    def readiness(self) -> str:
        """What /readyz says; empty while nobody answers."""
        try:
            return self._lab.machines["n1"].run([sys.executable, "-c", READYZ]).strip()
        except LabError:
            return ""

    def shown_certificate(self) -> str:
        """The certificate that the port shows."""
        show = "import ssl, sys; print(ssl.get_server_certificate((sys.argv[1], 9443)))"
        return self._lab.machines["n1"].run([sys.executable, "-c", show, ADDRESS])

    def _page(self, url: str) -> str:
        return self._lab.machines["n1"].run([sys.executable, "-c", FETCH, url])

    def refusal(self, body: Body, *options: str) -> str:
        """What is said to whoever applies this; empty when it is let in."""
        try:
            self._lab.kubectl("apply", "-f", "-", *options, input=json.dumps(body))
        except LabError as error:
            return str(error)
        return ""

    def until_refused(self, body: Body, words: str) -> None:
        """Wait until this would be refused in these words: the operator knows what it must."""
        wait_until(lambda: words in self.refusal(body, DRY), f"refused: {body}", PATIENCE)

    def until_let_in(self, body: Body) -> None:
        """Wait until this would be let in."""
        wait_until(lambda: self.refusal(body, DRY) == "", f"let in: {body}", PATIENCE)


def _configuration(lab: Lab, timeout_s: int) -> Body:
    """A webhook as in the chart, but by address, and patient: the machine may be busy."""
    authority = Pki(lab.layout).file("ca.crt").read_bytes()
    asked = {
        "apiGroups": ["duravip.io"],
        "apiVersions": ["v1alpha1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["duravips", "vipbindings", "topologies", "addresspools"],
    }
    webhook = {
        "name": "admission.duravip.io",
        "clientConfig": {
            "url": f"https://{LISTEN}/admission",
            "caBundle": base64.b64encode(authority).decode(),
        },
        "rules": [asked],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "timeoutSeconds": timeout_s,
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "duravip"},
        "webhooks": [webhook],
    }

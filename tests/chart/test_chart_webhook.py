"""The chart's webhook: whom it asks, about what, and by which certificate that is trusted."""

import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any

from duravip_api import PLURALS
from duravip_operator.watch.kopf_source import WATCHED_KINDS
from duravip_operator.watch.webhooks import ADMISSION_PATH
from lab import charts

ISSUED = "--set=webhook.certManager.enabled=true"
OURS = "--set=webhook.certManager.issuerRef.name=internal"
HOST = f"duravip-webhook.{charts.NAMESPACE}.svc"


def objects(*options: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(o["kind"], o["metadata"]["name"]): o for o in charts.rendered(*options)}


def webhook(made: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    (only,) = made["ValidatingWebhookConfiguration", "duravip"]["webhooks"]
    return dict(only)


def operator(made: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    pod = made["Deployment", "duravip-operator"]["spec"]["template"]["spec"]
    return dict(pod)


def test_it_asks_about_what_people_write_and_never_stands_in_the_way() -> None:
    asked = webhook(objects())
    (rule,) = asked["rules"]
    assert set(rule["resources"]) == {PLURALS[kind] for kind in (*WATCHED_KINDS, "AddressPool")}
    assert rule["operations"] == ["CREATE", "UPDATE"]
    assert asked["failurePolicy"] == "Ignore"
    assert asked["timeoutSeconds"] == 2
    assert asked["sideEffects"] == "None"


def test_it_asks_the_operator_where_it_listens() -> None:
    made = objects("--set=webhook.port=9999")
    where = webhook(made)["clientConfig"]["service"]
    assert where["path"] == f"/{ADMISSION_PATH}"
    assert f"{where['name']}.{where['namespace']}.svc" == HOST
    service = made["Service", where["name"]]["spec"]
    (port,) = service["ports"]
    (container,) = operator(made)["containers"]
    ports = {p["name"]: p["containerPort"] for p in container["ports"]}
    assert (port["port"], ports[port["targetPort"]]) == (where["port"], 9999)
    assert "--webhook-listen=0.0.0.0:9999" in container["args"]
    labels = made["Deployment", "duravip-operator"]["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()


def test_the_certificate_that_helm_makes_is_the_one_that_the_api_server_trusts(
    tmp_path: Path,
) -> None:
    made = objects()
    secret = made["Secret", "duravip-webhook"]["data"]
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(b64decode(secret[name]))
    trusted = b64decode(webhook(made)["clientConfig"]["caBundle"]).decode()
    assert _shakes_hands(tmp_path, trusted) == HOST
    mounted = {v["name"]: v.get("secret", {}).get("secretName") for v in operator(made)["volumes"]}
    assert mounted["webhook"] == "duravip-webhook"


def _shakes_hands(folder: Path, trusted: str) -> str | None:
    """The name that a client which trusts only this authority has found the server to have."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    asking = ssl.create_default_context(cadata=trusted)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(there, back, server_side=True)
    client = asking.wrap_bio(back, there, server_hostname=HOST)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.server_hostname if client.getpeercert() else None


def test_cert_manager_issues_it_where_that_is_asked_for() -> None:
    made = objects(ISSUED)
    certificate = made["Certificate", "duravip-webhook"]["spec"]
    assert certificate["dnsNames"] == [HOST]
    assert certificate["issuerRef"] == {"name": "duravip-webhook", "kind": "Issuer"}
    assert made["Issuer", "duravip-webhook"]["spec"] == {"selfSigned": {}}
    assert ("Secret", certificate["secretName"]) not in made
    mounted = {v["name"]: v.get("secret", {}).get("secretName") for v in operator(made)["volumes"]}
    assert mounted["webhook"] == certificate["secretName"]
    asked = made["ValidatingWebhookConfiguration", "duravip"]
    from_it = {"cert-manager.io/inject-ca-from": f"{charts.NAMESPACE}/duravip-webhook"}
    assert asked["metadata"]["annotations"] == from_it
    assert "caBundle" not in webhook(made)["clientConfig"]


def test_an_issuer_of_ones_own_is_used() -> None:
    made = objects(ISSUED, OURS, "--set=webhook.certManager.issuerRef.kind=ClusterIssuer")
    issuer = made["Certificate", "duravip-webhook"]["spec"]["issuerRef"]
    assert issuer == {"name": "internal", "kind": "ClusterIssuer"}
    assert "Issuer" not in {kind for kind, _ in made}


def test_without_it_nothing_is_left_of_it() -> None:
    made = objects("--set=webhook.enabled=false")
    assert not {"Service", "ValidatingWebhookConfiguration"} & {kind for kind, _ in made}
    assert ("Secret", "duravip-webhook") not in made
    assert not [a for a in operator(made)["containers"][0]["args"] if "webhook" in a]
    charts.lint("--set=webhook.enabled=false")

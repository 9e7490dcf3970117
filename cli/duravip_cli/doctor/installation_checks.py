"""The checks of `doctor` on the kinds, the operator's replicas, the pods and the webhook."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from duravip_api import API_VERSION, VERSION
from duravip_api.manifest import Kind, definition
from duravip_cli.doctor import Finding
from duravip_cli.objects import LEASE_LATE_AFTER_S, Body, condition, name_of, spec_of, status_of
from duravip_runtime.text import summarize

LEASE: Final = "duravip-operator"
"""The holder of this Lease is the leader."""
REPLICA_LABEL: Final = "duravip.io/member"
"""The label of the Leases with which the replicas announce themselves."""
REPLICA_GONE_AFTER_S: Final = 180.0


def check_kind(kind: Kind, installed: Body | None) -> Finding:
    """Whether a kind is installed, with every field and column of this version."""
    check = f"kind {kind.model.__name__}"
    if installed is None:
        why = f"no CustomResourceDefinition {kind.name}: apply the folder crds/"
        return Finding("FAIL", check, why)
    versions = spec_of(installed).get("versions") or ()
    served = next((v for v in versions if v.get("name") == VERSION and v.get("served")), None)
    if served is None:
        return Finding("FAIL", check, f"version {VERSION} is not served")
    wanted = definition(kind)["spec"]["versions"][0]
    missing = list(_missing_fields("", _schema(wanted), _schema(served)))
    if missing:
        why = f"fields are missing: {summarize(missing)}: apply the folder crds/ of this version"
        return Finding("FAIL", check, why)
    columns = {column["name"] for column in served.get("additionalPrinterColumns") or ()}
    gone = [c["name"] for c in wanted["additionalPrinterColumns"] if c["name"] not in columns]
    if gone:
        return Finding("warn", check, f"columns are missing: {summarize(gone)}")
    return Finding("ok", check, f"{VERSION}, with every field and column")


def check_operator(
    before: tuple[Body, ...], after: tuple[Body, ...], age: Callable[[str], float | None]
) -> Iterator[Finding]:
    """Whether there is a leader, and how many replicas there are.

    `after` are the Leases some seconds after `before`: a Lease that was renewed in between is
    fresh whatever the clocks say. `age` gives the seconds since a time, by our own clock.
    """
    leases = {name_of(body): body for body in after}
    earlier = {name_of(body): _renewed(body) for body in before}
    leader = spec_of(leases.get(LEASE, {})).get("holderIdentity")
    if LEASE not in leases or not leader:
        yield Finding("FAIL", "operator", "nobody leads: does an operator run?")
    else:
        yield _check_leader(str(leader), earlier.get(LEASE, ""), _renewed(leases[LEASE]), age)
    living = [
        name.removeprefix(f"{LEASE}-")
        for name, body in sorted(leases.items())
        if REPLICA_LABEL in ((body.get("metadata") or {}).get("labels") or {})
        and (age(_renewed(body)) or 0.0) <= REPLICA_GONE_AFTER_S
    ]
    if len(living) > 1:
        yield Finding("ok", "replicas", summarize(living))
    else:
        only = f"{living[0]} alone" if living else "none has announced itself"
        why = "nobody takes over when it dies" if living else "agents know no operator"
        yield Finding("warn", "replicas", f"{only}: {why}")


def _check_leader(
    leader: str, before: str, renewed: str, age: Callable[[str], float | None]
) -> Finding:
    seconds = age(renewed)
    has_moved = before != renewed
    if seconds is None or (abs(seconds) > LEASE_LATE_AFTER_S and not has_moved):
        when = "never" if seconds is None else f"{seconds:.0f} s ago"
        why = f"{leader} leads, but its Lease was last renewed {when}"
        return Finding("FAIL", "operator", why)
    if abs(seconds) > LEASE_LATE_AFTER_S:
        why = f"{leader} leads; its clock and this one differ by {abs(seconds):.0f} s"
        return Finding("warn", "operator", why)
    return Finding("ok", "operator", f"{leader} leads")


def is_lease_fresh(leases: tuple[Body, ...], age: Callable[[str], float | None]) -> bool:
    """Whether the leader's Lease is recent by our own clock."""
    renewed = next((_renewed(body) for body in leases if name_of(body) == LEASE), "")
    seconds = age(renewed)
    return seconds is not None and abs(seconds) <= LEASE_LATE_AFTER_S


def _renewed(body: Body) -> str:
    return str(spec_of(body).get("renewTime") or "")


def _schema(version: Body) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def _missing_fields(
    path: str, wanted: Mapping[str, Any], installed: Mapping[str, Any]
) -> Iterator[str]:
    present = installed.get("properties") or {}
    for name, part in (wanted.get("properties") or {}).items():
        if name in present:
            yield from _missing_fields(f"{path}{name}.", part, present[name])
        else:
            yield f"{path}{name}"
    if "items" in wanted and "items" in installed:
        yield from _missing_fields(path, wanted["items"], installed["items"])


def check_pods(pods: tuple[Body, ...]) -> Iterator[Finding]:
    """The pods of the chart that are not ready; without the chart there are none."""
    for body in pods:
        labels = (body.get("metadata") or {}).get("labels") or {}
        ready = condition(body, "Ready")
        if (
            status_of(body).get("phase") in {"Succeeded", "Failed"}
            or ready.get("status") == "True"
        ):
            continue
        why = ready.get("message") or ready.get("reason") or "it has not started"
        check = str(labels.get("app.kubernetes.io/component") or "pods")
        message = f"pod {name_of(body)} is not ready: {why}; its own words are at /readyz"
        yield Finding("FAIL" if check == "operator" else "warn", check, message)


def unservable_duravip(nodes: tuple[Body, ...]) -> Body | None:
    """A DuraVIP with a Node's address, which the webhook must refuse; None: no Node has one."""
    addresses = (
        str(known.get("address"))
        for body in nodes
        for known in status_of(body).get("addresses") or ()
        if known.get("type") == "InternalIP"
    )
    address = next(addresses, None)
    if address is None:
        return None
    metadata = {"name": "duravip-doctor", "namespace": "default"}
    spec = {"address": address}
    return {"apiVersion": API_VERSION, "kind": "DuraVIP", "metadata": metadata, "spec": spec}


def serves_webhooks(pods: Iterable[Body]) -> bool:
    """Whether an operator's pod has the port of the webhook."""
    containers = (c for body in pods for c in spec_of(body).get("containers") or ())
    return any(p.get("name") == "webhook" for c in containers for p in c.get("ports") or ())


def check_webhook(
    configuration: Body | None, refusal: Callable[[], str | None], *, is_served: bool
) -> Finding:
    """Whether the webhook refuses a DuraVIP that can never be served.

    `refusal` tries to write such an object; None: there is nothing to try.
    """
    check = "webhook"
    if configuration is None and is_served:
        why = (
            "the operator waits for it, but somebody has deleted the "
            "ValidatingWebhookConfiguration duravip: upgrade the chart's release to make it again"
        )
        return Finding("FAIL", check, why)
    if configuration is None:
        why = (
            "there is no ValidatingWebhookConfiguration duravip: what can never be served is let "
        )
        return Finding("warn", check, f"{why}in, and found to be Broken later")
    answer = refusal()
    if answer is None:
        return Finding("warn", check, "not checked: no Node has an address")
    if not answer:
        why = (
            "no operator has answered the API server: is its port open, and reachable from there?"
        )
        return Finding("FAIL", check, why)
    return Finding("ok", check, "an address of a node is refused when it is written")

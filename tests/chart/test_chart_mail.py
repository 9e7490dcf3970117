"""The chart's mail: off unless it is asked for, and then with no more than it needs."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml

from duravip_mail.bindings import parse_binding_options, parse_rules
from duravip_mail.cluster import read_objects
from duravip_mail.core.assigning import AssignRule
from duravip_mail.core.postfix_config import PEER_NAME, TRUSTED_PORT
from duravip_mail.core.routes import HAND_OVER_PORT
from duravip_mail.settings import Settings, former_names, settings_from
from lab import charts
from lab.errors import LabError
from lab.processes import run

ON = "--set=mail.enabled=true"
ISSUED = "--set=mail.mmove.certManager.enabled=true"

Objects = dict[tuple[str, str], dict[str, Any]]


def objects(*options: str) -> Objects:
    return {(o["kind"], o["metadata"]["name"]): o for o in charts.rendered(ON, *options)}


def with_values(folder: Path, **mail: Any) -> Objects:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump({"mail": mail}))
    return objects(f"--values={file}")


def pod(made: Objects) -> dict[str, Any]:
    spec = made["DaemonSet", "duravip-mail"]["spec"]["template"]["spec"]
    return dict(spec)


def container(made: Objects, name: str) -> dict[str, Any]:
    all_of_them = [*pod(made)["initContainers"], *pod(made)["containers"]]
    (only,) = [c for c in all_of_them if c["name"] == name]
    return dict(only)


def settings(made: Objects, name: str = "sidecar") -> Settings:
    """What the program makes of the options of a container, on some node."""
    verb, *options = container(made, name)["args"]
    known = {"$(NODE_IPS)": "10.0.0.1,fd00::1", "$(NODE_IP)": "10.0.0.1"}
    for variable, value in known.items():
        options = [option.replace(variable, value) for option in options]
    with pytest.MonkeyPatch.context() as environment:
        for given in container(made, name)["env"]:
            environment.setenv(given["name"], given.get("value", "n1"))
        found = settings_from(verb, options)
    assert isinstance(found, Settings)
    return found


def test_without_it_there_is_nothing_of_it() -> None:
    assert not [o for o in charts.rendered() if "mail" in o["metadata"]["name"]]


def test_helm_finds_no_fault_in_it() -> None:
    charts.lint(ON)
    charts.lint(ON, ISSUED, "--set=ipFamily=IPv6", "--set=mail.exposeMetrics=true")


def test_it_may_watch_bindings_and_what_follows_them_and_nothing_else() -> None:
    made = objects()
    assert made["ClusterRole", "duravip-mail"]["rules"] == [
        {
            "apiGroups": ["duravip.io"],
            "resources": ["vipbindings", "duravips"],
            "verbs": ["list", "watch"],
        }
    ]
    (subject,) = made["ClusterRoleBinding", "duravip-mail"]["subjects"]
    assert subject["name"] == pod(made)["serviceAccountName"] == "duravip-mail"
    assert ("Role", "duravip-mail") not in made


def test_it_has_the_capabilities_that_postfix_needs_and_no_other() -> None:
    made = objects()
    for name in ("configure", "postfix", "sidecar"):
        security = container(made, name)["securityContext"]
        assert security["capabilities"]["drop"] == ["ALL"]
        assert set(security["capabilities"]["add"]) == {
            "CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID",
        }  # fmt: skip
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False


def test_postfix_is_told_by_its_number_which_is_the_same_for_both() -> None:
    assert pod(objects())["shareProcessNamespace"] is True
    assert pod(objects())["hostNetwork"] is True


def test_the_queue_is_in_a_folder_of_the_node() -> None:
    made = objects("--set=mail.spool=/srv/mail")
    (volume,) = [v for v in pod(made)["volumes"] if v["name"] == "spool"]
    assert volume["hostPath"] == {"path": "/srv/mail", "type": "DirectoryOrCreate"}
    for name in ("configure", "postfix", "sidecar"):
        mounts = {m["name"]: m["mountPath"] for m in container(made, name)["volumeMounts"]}
        assert mounts["spool"] == "/srv/mail"
    assert container(made, "postfix")["command"][-1] == "/srv/mail/etc"
    assert str(settings(made).folder) == "/srv/mail"
    assert settings(made).bindings_file.parent == settings(made).folder


def test_it_asks_the_agent_where_that_listens() -> None:
    made = objects("--set=agent.localApi.directory=/run/vips", "--set=agent.localApi.group=4321")
    assert settings(made).agent == "unix:/run/vips/agent.sock"
    (agent,) = made["DaemonSet", "duravip-agent"]["spec"]["template"]["spec"]["containers"]
    assert "--local-listen=unix:/run/vips/agent.sock" in agent["args"]
    assert pod(made)["securityContext"]["supplementalGroups"] == [4321]
    with pytest.raises(LabError, match=r"mail.enabled needs agent.localApi.enabled"):
        objects("--set=agent.localApi.enabled=false")


def test_the_values_are_what_the_program_reads(tmp_path: Path) -> None:
    made = with_values(
        tmp_path,
        networks=["10.0.0.0/8", "fd00::/8"],
        headerTrust=["10.2.0.1"],
        aliases={"old": "new", "older": "new"},
        assign=[{"sender": "@x.example", "binding": "new"}, {"user": "me", "group": "bulk"}],
        postfix={"message_size_limit": 1000, "smtputf8_enable": False},
        bindings={"new": {"helo": "mx.example", "postfix": {"smtp_tls_security_level": "may"}}},
    )
    for name in ("configure", "sidecar"):
        found = settings(made, name)
        assert found.networks == "10.0.0.0/8,fd00::/8"
        assert found.header_trust == "10.2.0.1/32"
        assert found.bindings_from == "cluster"
        assert former_names(found) == {"old": "new", "older": "new"}
    files = made["ConfigMap", "duravip-mail"]["data"]
    assert parse_rules(files["assign.json"].encode()) == (
        AssignRule("new", sender="@x.example"),
        AssignRule(group="bulk", user="me"),
    )
    options = parse_binding_options(files["binding-options.json"].encode())
    assert options == {"new": ("smtp_helo_name=mx.example", "smtp_tls_security_level=may")}
    lines = files["more.cf"].splitlines()[1:]
    assert lines == ["message_size_limit = 1000", "smtputf8_enable = no"]
    (volume,) = [v for v in pod(made)["volumes"] if v["name"] == "config"]
    assert volume["configMap"]["name"] == "duravip-mail"


def test_what_is_read_at_the_start_starts_it_anew() -> None:
    def stamp(*options: str) -> str:
        made = objects(*options)["DaemonSet", "duravip-mail"]["spec"]["template"]["metadata"]
        return str(made["annotations"]["duravip.io/config"])

    assert stamp() == stamp()
    assert stamp() != stamp("--set=mail.postfix.message_size_limit=1000")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("mail.assign[0].sender=a", "missing property 'binding'"),
        ("mail.networks={everybody}", "does not match pattern"),
        ("mail.aliases.old=New", "does not match pattern"),
        ("mail.spool=var/mail", "does not match pattern"),
        ("mail.bindings.a.hello=b", "additional properties 'hello' not allowed"),
    ],
)
def test_a_wrong_value_is_refused(value: str, complaint: str) -> None:
    with pytest.raises(LabError, match=complaint):
        charts.rendered("--set", value)


def test_its_ports_are_those_of_postfix() -> None:
    def ports(*options: str) -> dict[str, int]:
        found = container(objects(*options), "postfix")["ports"]
        return {port["name"]: port["containerPort"] for port in found}

    assert ports() == {"smtp": 25, "mmove": HAND_OVER_PORT}
    assert ports("--set=mail.headerTrust={10.0.0.1}")["trusted"] == TRUSTED_PORT


@pytest.mark.parametrize(
    ("options", "listens", "host"),
    [
        ((), "127.0.0.1:9482", "127.0.0.1"),
        (("--set=ipFamily=IPv6",), "[::1]:9482", "::1"),
        (("--set=mail.exposeMetrics=true",), "10.0.0.1:9482", None),
    ],
)
def test_the_kubelet_asks_where_it_answers(
    options: tuple[str, ...], listens: str, host: str | None
) -> None:
    made = objects(*options)
    assert settings(made).http_listen == listens
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(made, "sidecar")[probe]["httpGet"].get("host") == host
    for probe in ("startupProbe", "livenessProbe"):
        assert container(made, "postfix")[probe]["tcpSocket"]["host"] in {"127.0.0.1", "::1"}


def test_nodes_know_each_other_by_the_certificate_that_helm_makes(tmp_path: Path) -> None:
    made = objects()
    secret = made["Secret", "duravip-mail-tls"]["data"]
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(b64decode(secret[name]))
    names = ["-verify_hostname", PEER_NAME, "-CAfile", str(tmp_path / "ca.crt")]
    for purpose in ("sslserver", "sslclient"):
        run(["openssl", "verify", "-purpose", purpose, *names, str(tmp_path / "tls.crt")])
    assert mounted(made) == "duravip-mail-tls"


def test_a_certificate_of_ones_own_is_used() -> None:
    made = objects("--set=mail.mmove.existingSecret=mine")
    assert mounted(made) == "mine"
    assert ("Secret", "duravip-mail-tls") not in made


def test_cert_manager_issues_it_by_an_authority_of_its_own_or_by_one_that_is_named() -> None:
    made = objects(ISSUED)
    certificate = made["Certificate", "duravip-mail"]["spec"]
    assert certificate["dnsNames"] == [PEER_NAME]
    assert {"server auth", "client auth"} <= set(certificate["usages"])
    assert mounted(made) == certificate["secretName"]
    assert certificate["issuerRef"] == {"name": "duravip-mail", "kind": "Issuer"}
    authority = made["Certificate", "duravip-mail-authority"]["spec"]
    assert authority["isCA"] is True
    issuer = made["Issuer", "duravip-mail"]["spec"]
    assert issuer == {"ca": {"secretName": authority["secretName"]}}
    named = objects(ISSUED, "--set=mail.mmove.certManager.issuerRef.name=internal")
    assert named["Certificate", "duravip-mail"]["spec"]["issuerRef"] == {"name": "internal"}
    assert ("Issuer", "duravip-mail") not in named


def mounted(made: Objects) -> str:
    (volume,) = [v for v in pod(made)["volumes"] if v["name"] == "tls"]
    assert volume["secret"]["defaultMode"] == 0o400
    return str(volume["secret"]["secretName"])


def test_its_image_can_be_pinned_by_its_digest() -> None:
    digest = f"sha256:{'0a' * 32}"
    made = objects(f"--set=mail.image.digest={digest}")
    images = {c["image"] for c in (*pod(made)["initContainers"], *pod(made)["containers"])}
    assert images == {f"duravip-mail:0.1.0@{digest}"}
    assert json.dumps(objects()["DaemonSet", "duravip-agent"]).count("duravip-agent:0.1.0") == 1


EXAMPLES = charts.CHART.parents[1] / "docs/examples/mail"


def test_the_example_of_the_page_is_what_the_chart_takes() -> None:
    values = EXAMPLES / "values.yaml"
    files = objects(f"--values={values}")["ConfigMap", "duravip-mail"]["data"]
    (rule,) = parse_rules(files["assign.json"].encode())
    bodies = list(yaml.safe_load_all((EXAMPLES / "bindings.yaml").read_text()))
    bindings = [body for body in bodies if body["kind"] == "Binding"]
    found, problems = read_objects(bindings, [body for body in bodies if body not in bindings], {})
    assert not problems
    assert {binding.group for binding in found} == {rule.group}
    assert found[0].listeners == ("10.1.1.23",)
    named = parse_binding_options(files["binding-options.json"].encode())
    assert set(named) == {binding.name for binding in found}

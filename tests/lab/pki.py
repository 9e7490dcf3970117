"""Who is who in a lab: its certificates, bearer tokens and kubeconfigs.

Only the API server has a certificate to show. Everybody else has a bearer token, from a file that
the API server reads at start: RBAC, and the rules for kubelets, work with those alike.
"""

import base64
import json
import secrets
from pathlib import Path
from typing import Final

from lab.layout import API_ADDRESS, API_URL, SERVICE_ADDRESS, Layout
from lab.processes import run

DAYS: Final = "3650"
NAMES: Final = ",".join(
    [
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local",
        "DNS:localhost",
        "IP:127.0.0.1",
        f"IP:{API_ADDRESS}",
        f"IP:{SERVICE_ADDRESS}",
    ]
)
CONFIG: Final = "[req]\ndistinguished_name = dn\n[dn]\n"
"""Else openssl adds what the distribution's own file says."""
CA: Final = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier=hash",
)
LEAF: Final = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
)
LOCAL: Final = "https://127.0.0.1:6443"
ADMIN: Final = "admin"
"""May do everything. Its kubeconfig works in the root namespace, through the door."""
INSIDE: Final = "inside"
"""The same user for programs inside the machines."""


class Pki:
    """The certificates and identities of one lab."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.folder = layout.home / "pki"

    def create(self, nodes: list[str], door: str) -> None:
        """Write all keys, certificates, tokens and kubeconfigs."""
        self.folder.mkdir(mode=0o700)
        self.file("openssl.cnf").write_text(CONFIG)
        self._certificate("ca", "/CN=lab-ca", CA)
        server = (*LEAF, f"subjectAltName={NAMES}", "extendedKeyUsage=serverAuth")
        self._certificate("apiserver", "/CN=kube-apiserver", server, signer="ca")
        kubelets = "/O=system:masters/CN=kube-apiserver-kubelet-client"
        client = (*LEAF, "extendedKeyUsage=clientAuth")
        self._certificate("kubelet-client", kubelets, client, signer="ca")
        self._certificate("sa", "/CN=service-accounts", LEAF[:2])
        self._identities(nodes, door)

    def file(self, name: str) -> Path:
        """One of its files, such as `ca.crt`."""
        return self.folder / name

    def serving(self, folder: Path, name: str) -> None:
        """Write a server's certificate and key there, as a Secret is mounted; `ca.crt` signs it.

        `name` is what it is called by, e.g. `IP:10.77.0.11`.
        """
        folder.mkdir(exist_ok=True)
        server = (*LEAF, f"subjectAltName={name}", "extendedKeyUsage=serverAuth")
        self._certificate("serving", "/CN=server", server, signer="ca")
        for suffix in ("crt", "key"):
            self.file(f"serving.{suffix}").replace(folder / f"tls.{suffix}")

    def kubeconfig(self, file: Path, server: str, token: str) -> Path:
        """Write the kubeconfig of whoever has this token. It may be copied anywhere."""
        authority = base64.b64encode(self.file("ca.crt").read_bytes()).decode()
        cluster = {"server": server, "certificate-authority-data": authority}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "current-context": "lab",
        }
        file.write_text(json.dumps(content, indent=1))
        file.chmod(0o600)
        return file

    def _identities(self, nodes: list[str], door: str) -> None:
        admin = secrets.token_hex()
        lines = [f'{admin},{ADMIN},{ADMIN},"system:masters"']
        self.kubeconfig(self._layout.kubeconfig(ADMIN), door, admin)
        self.kubeconfig(self._layout.kubeconfig(INSIDE), API_URL, admin)
        users = [
            ("kube-controller-manager", "system:kube-controller-manager", "", LOCAL),
            ("kube-scheduler", "system:kube-scheduler", "", LOCAL),
            ("kube-proxy", "system:kube-proxy", "", API_URL),
            *((node, f"system:node:{node}", "system:nodes", API_URL) for node in nodes),
        ]
        for name, user, groups, server in users:
            token = secrets.token_hex()
            lines.append(f'{token},{user},{user},"{groups}"')
            self.kubeconfig(self._layout.kubeconfig(name), server, token)
        self.file("tokens.csv").write_text("\n".join(lines) + "\n")

    def _certificate(
        self, name: str, subject: str, extensions: tuple[str, ...], signer: str = ""
    ) -> None:
        argv = ["openssl", "req", "-x509", "-nodes", "-days", DAYS, "-subj", subject]
        argv += ["-config", str(self.file("openssl.cnf"))]
        argv += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        argv += ["-keyout", str(self.file(f"{name}.key")), "-out", str(self.file(f"{name}.crt"))]
        for extension in extensions:
            argv += ["-addext", extension]
        if signer:
            argv += ["-CA", str(self.file(f"{signer}.crt"))]
            argv += ["-CAkey", str(self.file(f"{signer}.key"))]
        run(argv)

"""Bearer tokens that end soon: the API server itself gives none for less than ten minutes."""

import base64
import json
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ISSUER: Final = "https://kubernetes.default.svc"
LEEWAY: Final = 60.0
"""The API server takes a token for so much longer than it says."""
REMEMBERED: Final = 10.0
"""And what it has taken once it does not look at again for so long."""


def token(key: Path, account: tuple[str, str, str], lasts: float) -> str:
    """For a ServiceAccount, `(namespace, name, uid)`, and for so many seconds, leeway included."""
    namespace, name, uid = account
    now = time.time()
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "iat": int(now - 600),
        "nbf": int(now - 600),
        "exp": int(now + lasts - LEEWAY),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
    }
    said = f"{_part({'alg': 'ES256', 'typ': 'JWT'})}.{_part(claims)}"
    private = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(said.encode(), ECDSA(SHA256())))
    return f"{said}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _part(fields: object) -> str:
    return _encoded(json.dumps(fields).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

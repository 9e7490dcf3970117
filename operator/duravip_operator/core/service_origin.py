"""DuraVIPs that the operator has generated: the Service that each of them stands for.

The label names the Service, for people and their tools. The owner reference names the very one,
by its uid: Kubernetes deletes the DuraVIP with it, and a Service of the same name that is created
later is another one. A DuraVIP is a generated one only if both agree.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from duravip_api.services import POOL, SERVICE_LABEL
from duravip_api.untrusted import mapping_of

MAX_OWNERS: Final = 16
"""More owner references are ignored: the operator writes one."""
LONGEST_NAME: Final = 253
"""Characters of a name."""


class ServiceOrigin(NamedTuple):
    """The Service that a DuraVIP was generated for."""

    name: str
    uid: str
    pool: str = ""
    """The AddressPool that its address came from; empty: from none."""


def parse_origin(body: Mapping[str, Any]) -> ServiceOrigin | None:
    """The Service that an object was generated for; None: people have made it."""
    meta = mapping_of(body.get("metadata"))
    name = mapping_of(meta.get("labels")).get(SERVICE_LABEL)
    owners = meta.get("ownerReferences") if name else None
    for item in owners[:MAX_OWNERS] if isinstance(owners, list) else ():
        owner = mapping_of(item)
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) == (
            "v1",
            "Service",
            name,
        ):
            pool = str(mapping_of(meta.get("annotations")).get(POOL) or "")[:LONGEST_NAME]
            return ServiceOrigin(str(name), str(owner.get("uid") or ""), pool)
    return None

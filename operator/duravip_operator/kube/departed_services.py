"""Services that are LoadBalancers no more: our condition has to leave their status.

The watch shows Services of that type alone, so one of another type looks as if it were deleted.
Whether it is, only the API server's answer to the write tells. Until there is one, it is due.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from duravip_api.services import READY_CONDITION
from duravip_operator.core.service_objects import ServiceObject
from duravip_operator.core.snapshot import VipObject
from duravip_operator.kube.service_writes import ObjectWrite

WITHOUT_CONDITION: Final[Mapping[str, Any]] = {
    "status": {"conditions": [{"type": READY_CONDITION, "$patch": "delete"}]}
}
"""The strategic merge patch; the API server itself empties `status.loadBalancer`."""


class DepartedServices:
    """Without threads and requests; all names are `namespace/name`."""

    def __init__(self) -> None:
        self._marked: dict[str, str] = {}
        """The uid of each Service that had our condition when we looked last."""
        self._departed: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether there were Services with our condition, or there are departed ones."""
        return bool(self._marked or self._departed)

    def look(self, services: Mapping[str, ServiceObject], generated: Iterable[VipObject]) -> None:
        """Take note of who is there.

        A Service that has a `generated` DuraVIP and is not there may have departed while another
        replica led.
        """
        known = dict(self._marked)
        known |= {f"{v.namespace}/{v.origin.name}": v.origin.uid for v in generated if v.origin}
        self._departed |= known
        for key in self._departed.keys() & services.keys():
            del self._departed[key]
        self._marked = {key: one.uid for key, one in services.items() if one.status.condition}

    def writes(self) -> dict[str, ObjectWrite]:
        """What is to be written to them."""
        return {
            key: ObjectWrite("status", WITHOUT_CONDITION, uid)
            for key, uid in self._departed.items()
        }

    def answered(self, name: str) -> None:
        """The API server has written it, or will not."""
        self._departed.pop(name, None)

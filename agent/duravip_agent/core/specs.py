"""Which version of the node's object is acted on.

S1  Nothing is acted on that is older than the answer to this boot's first report (`introduced`).
S2  A higher resourceVersion is a later state; an earlier one, from a slower source, is ignored.
S3  A spec with an epoch lower than the highest one seen was written by a former leader. It is
    refused and the one before stays in force; so is a spec that cannot be read.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from duravip_agent.core.grant import Grant, grant_of, version_of

Body = Mapping[str, Any]


class Specs:
    """What was seen of the object so far."""

    def __init__(self) -> None:
        self.grant = Grant()
        """What is in force; its uid is empty when it belongs to no object that exists."""
        self.epoch: int | None = None
        """The highest one seen."""
        self.newest_read = 0
        """The generation that was seen last, in force or not."""
        self.refusal = ""
        """Why the spec that was seen last is not in force; empty = it is."""
        self.is_introduced = False
        self._version = 0
        self._uid = ""

    def introduced(self, body: Body) -> None:
        """The API server has stored a report of this boot; the object was like this then."""
        if not self.is_introduced:
            self.is_introduced = True
            self._version = version_of(body)
            self.epoch = (body.get("status") or {}).get("epoch")

    def lose(self) -> bool:
        """The object is gone; gives back whether that is news. What it granted stays in force."""
        is_news = bool(self._uid)
        self._uid, self.newest_read = "", 0
        self.grant = replace(self.grant, uid="")
        return is_news

    def is_news(self, body: Body) -> bool:
        """Whether this is another spec than the one seen last, and a later one."""
        is_later = self.is_introduced and version_of(body) >= self._version
        return is_later and _identity(body) != (self._uid, self.newest_read)

    def take(self, body: Body) -> bool:
        """The object was seen like this; gives back whether there is something to act on."""
        is_news = self.is_news(body)
        self._version = max(self._version, version_of(body))
        if not is_news:
            return False
        self._uid, self.newest_read = _identity(body)
        try:
            grant = grant_of(body)
        except ValueError as error:
            self.refusal = f"the spec is not understood: {' '.join(str(error).split())}"
            return True
        if self.epoch is not None and grant.epoch < self.epoch:
            self.refusal = f"epoch {grant.epoch} of the spec is lower than {self.epoch}"
            return True
        self.grant, self.epoch, self.refusal = grant, grant.epoch, ""
        return True


def _identity(body: Body) -> tuple[str, int]:
    return body["metadata"].get("uid", ""), body["metadata"].get("generation", 0)

"""Which datagrams are believed, and of whom.

A datagram counts only for the node whose key it is signed with, only if NodePlumbing names that
key, and a beat only if it comes from the very start (`boot`) of the agent that NodePlumbing names:
nobody but the node itself can write that. What nobody we know can have sent is dropped before
anything is hashed.

The key that agents of older versions shared counts for a node only while its NodePlumbing
shows that the node cannot sign in any other way: its status names no public key, or its spec,
which a leader of such a version has written, names none of any replica.

Of each node no more heartbeats count than an agent sends (`HeartbeatRateLimit`).
"""

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Final, NamedTuple

from duravip_api.heartbeat import (
    Ack,
    AnyDatagram,
    Heartbeat,
    ProbeReport,
    ProbeRequest,
    decode_any,
    encode,
    is_signed,
)
from duravip_runtime.secure_channel import (
    OPERATOR,
    Channel,
    KeyPair,
    Party,
    content_of,
    key_id,
    key_id_of,
)

BEATS_PER_SECOND: Final = 100.0
BEATS_BURST: Final = 200.0
"""An agent sends ten a second, and a few more for each new spec."""


class DropReason(Enum):
    """Why a datagram was dropped."""

    UNKNOWN = "unknown"
    """No node that we know can have signed it."""
    SIGNATURE = "signature"
    """It names a key of a node, and is not signed with it."""
    MALFORMED = "malformed"
    """It is signed, and no valid datagram for us."""
    SENDER = "sender"
    """It speaks for another node than the one whose key it is signed with."""
    BOOT = "boot"
    """It is of another start of the agent than NodePlumbing names."""
    FLOOD = "flood"
    """The node sends more than any agent does."""
    REPLAY = "replay"
    """It was heard before, or a later one was."""
    ERROR = "error"
    """It has made us fail: a bug."""


class AgentIdentity(NamedTuple):
    """What NodePlumbing says of a node's agent."""

    boot: str
    public_key: str
    """Empty: an agent of an older version."""
    is_shared_key_allowed: bool
    """Whether it can sign with nothing but the key that the cluster shares."""


class AuthenticDatagram(NamedTuple):
    """A datagram that is believed."""

    node: str
    datagram: Heartbeat | ProbeReport


def objection(datagram: AnyDatagram | None, node: str, agent: AgentIdentity) -> DropReason | None:
    """Why a datagram is not believed that this node has signed; None: it is."""
    if not isinstance(datagram, Heartbeat | ProbeReport):
        return DropReason.MALFORMED
    if (datagram.node if isinstance(datagram, Heartbeat) else datagram.scout) != node:
        return DropReason.SENDER
    if isinstance(datagram, Heartbeat) and datagram.boot != agent.boot:
        return DropReason.BOOT
    return None


class Authenticator:
    """Opens what comes from agents, and seals what goes to them."""

    def __init__(self, keys: KeyPair) -> None:
        self._keys = keys
        self._us = Party(OPERATOR, keys.public_key)
        self._agents: dict[str, AgentIdentity] = {}
        self._by_key_id: dict[bytes, str] = {}
        self._channels: dict[str, Channel | None] = {}
        """Made when they are first needed; None: the public key is none."""
        self._shared_key_nodes: set[str] = set()
        """The nodes whose last datagram was signed with the key that the cluster shares."""
        self.shared_keys: tuple[bytes, ...] = ()
        """Those of the key file."""
        self._is_shared_key_allowed = False

    def update_agents(self, agents: Mapping[str, AgentIdentity | None]) -> None:
        """NodePlumbing says this of these nodes now; None: there is no such node any more."""
        for name, agent in agents.items():
            self._forget(name)
            if agent is None:
                continue
            self._agents[name] = agent
            if agent.public_key:
                self._by_key_id[key_id(Party(name, agent.public_key), self._us)] = name
        allowed = (agent.is_shared_key_allowed for agent in self._agents.values())
        self._is_shared_key_allowed = any(allowed)

    def _forget(self, name: str) -> None:
        before = self._agents.pop(name, None)
        if before and before.public_key:
            self._by_key_id.pop(key_id(Party(name, before.public_key), self._us), None)
        self._channels.pop(name, None)
        self._shared_key_nodes.discard(name)

    def open(self, data: bytes) -> AuthenticDatagram | DropReason:
        """Read a datagram, or say why it is dropped."""
        found = key_id_of(data)
        node = self._by_key_id.get(found) if found else None
        if node is None:
            return self._open_with_shared_key(data)
        channel = self._channel(node)
        if channel is None or not channel.is_signed(data):
            return DropReason.SIGNATURE
        self._shared_key_nodes.discard(node)
        return self._checked(content_of(data), node)

    def seal(self, node: str, datagram: Ack | ProbeRequest) -> bytes | None:
        """Sign a datagram so that this node takes it; None: we share no key with it."""
        if node in self._shared_key_nodes:
            return encode(datagram, self.shared_keys) if self.shared_keys else None
        channel = self._channel(node)
        return channel.sealed(datagram) if channel else None

    def _open_with_shared_key(self, data: bytes) -> AuthenticDatagram | DropReason:
        if not (self._is_shared_key_allowed and is_signed(data, self.shared_keys)):
            return DropReason.UNKNOWN
        datagram = decode_any(data, self.shared_keys)
        if not isinstance(datagram, Heartbeat | ProbeReport):
            return DropReason.MALFORMED
        node = datagram.node if isinstance(datagram, Heartbeat) else datagram.scout
        agent = self._agents.get(node)
        if agent is None or not agent.is_shared_key_allowed:
            return DropReason.SENDER
        self._shared_key_nodes.add(node)
        return self._checked(datagram, node)

    def _checked(self, datagram: AnyDatagram | None, node: str) -> AuthenticDatagram | DropReason:
        wrong = objection(datagram, node, self._agents[node])
        if wrong or not isinstance(datagram, Heartbeat | ProbeReport):
            return wrong or DropReason.MALFORMED
        return AuthenticDatagram(node, datagram)

    def _channel(self, node: str) -> Channel | None:
        if node not in self._channels:
            self._channels[node] = None
            if agent := self._agents.get(node):
                with suppress(ValueError):
                    party = Party(node, agent.public_key)
                    self._channels[node] = self._keys.channel(OPERATOR, party)
        return self._channels[node]


class HeartbeatRateLimit:
    """A token bucket for each node. Times are arguments, in seconds of one steady clock."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        """By node, how many may still pass, and when that was so."""

    def allows(self, node: str, now: float) -> bool:
        """Whether one more may pass; if so, it has."""
        left, at = self._buckets.get(node, (BEATS_BURST, now))
        left = min(BEATS_BURST, left + max(0.0, now - at) * BEATS_PER_SECOND)
        is_allowed = left >= 1
        self._buckets[node] = (left - 1 if is_allowed else left, now)
        return is_allowed

    def forget(self, node: str) -> None:
        """The node is gone."""
        self._buckets.pop(node, None)

"""What decides about safety, and the tests that have to notice when it is cut."""

from typing import Final, NamedTuple

TIMEOUT: Final = 300.0
"""A mutant that makes a test wait for ever is found as well, after so many seconds."""
HISTORIES: Final = "tests/mutation/histories.py"


class Target(NamedTuple):
    """A module whose rules are cut, one at a time."""

    file: str
    tests: tuple[str, ...]
    """The quickest first: a mutant is dead with the first that fails."""
    only: tuple[str, ...] = ()
    """The functions that are looked at; empty: all."""

    @property
    def module(self) -> str:
        """Its name as it is imported."""
        return self.file.partition("/")[2].removesuffix(".py").replace("/", ".")


def _operator(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/operator/test_{name}.py" for name in names)


def _agent(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/agent/test_{name}.py" for name in names)


TARGETS: Final = (
    Target("agent/duravip_agent/core/watchdog_rule.py",
           (*_agent("watchdog_rule", "fencing_boundaries", "fencing", "reconciler"), HISTORIES)),
    Target("agent/duravip_agent/core/fencing.py",
           (*_agent("fencing_boundaries", "fencing", "reconciler"), HISTORIES)),
    Target("agent/duravip_agent/core/acknowledgements.py",
           _agent("acknowledgements", "spec_tracker_restored")),
    Target("agent/duravip_agent/core/spec_tracker.py",
           _agent("spec_tracker", "spec_tracker_restored")),
    Target("agent/duravip_agent/core/probing.py", _agent("probing")),
    Target("operator/duravip_operator/core/snapshot.py", _operator("handover_fencing"),
           ("Snapshot.is_gone", "Plumbing.is_strict_on", "Plumbing.has_acted",
            "Plumbing.granted")),
    Target("operator/duravip_operator/core/handover.py",
           _operator("handover", "handover_fencing", "handover_heartbeats", "releases",
                     "restored_store", "releases_unconfirmed")),
    Target("operator/duravip_operator/core/releases.py",
           _operator("releases", "handover", "handover_heartbeats", "releases_unconfirmed",
                     "restored_store", "handover_fencing")),
    Target("operator/duravip_operator/core/heartbeat_evidence.py",
           _operator("heartbeat_evidence", "handover", "handover_heartbeats",
                     "restored_store")),
    Target("operator/duravip_operator/core/nodeplumbing_spec.py",
           _operator("nodeplumbing_spec", "nodeplumbing_spec_order",
                     "releases_unconfirmed")),
)  # fmt: skip

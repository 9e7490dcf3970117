"""What decides about safety, and the tests that have to notice when it is cut."""

from typing import Final, NamedTuple

TIMEOUT: Final = 300.0
"""A mutant that makes a test wait for ever is found as well, after so many seconds."""
HISTORIES: Final = "tests/mutation/histories.py"
SCENARIOS: Final = "tests/mutation/readiness_scenarios.py"
SERVICES: Final = "tests/mutation/service_scenarios.py"


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
           (*_agent("fencing_boundaries", "fencing", "fencing_stale_grants", "reconciler"),
            HISTORIES)),
    Target("agent/duravip_agent/core/acknowledgements.py",
           _agent("acknowledgements", "spec_tracker_restored")),
    Target("agent/duravip_agent/core/spec_tracker.py",
           _agent("spec_tracker", "spec_tracker_restored")),
    Target("agent/duravip_agent/core/probing.py", _agent("probing")),
    Target("operator/duravip_operator/core/snapshot.py", _operator("snapshot"),
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
    Target("operator/duravip_operator/core/readiness.py",
           (*_operator("readiness", "decision"), SCENARIOS)),
    Target("operator/duravip_operator/core/eligible.py",
           (*_operator("eligible", "readiness", "eligibility", "election"), SCENARIOS)),
    Target("operator/duravip_operator/core/endpoints.py",
           _operator("endpoints", "endpoint_slices", "readiness")),
    Target("operator/duravip_operator/core/stability.py",
           _operator("stability", "failback", "well_nodes")),
    Target("operator/duravip_operator/core/failback.py",
           _operator("failback", "election", "balancing", "address_status")),
    Target("operator/duravip_operator/core/well_nodes.py", _operator("well_nodes", "failback")),
    Target("operator/duravip_operator/core/interface_choice.py",
           _operator("interface_choice", "topologies", "eligibility", "snapshot")),
    Target("operator/duravip_operator/core/silent_nodes.py",
           _operator("silent_nodes", "eligibility", "handover")),
    Target("operator/duravip_operator/core/address_holders.py",
           (*_operator("address_holders", "service_addresses", "service_vips"), SERVICES)),
    Target("operator/duravip_operator/core/service_addresses.py",
           (*_operator("service_addresses", "service_addresses_edges", "service_vips_settled",
                       "service_vips"), SERVICES)),
    Target("operator/duravip_operator/core/service_vips.py",
           (*_operator("service_vips", "service_vips_settled", "service_addresses",
                       "service_statuses"), SERVICES)),
    Target("operator/duravip_operator/core/service_origin.py", _operator("service_origin")),
    Target("operator/duravip_operator/core/generated_vips.py",
           _operator("generated_vips", "service_vips")),
    Target("operator/duravip_operator/kube/service_writes.py", _operator("service_writes")),
    Target("operator/duravip_operator/kube/departed_services.py",
           _operator("departed_services")),
    Target("agent/duravip_agent/core/node_spec.py", _agent("node_spec"),
           ("_affordable", "NodeSpec.guarded")),
    Target("crds/duravip_api/guards.py", ("tests/unit/api/test_guards.py",)),
    Target("agent/duravip_agent/core/checks.py", _agent("checks")),
    Target("agent/duravip_agent/core/check_targets.py", _agent("check_targets")),
)  # fmt: skip

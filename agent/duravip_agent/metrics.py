"""What the agent counts."""

from duravip_runtime.program_metrics import ProgramMetrics


class Metrics(ProgramMetrics):
    """What the agent counts. No label names an address: there may be thousands."""

    def __init__(self, version: str) -> None:
        super().__init__("duravip_agent")
        self.info = self._gauge("info", "Always 1; its labels name the program.", "version")
        self.info.labels(version).set(1)
        self.granted = self._gauge("granted_addresses", "Addresses that the node is granted.")
        self.served = self._gauge("served_addresses", "Addresses that the node serves.")
        self.held = self._gauge("held_addresses", "Addresses that the fence lets be heard.")
        self.contested = self._gauge(
            "contested_addresses", "Granted addresses that another host answers for."
        )
        self.failing = self._gauge("failing_addresses", "Addresses that cannot be plumbed.")
        self.plumbed = self._counter("plumbed", "Addresses that were plumbed.")
        self.repaired = self._counter(
            "repaired", "Addresses that were plumbed again since something had removed them."
        )
        self.withdrawn = self._counter("withdrawn", "Addresses that were removed.")
        self.refused = self._counter("refused_changes", "Changes that the kernel refused.")
        self.frames = self._counter(
            "announcement_frames", "Announcements that were sent: ARP and ND frames."
        )
        self.requests = self._counter(
            "api_requests", "Requests to the API server.", "verb", "code"
        )
        self.realtime = self._gauge(
            "realtime", "1: the thread that beats has a real-time priority; 0: it is refused."
        )
        self.well = self._gauge(
            "well", "0: something keeps the node from serving anything (the condition Ready says)."
        )
        self.denied = self._gauge(
            "denied", "1: the API server has not known the agent for a minute (401)."
        )
        self.refused_refreshes = self._gauge(
            "refused_refreshes", "Refreshes of the dead-man that the kernel refused so far."
        )
        self.heard_frames = self._gauge(
            "heard_frames", "Frames about addresses near ours that were listened to so far."
        )
        self.lost_frames = self._gauge(
            "lost_frames", "Frames for which there was no room in the kernel so far."
        )
        self.held_back = self._gauge(
            "held_back_claims", "Claims that came too fast for the loop to hear of so far."
        )
        self.beats = self._counter("beats_sent", "Beats that were sent, to each replica.")
        self.acks = self._counter("acknowledgements", "Beats that were acknowledged.")
        self.lost_beats = self._counter(
            "beats_lost", "Beats that no leader has acknowledged within five seconds."
        )
        self.drops = self._counter(
            "datagrams_dropped", "Datagrams that were not believed, by the reason.", "reason"
        )
        self.muted = self._counter("muted", "Addresses that were muted.")
        self.yielded = self._counter("yielded", "Addresses that were left to who claims them.")
        self.defended = self._counter("defended", "Addresses that were defended by announcing.")
        self.claims = self._counter("claims", "Claims of our addresses by other hosts.")
        self.probed = self._counter("probed", "Contested addresses that were asked about.")
        self.late = self._counter("late_arms", "Addresses that were armed too late: muted again.")
        self.lapses = self._counter(
            "lapses", "How often everything fell silent: too late, or unfenced."
        )
        self.rebuilt = self._counter("fence_rebuilds", "How often the fence was built again.")
        self.ended = self._counter(
            "ended_connections", "Connections of released addresses that were ended.", "kind"
        )
        self.not_ended = self._counter(
            "ended_connections_failures", "How often that could not be done.", "kind"
        )
        self.checks = self._counter(
            "checks", "Probes that checks of the node have made, by what came of them.", "result"
        )
        self.check_seconds = self._histogram(
            "check_seconds",
            "How long a probe of a check took.",
            (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
        )
        self.looks = self._counter("looks", "Looks at other nodes, by what was seen.", "verdict")
        self.refresh_gap = self._histogram(
            "refresh_gap_seconds",
            "From one refresh of the dead-man to the next.",
            (0.105, 0.11, 0.12, 0.15, 0.2, 0.3, 0.4, 0.5),
        )
        self.step = self._histogram(
            "step_seconds",
            "How long one step of the loop took.",
            (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
        )

"""What is counted of mail."""

from duravip_runtime.program_metrics import ProgramMetrics


class Metrics(ProgramMetrics):
    """What is counted of a node's mail. Bindings are labels: there are some hundreds at most."""

    def __init__(self, version: str) -> None:
        super().__init__("duravip_mail")
        self.info = self._gauge("info", "Always 1; its labels name the program.", "version")
        self.info.labels(version).set(1)
        self.queued = self._gauge(
            "queued", "Messages in the queue of this node.", "binding", "state"
        )
        self.delivered = self._counter(
            "delivered",
            "Tries to deliver mail of a Binding, one for each recipient, by Postfix' word.",
            "binding",
            "result",
        )
        self.mmove = self._counter(
            "mmove",
            "Tries to hand mail over to another node, one for each recipient.",
            "direction",
            "binding",
            "result",
        )
        self.mmove_seconds = self._histogram(
            "mmove_seconds",
            "From when a message came to this node until another one had it.",
            (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000),
        )
        self.requeued = self._counter(
            "requeued", "Messages that were given a new route, or tried again early.", "reason"
        )
        self.bind_refused = self._counter(
            "bind_refused",
            "Tries that failed since the address of the Binding is not on this node.",
            "binding",
        )
        self.table_age = self._gauge(
            "table_age_seconds", "Since the tables were last compared with what is served."
        )
        self.agent_connected = self._gauge(
            "agent_connected", "1: the node's agent is followed; 0: what it said last counts."
        )

"""What the pulse's own process, on loopback, lets the neighbours of a silent node look for."""

import os
import signal

from duravip_operator.core.snapshot import Liveness, Suspicion
from duravip_operator.pulse import PulseClient
from duravip_operator.pulse.probe_targets import ProbeTargets, Segment
from processes.pulse_agent import Agent, beating, pid_of, played

ETH1 = Segment("eth1", 4)


def test_a_silent_node_without_an_interface_that_works_breaks_nothing() -> None:
    async def play(pulse: PulseClient, agent: Agent) -> None:
        pulse.expect(frozenset({"n1", "n2"}))
        pulse.update_answers(7, {"n1": 12}, {"n2": {}})
        await beating(agent, lambda: "n1" in pulse.beats())
        process = pid_of(pulse)
        await beating(agent, lambda: pulse.view().hearing["n2"] is Liveness.SUSPECT)
        agent.answers()
        await beating(agent, lambda: any(ack.leader for ack in agent.answers()))
        assert pid_of(pulse) == process

    played(play)


def test_the_neighbours_of_a_silent_node_are_asked() -> None:
    roster = {
        "n1": {ETH1: ProbeTargets(("10.1.0.1",), ("10.1.1.1",), ("02:00:00:00:00:01",))},
        "n2": {ETH1: ProbeTargets(("10.1.0.2",), (), ("02:00:00:00:00:02",))},
    }

    async def play(pulse: PulseClient, agent: Agent) -> None:
        scout = Agent(pulse, name="n2")
        pulse.update_agents({"n1": agent.known(), "n2": scout.known()})

        def beat_both() -> bool:
            agent.beat()
            agent.answers()
            return bool(scout.answers())

        eth1 = frozenset({"eth1"})
        both = {"n1": eth1, "n2": eth1}
        pulse.expect(frozenset(roster))
        pulse.update_answers(None, {}, roster)
        await beating(scout, lambda: beat_both() and pulse.view().witnessed == both)
        assert scout.asked[0].addresses == ("10.1.0.1",)

        def seen_of_n1() -> Suspicion:
            scout.answers()
            return pulse.view().silences.get("n1", Suspicion())

        await beating(scout, lambda: seen_of_n1().reachable_on)
        assert scout.asked[-1].addresses == ("10.1.1.1",)
        assert scout.asked[-1].macs == ("02:00:00:00:00:01",)
        scout.sees = "silent"
        await beating(scout, lambda: seen_of_n1().unreachable_on == eth1)
        os.kill(pid_of(pulse), signal.SIGKILL)
        await beating(scout, scout.answers)
        assert seen_of_n1().unreachable_on == eth1
        assert pulse.view().witnessed == both
        await beating(agent, lambda: not pulse.view().silences.get("n1"))
        scout.socket.close()

    played(play)

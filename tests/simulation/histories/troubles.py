"""What can happen in the long histories to machines, wires and programs."""

from duravip_api.heartbeat import Heartbeat, address_digest
from duravip_api.reasons import Reason
from duravip_operator.leadership.lease_rule import LeaseRecord
from simulation.histories import agent as agents
from simulation.histories import replica as replicas
from simulation.histories.apiserver import Key
from simulation.histories.cluster import OBJECTS, Cluster
from simulation.histories.network import ADDRESSES, NODES, REPLICAS, SEGMENTS

GOODBYE = {
    "type": "Ready",
    "status": "False",
    "reason": Reason.AGENT_STOPPED.value,
    "message": Reason.AGENT_STOPPED.sentence,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def nothing(_: Cluster) -> None:
    """Time goes by."""


def crash(cluster: Cluster, node: str) -> None:
    """A node loses power."""
    cluster.network.machines[node].lose_power()
    cluster.agents.pop(node, None)


def boot(cluster: Cluster, node: str) -> None:
    """And has it again; or its agent is started where that alone had ended."""
    cluster.network.machines[node].is_powered = True
    cluster.start_agent(node)


def kill(cluster: Cluster, node: str) -> None:
    """The agent is gone, its kernel stays as it is."""
    cluster.agents.pop(node, None)


def leave(cluster: Cluster, node: str) -> None:
    """The agent is asked to end: it says so, and serves on until others have taken over."""
    agent = cluster.agents.get(node)
    if agent:
        agent.ending = Reason.AGENT_STOPPING
        agent.publish()


def stop(cluster: Cluster, node: str) -> None:
    """The agent ends: it withdraws everything, and says goodbye if it can."""
    agent = cluster.agents.pop(node, None)
    if agent:
        agent.mute_all()
        agent.say_goodbye()


def freeze(cluster: Cluster, node: str) -> None:
    """No thread of the agent runs any more."""
    for part in agents.PARTS:
        cluster.hold((node, part))


def thaw(cluster: Cluster, node: str) -> None:
    """All of them do."""
    for part in agents.PARTS:
        cluster.hold((node, part), held=False)


def hang(cluster: Cluster, node: str) -> None:
    """The agent's loop hangs; it beats."""
    cluster.hold((node, "turn"))


def lie(cluster: Cluster, node: str) -> None:
    """The node's agent reports every address as its own, and as served by it."""
    agent = cluster.agents.get(node)
    if agent:
        agent.lie = ADDRESSES
        agent.publish()


def tell_truth(cluster: Cluster, node: str) -> None:
    """It reports again what is so."""
    agent = cluster.agents.get(node)
    if agent:
        agent.lie = ()
        agent.publish()


def forge_goodbye(cluster: Cluster, node: str) -> None:
    """Somebody writes into the status of a node whose agent runs that it has ended."""
    key = Key("NodePlumbing", node)
    if node in cluster.agents and cluster.api.read(key):
        cluster.api.put_status(key, {"served": [], "conditions": [GOODBYE]})


def cut_off(cluster: Cluster, name: str) -> None:
    """A node, or a replica, is cut off from all control traffic."""
    cluster.network.control.add(name)


def reconnect(cluster: Cluster, name: str) -> None:
    """It is not any more, and neither beats nor acknowledgements are lost."""
    network = cluster.network
    for lost in (network.control, network.beats, network.acks):
        lost.discard(name)


def lose_beats(cluster: Cluster, node: str) -> None:
    """Nobody hears its beats."""
    cluster.network.beats.add(node)


def forge(cluster: Cluster, key: str, named: str, content: str) -> None:
    """Somebody who has one node's key says to all replicas what he likes, of any node.

    He can read NodePlumbing. What he says of the node whose key he has is believed: `stolen`.
    """
    plumbing = cluster.api.read(Key("NodePlumbing", named))
    if plumbing is None:
        return
    agent = (plumbing.get("status") or {}).get("agent") or {}
    generation = plumbing["metadata"]["generation"] + (content == "of a later spec")
    served = (plumbing.get("status") or {}).get("served") or ()
    boot = "another" if content == "of another boot" else agent.get("boot") or "unknown"
    says = frozenset(served) if content == "as it is" else frozenset[str]()
    seq = 10**6 + cluster.ticks
    beat = Heartbeat(named, boot, seq, generation, address_digest(says))
    if key == named and boot != "another":
        cluster.stolen.add(key)
    for index in range(len(REPLICAS)):
        cluster.around.hear(beat, index, key)


def lose_acks(cluster: Cluster, node: str) -> None:
    """It hears no acknowledgement."""
    cluster.network.acks.add(node)


def split(cluster: Cluster, segment: str, node: str) -> None:
    """A node, and some clients, are on one side of a segment, all others on the other."""
    cluster.network.away[segment] = node


def heal(cluster: Cluster, segment: str) -> None:
    """The segment is one again."""
    cluster.network.away.pop(segment, None)


def unplug(cluster: Cluster, node: str, segment: str) -> None:
    """A card has no carrier."""
    cluster.network.machines[node].up[segment] = False


def plug(cluster: Cluster, node: str, segment: str) -> None:
    """It has one."""
    cluster.network.machines[node].up[segment] = True


def lose_probes(cluster: Cluster, segment: str, number: int) -> None:
    """So many questions that each node asks a segment from now on get no answer."""
    for node in NODES:
        cluster.network.losses[node, segment] += number


def refuse(cluster: Cluster, node: str, address: str) -> None:
    """The kernel does not take an address, or does not any more have it."""
    machine = cluster.network.machines[node]
    machine.refused.add(address)
    machine.has_refused.add(address)
    machine.aliases.pop(address, None)


def take(cluster: Cluster, node: str) -> None:
    """It takes all again."""
    cluster.network.machines[node].refused.clear()


def stranger(cluster: Cluster, name: str) -> None:
    """An object is deleted, and made anew once another host has taken its address."""
    key = next(key for key in OBJECTS if key.name == name)
    body = cluster.api.read(key)
    if body:
        cluster.api.delete(key)
        cluster.coming[body["spec"]["address"]] = (key, body["spec"])


def stranger_goes(cluster: Cluster) -> None:
    """No other host has any of our addresses any more."""
    cluster.coming.clear()
    cluster.network.strangers.clear()


def hold(cluster: Cluster, name: str, part: str) -> None:
    """A part of a program stands still."""
    cluster.hold((name, part))


def release(cluster: Cluster, name: str, part: str) -> None:
    """It goes on."""
    cluster.hold((name, part), held=False)


def step(cluster: Cluster, name: str, part: str) -> None:
    """It does as little as it can."""
    cluster.step((name, part))


def reorder(cluster: Cluster, number: int) -> None:
    """The parts run in another order from now on."""
    cluster.shuffle(number)


def pause(cluster: Cluster, replica: str) -> None:
    """The operator stands still; the process that hears the beats does not."""
    for part in replicas.PARTS:
        if part != "listen":
            cluster.hold((replica, part))


def resume(cluster: Cluster, replica: str) -> None:
    """All of it goes on."""
    for part in replicas.PARTS:
        cluster.hold((replica, part), held=False)


def restart(cluster: Cluster, replica: str) -> None:
    """The operator starts anew, and knows nothing.

    Not while a NodePlumbing is missing: nobody could know then what its node was granted.
    """
    if all(cluster.api.read(Key("NodePlumbing", node)) for node in NODES):
        cluster.start_replica(replica)


def lose_answer(cluster: Cluster, replica: str) -> None:
    """The operator's next write is carried out, but it does not learn of it."""
    cluster.replicas[replica].loses_answer = True


def back_up(cluster: Cluster) -> None:
    """Somebody makes a backup of the store."""
    cluster.api.back_up()


def restore(cluster: Cluster) -> None:
    """The last one is restored."""
    cluster.api.restore()


def delete_lease(cluster: Cluster) -> None:
    """Somebody deletes the Lease by hand."""
    cluster.api.lease = LeaseRecord()


def delete_plumbing(cluster: Cluster, node: str) -> None:
    """Somebody deletes a NodePlumbing by hand."""
    cluster.api.delete(Key("NodePlumbing", node))


def mend(cluster: Cluster) -> None:
    """All that was broken is whole again. What people want stays as it is."""
    for segment in SEGMENTS:
        heal(cluster, segment)
    for name in (*NODES, *cluster.replicas):
        reconnect(cluster, name)
    for replica in cluster.replicas:
        resume(cluster, replica)
    for node in NODES:
        for segment in SEGMENTS:
            plug(cluster, node, segment)
        take(cluster, node)
        thaw(cluster, node)
        tell_truth(cluster, node)
        if node in cluster.agents and cluster.agents[node].ending:
            stop(cluster, node)
        if node in cluster.stolen:
            kill(cluster, node)  # it starts anew, with other keys
        boot(cluster, node)
    cluster.network.losses.clear()
    cluster.stolen.clear()
    stranger_goes(cluster)

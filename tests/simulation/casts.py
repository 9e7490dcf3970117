"""Which steps a walk looks at: each cast shows one sort of trouble in all its histories."""

_ALWAYS = ("a tick passes", "the other node is preferred", "n1 works")
_N0 = tuple(f"n0 {what}" for what in ("beats", "refreshes", "reads", "asks", "turns", "reports"))
_FATE = tuple(f"n0 {what}" for what in ("freezes or thaws", "loses or regains control"))
_POWER = ("n0 crashes", "n0 boots", "n0 stops")
_OPERATOR = tuple(f"operator 0 {what}" for what in ("reads", "scouts", "decides", "writes"))
_STRANGER = ("the object comes or goes", "a stranger comes or goes")
_SERVERS = tuple(f"{name}'s server comes or goes" for name in ("n0", "n1"))
_SPLIT = "the segment splits or heals"

CASTS = {
    "one node's troubles": frozenset((*_ALWAYS, *_N0, *_FATE, "operator 0 works")),
    "one node's power": frozenset((*_ALWAYS, *_N0, *_POWER, "operator 0 works")),
    "a slow operator": frozenset((*_ALWAYS, *_OPERATOR, *_FATE, *_POWER, "n0 works")),
    "a segment that is cut": frozenset(
        (*_ALWAYS, "n0 works", *_FATE, *_POWER, "operator 0 works", _SPLIT)
    ),
    "nodes that do not hear each other": frozenset(
        (*_ALWAYS, "n0 works", *_N0, *_FATE, "operator 0 works")
    ),
    "servers that come and go": frozenset(
        (*_ALWAYS, *_N0, *_FATE, *_SERVERS, "n0 works", "operator 0 works", *_OPERATOR)
    ),
    "late reports": frozenset((*_ALWAYS, *_N0, *_OPERATOR)),
    "a stolen key": frozenset((*_ALWAYS, *_N0, "operator 0 works", "n1's key speaks for n0")),
    "a lying status": frozenset(
        (*_ALWAYS, *_N0, *_POWER, "operator 0 works", "n0's status says goodbye")
    ),
    "a store that goes back": frozenset(
        (
            *(*_ALWAYS, "n0 works", *(f"n1 {what}" for what in ("reads", "beats", "turns"))),
            *("n1 loses or regains control", "the backup is restored"),
            *(f"operator {i} {what}" for i in (0, 1) for what in ("takes the lead", "works")),
        )
    ),
    "two leaders": frozenset(
        (
            *_ALWAYS,
            *("n0 works", "n0 loses or regains control", "n0 crashes", "n0 boots"),
            *_OPERATOR,
            *("operator 1 takes the lead", "operator 1 works"),
        )
    ),
    "a stranger": frozenset(
        (
            *(*_ALWAYS, *_STRANGER, *_N0, *_POWER),
            *("n0 works", "operator 0 works", "operator 1 takes the lead", "operator 1 works"),
        )
    ),
    "everything": frozenset(
        (
            *(*_ALWAYS, *_N0, *_FATE, *_POWER, *_OPERATOR, _SPLIT, *_STRANGER),
            *("operator 1 takes the lead", "operator 1 works", "n1 crashes", "n1 boots"),
        )
    ),
}

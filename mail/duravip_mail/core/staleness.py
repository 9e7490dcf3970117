"""Which queued messages have to be looked at again.

Postfix keeps the route that a message was given, and uses it until the message is gone. When an
address moves, the queue of its Binding is full of routes that are not true any more.
"""

from collections.abc import Set as AbstractSet

from duravip_mail.core.routes import UNKNOWN_ROUTE, Table

ACTION = "FILTER "


def routes_in(table: Table) -> frozenset[str]:
    """Every route that is true now."""
    return frozenset(v.removeprefix(ACTION) for v in table.values() if v.startswith(ACTION))


def is_stale(route: str, current: AbstractSet[str], *, has_new_names: bool = False) -> bool:
    """Whether a message with this route must be given another one.

    `current` are the routes that are true now. A message without a route has no Binding. One of a
    Binding that is not known has a route which never is in a table: it is looked at again only
    when there are new names, or it would be rewritten again and again.
    """
    if route == UNKNOWN_ROUTE:
        return has_new_names
    return bool(route) and route not in current

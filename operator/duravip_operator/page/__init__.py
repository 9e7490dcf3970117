"""The live page: nodes, addresses, segments and moves, as they are now, for people to look at.

Read-only, and off what a fail-over waits for: see `live_page`.
"""

from duravip_operator.page.live_page import LivePage
from duravip_operator.page.moves import MoveTape
from duravip_operator.page.sources import Sources

__all__ = ["LivePage", "MoveTape", "Sources"]

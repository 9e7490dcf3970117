"""One call of a verb: what was asked for, and the two ways out of the program."""

import argparse
from collections.abc import Callable
from functools import cached_property

from duravip_cli.api import Api, everything
from duravip_cli.core.lists import Lists, is_address
from duravip_cli.output import Output


class Call:
    """What a verb is given."""

    def __init__(
        self,
        asked: argparse.Namespace,
        connect: Callable[[], Api],
        output: Output,
        sleep: Callable[[float], None],
        typed: Callable[[str], str | None],
    ) -> None:
        """`connect` is called by the first who needs the cluster: some verbs work without."""
        self.asked = asked
        self.output = output
        self.sleep = sleep
        self.typed = typed
        """Asks whoever sits at the terminal; None when nobody does."""
        self._connect = connect

    @cached_property
    def api(self) -> Api:
        """The cluster."""
        return self._connect()

    @property
    def namespace(self) -> str:
        """The namespace that was named; empty: all."""
        return str(self.asked.namespace or "")

    def meant(self, given: str) -> str:
        """What an ADDRESS or NAME means; a name is one of the namespace that was named."""
        is_whole = "/" in given or is_address(given) or not self.namespace
        return given if is_whole else f"{self.namespace}/{given}"

    def everything(self) -> Lists:
        """All lists; what was asked in one namespace is still decided from all of them."""
        return everything(self.api)

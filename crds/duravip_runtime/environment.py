"""The environment, in which each option of both programs can be set as `DURAVIP_<NAME>`."""

from collections.abc import Iterable
from typing import Final

PREFIX: Final = "DURAVIP_"


def unknown_variables(variables: Iterable[str], options: Iterable[str]) -> str:
    """One line about the variables that look like ours and set no option; empty: there are none.

    They end no start, as a wrong option does: those of the other program may stand beside ours.
    """
    known = {PREFIX + option.upper() for option in options}
    strange = sorted(v for v in variables if v.startswith(PREFIX) and v.upper() not in known)
    return f"ignored, for there is no such setting: {', '.join(strange)}" if strange else ""

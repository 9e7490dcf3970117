"""An agent whose beats contradict its status while a file is there: `liar.py FILE OPTION…`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from duravip_agent import __main__ as program
from duravip_agent.control import heartbeat
from duravip_api.heartbeat import Heartbeat


def main() -> None:
    """Be the agent in all else."""
    file = Path(sys.argv.pop(1))

    def said(*fields: Any) -> Heartbeat:
        honest = Heartbeat(*fields)
        return replace(honest, digest=honest.digest[::-1]) if file.exists() else honest

    heartbeat.Heartbeat = said  # type: ignore[assignment,misc]
    program.main()


if __name__ == "__main__":
    main()

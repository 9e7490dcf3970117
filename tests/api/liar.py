"""An agent whose beats contradict its status while a file is there: `liar.py FILE OPTION…`."""

import sys
from pathlib import Path

from duravip_agent import __main__ as program
from duravip_agent import beat
from duravip_api.beats import Beat


def main() -> None:
    """Be the agent in all else."""
    file = Path(sys.argv.pop(1))

    def said(node: str, boot: str, seq: int, acted: int, digest: str, *echoes: object) -> Beat:
        honest = digest if not file.exists() else digest[::-1]
        return Beat(node, boot, seq, acted, honest, *echoes)  # type: ignore[arg-type]

    beat.Beat = said  # type: ignore[assignment,misc]
    program.main()


if __name__ == "__main__":
    main()

"""An agent whose private key gets into other hands: `leaky_agent.py FILE OPTION…`."""

import sys
from pathlib import Path
from typing import Self

from duravip_agent import __main__ as program
from duravip_runtime.secure_channel import KeyPair


class LeakyKeyPair(KeyPair):
    """Writes down what should stay in memory."""

    file = Path()

    @classmethod
    def generate(cls) -> Self:
        keys = super().generate()
        cls.file.write_text(keys.secret)
        return keys


def main() -> None:
    """Be the agent in all else."""
    LeakyKeyPair.file = Path(sys.argv.pop(1))
    program.KeyPair = LeakyKeyPair  # type: ignore[misc]
    program.main()


if __name__ == "__main__":
    main()

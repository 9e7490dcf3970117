"""An agent that reports what a file says: `lying_agent.py FILE OPTION…`.

The file holds fields of the status, which take the place of what the agent reports.
"""

import json
import sys
from pathlib import Path

from duravip_agent import __main__ as program
from duravip_agent.control import kube
from duravip_runtime.api_error import Body


def main() -> None:
    """Be the agent in all else."""
    file, honest = Path(sys.argv.pop(1)), kube.NodePlumbingClient.patch_status

    def patched(self: kube.NodePlumbingClient, status: Body) -> Body:
        return honest(self, {**status, **json.loads(file.read_text())})

    kube.NodePlumbingClient.patch_status = patched  # type: ignore[method-assign]
    program.main()


if __name__ == "__main__":
    main()

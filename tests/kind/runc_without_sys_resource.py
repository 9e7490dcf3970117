#!/usr/bin/python3 -IS
"""runc for a root without CAP_SYS_RESOURCE: what a container asks for of it is taken out first.

A privileged container wants every capability, limits above ours, or to be killed later than
others when memory is short: then runc fails. It stands before runc, in docker and in the nodes.
"""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

RUNC = "/usr/sbin/runc"
MISSING = "CAP_SYS_RESOURCE"


def without_sys_resource(process: dict[str, Any]) -> dict[str, Any]:
    """A process, of the OCI runtime specification, that can do without the capability."""
    kept = {name: value for name, value in process.items() if name != "rlimits"}
    if kept.get("oomScoreAdj", 0) < 0:
        del kept["oomScoreAdj"]
    if "capabilities" in kept:
        kept["capabilities"] = {
            kind: [name for name in names if name != MISSING]
            for kind, names in kept["capabilities"].items()
        }
    return kept


def adapt(words: list[str]) -> None:
    """Rewrite the files that a command line of runc names."""
    for option, value in pairwise(words):
        if option in ("--bundle", "-b"):
            file = Path(value, "config.json")
            config = json.loads(file.read_text())
            config["process"] = without_sys_resource(config["process"])
            file.write_text(json.dumps(config))
        elif option in ("--process", "-p"):
            file = Path(value)
            file.write_text(json.dumps(without_sys_resource(json.loads(file.read_text()))))


if __name__ == "__main__":
    adapt(sys.argv)
    os.execv(RUNC, [RUNC, *sys.argv[1:]])  # noqa: S606 - its output and exit code are ours

"""The end of a lab: nothing of it is left, whoever started it, and however far the start came.

It works from what is found under the lab's name, never from memory: so it also ends the lab of a
run that was killed.
"""

import shutil

from lab import cgroups, processes
from lab.cgroups import Groups
from lab.door import Door
from lab.errors import LabError
from lab.layout import HOME, NAMESPACES, PREFIX, SWITCH, Layout
from lab.processes import attempt


def known() -> list[str]:
    """The names of all labs of which anything is there."""
    marks = [entry.name for entry in NAMESPACES.glob(f"{PREFIX}.*.*")]
    marks += [entry.name for root in cgroups.hierarchies() for entry in root.glob(f"{PREFIX}.*")]
    homes = [entry.name for entry in HOME.glob("*")]
    return sorted({mark.split(".")[1] for mark in marks} | set(homes))


def tear_down(layout: Layout) -> None:
    """End this lab."""
    namespaces = sorted(NAMESPACES.glob(f"{layout.mark}.*"))
    for file in namespaces:
        processes.kill_all(file)
    groups = [root / layout.mark for root in cgroups.hierarchies()]
    for machine in {entry.name for top in groups for entry in top.glob("*") if entry.is_dir()}:
        Groups(layout, machine).thaw()  # what is frozen cannot die
    for file in namespaces:
        processes.end_all(file)
    Door(layout).close()
    # The switch first: with it all the cables go, and then no namespace waits for another.
    for file in sorted(namespaces, key=lambda file: file.name != layout.namespace(SWITCH)):
        attempt(["ip", "netns", "del", file.name])  # somebody else may be ending it as well
        if file.exists():
            raise LabError(f"cannot delete the network namespace {file.name}")
    cgroups.remove(groups)
    shutil.rmtree(layout.home, ignore_errors=True)

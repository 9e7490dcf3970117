"""`make demo`: a cluster with the manual's example, the death of an owner, the time it took.

    python -m lab.demo [--cluster lab|kind] [--node-image IMAGE] [--keep] [--down]

It exits with 0 and leaves the cluster running when all was as promised. Otherwise it says what
was not, shows the last lines of the programs' logs, and takes the cluster down.
"""

import argparse
import sys

from lab import charts, demo_kind, demo_local, demo_story
from lab.demo_kind import KindStage
from lab.demo_local import LocalStage
from lab.demo_story import Say, Stage
from lab.errors import LabError


def main() -> int:
    """Run the demo, or end it."""
    options = _parser().parse_args()
    try:
        if options.down:
            (demo_kind if options.cluster == "kind" else demo_local).down()
            return 0
        return show(_stage(options), _say, keep=options.keep)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def show(stage: Stage, say: Say, *, keep: bool) -> int:
    """Tell the story on a stage; the exit code."""
    stage.start()
    try:
        demo_story.tell(stage, say)
    except BaseException as error:
        if isinstance(error, LabError):
            print(f"demo: {error}\n{charts.last_words(stage.kubectl)}", file=sys.stderr)
        if keep:
            stage.leave()
        else:
            stage.stop()
        if isinstance(error, LabError):
            return 1
        raise
    stage.leave()
    return 0


def _stage(options: argparse.Namespace) -> Stage:
    if options.cluster == "kind":
        return KindStage(_say, options.node_image)
    return LocalStage(_say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m lab.demo", description="DuraVIP in two minutes.")
    parser.add_argument(
        "--cluster",
        choices=("lab", "kind"),
        default="lab",
        help="lab: namespaces of this machine (the default); kind: Kubernetes in docker",
    )
    parser.add_argument("--node-image", default="", help="of kind's nodes (default: kind's own)")
    parser.add_argument("--keep", action="store_true", help="leave it running if it fails")
    parser.add_argument("--down", action="store_true", help="end the demo's cluster")
    return parser


def _say(line: str) -> None:
    print(f"==> {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

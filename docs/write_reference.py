"""docs/reference.md, made from the kinds, the reasons and the programs' settings.

`python docs/write_reference.py` writes it, with `--check` it only compares and exits 1 if it
differs. Nothing in it is written by hand, so that it is never out of date.
"""  # noqa: INP001 - a program in a folder of documents, not a package

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from duravip_agent.settings import Settings as AgentSettings
from duravip_api.manifest import KINDS
from duravip_api.reasons import MoveReason, Reason, State
from duravip_hooks.settings import Settings as HooksSettings
from duravip_mail.settings import MailqSettings, RebindSettings
from duravip_mail.settings import Settings as MailSettings
from duravip_operator.settings import Settings as OperatorSettings

DOCS = Path(__file__).parent
PAGE = DOCS / "reference.md"
CRDS = DOCS.parent / "crds"

HEAD = """\
<!-- Made by `make docs` from the models, the enums and the settings: edit those. -->
# Reference

`kubectl explain` shows the same texts as the first part. [What the words mean](concepts.md); \
[metrics](metrics.md); [the chart's values](../helm/duravip/README.md); \
[`kubectl duravip`](../cli/README.md).
"""
STATES = {
    State.OWNED: "served by its owner",
    State.MOVING: "between two owners",
    State.UNASSIGNED: "nobody can or may hold it: the condition `Ready` says why",
    State.BROKEN: "refused: the condition `Ready` says why",
    State.UNMANAGED: "listed only",
}
MOVES = {
    MoveReason.ELECTED: "it had no owner",
    MoveReason.NODE_LOST: "the owner died, or its agent did",
    MoveReason.LINK_DOWN: "the owner's interface lost its link",
    MoveReason.PREFERENCE: "the preferred node is back, or the preference was changed",
    MoveReason.BALANCE: "another node had fewer addresses",
    MoveReason.DRAIN: "the owner was drained, or its agent was stopped",
    MoveReason.REQUESTED: "`kubectl duravip move` or `release`",
    MoveReason.FOLLOW: "what it follows has moved",
    MoveReason.EDITED: "an object, a Topology, a label or a node's own addresses were edited",
    MoveReason.REPAIR_FAILED: "the owner could not keep it plumbed",
    MoveReason.READINESS: "the owner was not fit for it, and another node was",
}


def cell(text: str) -> str:
    """Text that fits into a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines) + "\n"


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """`(path, type, default, description)` of every field below a schema."""
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        default = "required" if name in required else str(part.get("default", ""))
        yield f"`{where}`", shape(part), default, part.get("description", "")
        inner = part.get("items", part)
        yield from fields(inner, f"{where}[]" if "items" in part else where)


def shape(part: dict[str, Any]) -> str:
    """The type of a field, in a word or two."""
    if choices := part.get("enum"):
        return " or ".join(f"`{choice}`" for choice in choices)
    if "items" in part:
        return f"list of {shape(part['items'])}"
    return str(part.get("type", "any"))


def kinds() -> Iterator[str]:
    """A section for each kind."""
    for kind in KINDS:
        crd = yaml.safe_load((CRDS / f"{kind.plural}.yaml").read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        scope = "namespaced" if kind.namespaced else "cluster-scoped"
        yield f"## {kind.model.__name__}\n\n{cell(schema.get('description', ''))}\n"
        yield f"`kubectl get {kind.plural}` or `{kind.short}`; {scope}.\n"
        for half in ("spec", "status"):
            yield f"### {kind.model.__name__}: {half}\n"
            rows = fields(schema["properties"][half])
            yield table(("field", "type", "default", "what"), rows)


def default_of(field: FieldInfo) -> str:
    """What an option has when nobody says anything; empty when that is found at the start."""
    if field.is_required():
        return "required"
    return "" if field.default is PydanticUndefined else str(field.default or "")


def options(settings: Any) -> str:
    """The table of a program's options."""
    rows = (
        (
            f"`--{name.replace('_', '-')}`",
            default_of(field),
            field.description or "",
        )
        for name, field in settings.model_fields.items()
    )
    return table(("option", "default", "what"), rows)


def page() -> str:
    """The whole of it."""
    parts = [
        HEAD,
        *kinds(),
        "## States\n",
        table(("`status.state`", "meaning"), ((f"`{s}`", STATES[s]) for s in State)),
        "## Why an address moved\n",
        table(("`status.lastMove.reason`", "meaning"), ((f"`{m}`", MOVES[m]) for m in MoveReason)),
        "## Reasons\n\nOf conditions, Events, refusals and `kubectl duravip why`.\n",
        table(("reason", "meaning"), ((f"`{reason}`", reason.sentence) for reason in Reason)),
        "## duravip-operator\n\nEach option also as `DURAVIP_<NAME>` in the environment.\n",
        options(OperatorSettings),
        "## duravip-agent\n\nEach option also as `DURAVIP_<NAME>` in the environment.\n",
        options(AgentSettings),
        "## duravip-hooks\n\nEach option also as `DURAVIP_<NAME>` in the environment.\n",
        options(HooksSettings),
        "## duravip-mail run, duravip-mail configure\n\nEach option also as `DURAVIP_<NAME>`.\n",
        options(MailSettings),
        "## duravip-mail mailq\n",
        options(MailqSettings),
        "## duravip-mail rebind\n\n`duravip-mail rebind [NAME]`\n",
        options(RebindSettings),
    ]
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` say whether it differs."""
    is_stale = not PAGE.exists() or PAGE.read_text() != page()
    if arguments == ["--check"]:
        if is_stale:
            print(f"{PAGE} is out of date: run `make docs`")  # noqa: T201 - its job
        return int(is_stale)
    if is_stale:
        PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

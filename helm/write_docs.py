"""The chart's README.md and the descriptions in its values.schema.json, made from values.yaml.

`python helm/write_docs.py` writes both, with `--check` it only compares and exits 1 if they
differ. The comment above a value is its description; the fields of a Topology and an AddressPool
take theirs, and their form, from the CRDs.
"""  # noqa: INP001 - a program in a folder of charts, not a package

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "duravip"
KEY = re.compile(r"^( *)([A-Za-z]+):(.*)$")
COMMENT = re.compile(r"^ *# ?(.*)$")
KEEP = ("type", "description", "enum", "format", "minimum", "maximum", "minLength", "maxLength")


def comments(lines: list[str]) -> dict[str, str]:
    """The comment above each key of values.yaml, by the key's path, e.g. `agent.httpPort`."""
    found: dict[str, str] = {}
    path: list[str] = []
    said: list[str] = []
    for line in lines:
        if key := KEY.match(line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if said:
                found[".".join(path)] = " ".join(said)
        comment = COMMENT.match(line)
        said = [*said, comment[1]] if comment else []
    return found


def values_at(paths: dict[str, str], values: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Each described value: its path, its default and its description."""
    for path, text in paths.items():
        value: Any = values
        for step in path.split("."):
            value = value[step]
        yield path, value, text


def spec_schema(plural: str) -> dict[str, Any]:
    """What the CRD says of a kind's spec, in the words of a JSON schema."""
    crd = yaml.safe_load((CHART / "crds" / f"{plural}.yaml").read_text())
    whole = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return _plain(whole["properties"]["spec"])


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    plain = {name: schema[name] for name in KEEP if name in schema}
    if "properties" in schema:
        plain["properties"] = {
            name: _plain(part) for name, part in sorted(schema["properties"].items())
        }
        plain["required"] = schema.get("required", [])
        plain["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        plain["additionalProperties"] = _plain(schema["additionalProperties"])
    if "items" in schema:
        plain["items"] = _plain(schema["items"])
    return plain


def described(schema: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """The values' schema with every description, and the form of the kinds in it, put in."""
    for path, text in texts.items():
        part = schema
        for step in path.split("."):
            part = part["properties"][step]
        part["description"] = text
    properties = schema["properties"]
    properties["topologies"]["additionalProperties"] = spec_schema("topologies")
    pools = properties["services"]["properties"]["pools"]
    pools["additionalProperties"] = spec_schema("addresspools")
    return schema


def readme(chart: dict[str, Any], rows: Iterator[tuple[str, Any, str]]) -> str:
    """The chart's README, with a table of its values."""
    table = "\n".join(
        f"| `{path}` | `{json.dumps(value)}` | {text.replace('|', chr(92) + '|')} |"
        for path, value, text in rows
    )
    intro = (CHART / "README.md.in").read_text()
    return intro.format(table=table, kube=chart["kubeVersion"], version=chart["version"])


def wanted() -> dict[Path, str]:
    """Every file that is made, with what it has to hold."""
    text = (CHART / "values.yaml").read_text()
    texts = comments(text.splitlines())
    schema = json.loads((CHART / "values.schema.json").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return {
        CHART / "values.schema.json": json.dumps(described(schema, texts), indent=2) + "\n",
        CHART / "README.md": readme(chart, values_at(texts, yaml.safe_load(text))),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` say which of them differ."""
    stale = [
        (path, text)
        for path, text in wanted().items()
        if not path.exists() or path.read_text() != text
    ]
    if arguments == ["--check"]:
        for path, _ in stale:
            print(f"{path} differs from values.yaml: run `make chart`")  # noqa: T201 - its job
        return 1 if stale else 0
    for path, text in stale:
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

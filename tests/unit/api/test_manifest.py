"""Models become structural schemas, or an error when the schema is made."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from duravip_api.manifest import KINDS, definition, structural


def _fields(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, sub in schema.get("properties", {}).items():
        found += [(f"{path}.{name}", sub), *_fields(sub, f"{path}.{name}")]
    if isinstance(schema.get("items"), dict):
        found += _fields(schema["items"], f"{path}[]")
    return found


FIELDS = {
    f"{kind.model.__name__}{path}": sub
    for kind in KINDS
    for path, sub in _fields(definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
}
UNCHECKED = {"NodePlumbing.status.served"}
"""Written by machines, so long that a check of each item would be felt."""


def test_only_what_is_too_long_for_it_is_not_checked() -> None:
    known = {path for path, field in FIELDS.items() if "type" not in field}
    assert known == UNCHECKED


@pytest.mark.parametrize("path", FIELDS)
def test_every_field_is_described_and_bounded(path: str) -> None:
    field = FIELDS[path]
    assert field["description"]
    if path in UNCHECKED:
        return
    assert field["type"] != "array" or "maxItems" in field
    if field["type"] == "array" and "properties" not in field["items"]:
        assert "maxLength" in field["items"]
    if field["type"] == "string" and "enum" not in field:
        assert "maxLength" in field
    if "additionalProperties" in field:
        assert "maxProperties" in field
        value = field["additionalProperties"]
        assert "maxLength" in value or value["type"] == "integer"
        rules = [rule["rule"] for rule in field["x-kubernetes-validations"]]
        assert any("size(key) <=" in rule for rule in rules)


@pytest.mark.parametrize("kind", [int | str, tuple[int, str], Annotated[int, Field(gt=1)]])
def test_what_has_no_structural_form_is_refused(kind: Any) -> None:
    class Odd(BaseModel):
        field: kind

    with pytest.raises(TypeError, match="structural"):
        structural(Odd.model_json_schema())

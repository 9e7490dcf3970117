"""Turns the JSON schema of a pydantic model into the structural form that a CRD must have.

Kubernetes wants every type spelled out in place: no `$ref`, no `anyOf`, no `const`, booleans for
exclusive bounds. What cannot be expressed raises TypeError here, at generation, and never at a
user's `kubectl apply`.
"""

from typing import Any

Schema = dict[str, Any]

_DROPPED = {"title", "examples", "discriminator", "$defs", "propertyNames"}
_UNCHECKED = "x-kubernetes-preserve-unknown-fields"
_NESTED = {"items", "additionalProperties"}
_REFUSED = {"prefixItems", "oneOf", "allOf", "const", "exclusiveMinimum", "exclusiveMaximum"}


def structural(model_schema: Schema) -> Schema:
    """The structural schema of `Model.model_json_schema(by_alias=True)`."""
    return _converted(model_schema, model_schema.get("$defs", {}))


def _converted(node: Schema, definitions: Schema) -> Schema:
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        here = {key: value for key, value in node.items() if key != "$ref"}
        return _converted({**target, **here}, definitions)
    if "anyOf" in node:
        return _converted(_without_null(node), definitions)
    unknown = _REFUSED & node.keys()
    if unknown:
        raise TypeError(f"{sorted(unknown)} has no structural form: {node}")
    out = {key: value for key, value in node.items() if key not in _DROPPED}
    if out.get(_UNCHECKED):
        return {key: value for key, value in out.items() if key in {"description", _UNCHECKED}}
    if "properties" in node:
        out["properties"] = {
            name: _converted(sub, definitions) for name, sub in node["properties"].items()
        }
    for nested in _NESTED & node.keys():
        out[nested] = _converted(node[nested], definitions)
    if out.get("type") == "integer":
        out.setdefault("format", "int64")
    if out.get("default", ...) is None:
        del out["default"]
    return out


def _without_null(node: Schema) -> Schema:
    """`X | None` is an optional X: the field may be absent."""
    kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
    if len(kinds) != 1:
        raise TypeError(f"a union has no structural form: {node}")
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**kinds[0], **rest}

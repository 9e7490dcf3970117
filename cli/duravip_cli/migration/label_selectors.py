"""Label selectors as Kubernetes has them: what they match, and what of them is mere equality."""

from collections.abc import Mapping
from typing import Any


def is_match(selector: Any, labels: Mapping[str, str]) -> bool | None:
    """Whether a selector matches these labels; None: it cannot be read."""
    if not isinstance(selector, Mapping):
        return None
    wanted, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    if not isinstance(wanted or {}, Mapping) or not isinstance(expressions or [], list):
        return None
    verdicts = [labels.get(key) == value for key, value in (wanted or {}).items()]
    for expression in expressions or ():
        verdict = _holds(expression, labels)
        if verdict is None:
            return None
        verdicts.append(verdict)
    return all(verdicts)


def _holds(expression: Any, labels: Mapping[str, str]) -> bool | None:
    if not isinstance(expression, Mapping):
        return None
    key, values = str(expression.get("key")), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return None


def equalities(selector: Any) -> dict[str, str] | None:
    """A selector as labels that are wanted; None: it says more than that, or nothing."""
    if not isinstance(selector, Mapping) or selector.keys() - {"matchLabels", "matchExpressions"}:
        return None
    labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(labels, Mapping) or not isinstance(expressions, list):
        return None
    found = {str(key): str(value) for key, value in labels.items()}
    for expression in expressions:
        values = expression.get("values") if isinstance(expression, Mapping) else None
        if not isinstance(values, list) or len(values) != 1 or expression.get("operator") != "In":
            return None
        found[str(expression.get("key"))] = str(values[0])
    return found or None

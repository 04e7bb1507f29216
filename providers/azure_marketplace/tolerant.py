"""How what an API says is read: a member that is missing or of another type is as good as absent. Pure.

No live service was seen, and the documents, the samples and the wire contradict each other: unknown members are
ignored, keys are compared in lower case, and nothing that is said can make the reading fail.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from providers.azure_marketplace.text import plain

__all__ = [
    "Id",
    "Label",
    "Object",
    "Objects",
    "Percent",
    "PlainText",
    "Said",
    "Text",
    "Version",
    "folded",
    "objects",
    "text_of",
]

DEEPEST = 12
MOST = 200
"""Entries of one list that are looked at."""


def folded(value: Any, depth: int = 0) -> Any:
    """Keys in lower case all the way down: the documents, the samples and the wire disagree in casing."""
    if isinstance(value, Mapping) and depth < DEEPEST:
        return {str(key).lower(): folded(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list) and depth < DEEPEST:
        return [folded(item, depth + 1) for item in value]
    return value


def objects(value: Any) -> list[Any]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, Mapping)][:MOST] if isinstance(value, list) else []


def reasons(value: Any) -> list[Any]:
    """What is given as errors, as objects: a list of objects or texts, or one of those by itself."""
    listed = value if isinstance(value, list) else [value]
    told = [{"message": item} if isinstance(item, str) and item.strip() else item for item in listed[:MOST]]
    return [item for item in told if isinstance(item, Mapping)]


def text_of(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _plain(value: Any) -> str:
    return plain(value) if isinstance(value, str) else ""


def _label(value: Any) -> str:
    return plain(value, longest=100) if isinstance(value, str) else ""


def _id(value: Any) -> str:
    """An id that can stand in a path, in a state and on a screen; anything else is as good as none."""
    found = re.fullmatch(r"\.*[\w$~:+=,;@-][\w$.~:+=,;@-]{0,300}", text_of(value), re.ASCII)
    return found[0] if found else ""


def _version(value: Any) -> str | None:
    """Whole numbers of any size, as JSON's numbers or as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, int):
        return str(value) if abs(value) < 10**100 else None
    return plain(value, longest=100) or None if isinstance(value, str) else None


def _percent(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return None
    return int(min(100, max(0, value)))


Text = Annotated[str, BeforeValidator(text_of)]
Id = Annotated[str, BeforeValidator(_id)]
Label = Annotated[str, BeforeValidator(_label)]
"""As `PlainText`, for names and words: short."""
PlainText = Annotated[str, BeforeValidator(_plain)]
Version = Annotated[str | None, BeforeValidator(_version)]
Percent = Annotated[int | None, BeforeValidator(_percent)]
Objects = BeforeValidator(objects)
Reasons = BeforeValidator(reasons)
Object = BeforeValidator(lambda value: value if isinstance(value, Mapping) else {})


class Said(BaseModel):
    """Something that an API said. Members are named in lower case."""

    model_config = ConfigDict(extra="ignore", frozen=True)

"""What users write in their program, validated strictly and named in their words. Pure; nothing of Pulumi."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["APIS", "INPUT_NAMES", "Api", "Inputs", "failures_of", "normalised"]

Api = Literal["cloudPartnerPortal", "productIngestion", "partnerCenter"]
APIS: tuple[str, ...] = get_args(Api)

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,99}")


def _id(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {_shown(value)}")
    if not value:
        raise ValueError("must not be empty")
    if not _ID.fullmatch(value):
        raise ValueError(
            f"must be an id of at most 100 letters, digits, '-', '_', '.' or '~', as in the offer's address; "
            f"{_shown(value)} is none"
        )
    return value


def _version(value: Any) -> Any:
    """`7`, `7.0` (the engine carries numbers as floats) and `"7"` all become `"7"`."""
    if value is None:
        return None
    whole = isinstance(value, int) or (isinstance(value, float) and value == value // 1)
    if whole and not isinstance(value, bool):
        if abs(value) >= 2**53:
            raise ValueError("is too large for a number, whose last digits get lost on the way: write it as a text")
        value = str(int(value))
    if not isinstance(value, str) or not re.fullmatch(r"0|[1-9][0-9]{0,29}", value):
        raise ValueError(f'must be a whole number such as 7 or "7", not {_shown(value)}')
    return value


def _triggers(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        # Not the value: it may be a secret.
        raise ValueError(f'must be a mapping such as {{"image": "1.2.3"}}, not a {type(value).__name__}')
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"must have texts as keys, not {_shown(key)}")
    return dict(value)


def _wait(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {_shown(value)}")
    return value


def _api(value: Any) -> Any:
    if value is not None and value not in APIS:
        raise ValueError(f"must be one of {', '.join(APIS)}, not {_shown(value)}")
    return value


class Inputs(BaseModel):
    """The inputs of one `OfferGoLive`, as the program gives them; None where it gives none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publisher_id: Annotated[str, BeforeValidator(_id)]
    offer_id: Annotated[str, BeforeValidator(_id)]
    offer_version: Annotated[str | None, BeforeValidator(_version)] = None
    triggers: Annotated[dict[str, Any] | None, BeforeValidator(_triggers)] = None
    wait: Annotated[bool, BeforeValidator(_wait)] = True
    api: Annotated[Api | None, BeforeValidator(_api)] = None


INPUT_NAMES = tuple(Inputs.model_fields)


def failures_of(values: Mapping[str, Any], *, unknown: Collection[str] = ()) -> list[tuple[str, str]]:
    """What is wrong with `values`: the property, and why, one for each property that cannot be used.

    unknown: properties whose value is not known yet (in a preview); they pass.
    """
    try:
        Inputs.model_validate(dict(values))
    except ValidationError as error:
        found = [(str(each["loc"][0]), _why(each)) for each in error.errors(include_url=False, include_input=False)]
        return [(name, f"{name} {why}") for name, why in found if name not in unknown]
    return []


def normalised(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that have passed `failures_of`, in the form in which they are recorded and compared; None is left out."""
    known = Inputs.model_validate({"publisher_id": "unknown", "offer_id": "unknown", **values})
    return {name: getattr(known, name) for name, value in values.items() if value is not None}


def _why(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "extra_forbidden":
        return f"is no input of OfferGoLive; its inputs are {', '.join(INPUT_NAMES)}"
    cause = error.get("ctx", {}).get("error")
    return str(cause) if cause is not None else error["msg"]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""The rules, without Pulumi: what is wrong with an offer that is about to go live, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

OFFER = "pulumi-python:dynamic/azuremarketplace:OfferGoLive"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def is_offer(resource_type: str) -> bool:
    return resource_type == OFFER


def is_pinned(props: Mapping[str, Any]) -> Iterable[str]:
    """A pin is what a review agrees to. One that is not known yet, in a preview, passes: it is judged again in `up`."""
    if not props.get("offer_version"):
        yield f"{_name(props)} is not pinned: set offer_version to the version that was reviewed in preview."


def is_within(
    now: datetime, *, days: Iterable[str], from_hour: int, to_hour: int, props: Mapping[str, Any]
) -> Iterable[str]:
    """The hours are UTC, from the first one up to the last one, which is outside."""
    now = now.astimezone(timezone.utc)
    if WEEKDAYS[now.weekday()] not in days or not from_hour <= now.hour < to_hour:
        yield (
            f"{_name(props)} may go live on {', '.join(days)} from {from_hour}:00 to {to_hour}:00 UTC, "
            f"and it is {WEEKDAYS[now.weekday()]}, {now:%H:%M}."
        )


def is_of_stack(urn: str, *, publishers: Iterable[str], stack: str, props: Mapping[str, Any]) -> Iterable[str]:
    """Offers of the production publishers go live from one stack; those of others from any."""
    if str(props.get("publisher_id", "")).lower() not in {each.lower() for each in publishers}:
        return
    actual = urn.removeprefix("urn:pulumi:").partition("::")[0]
    if actual != stack:
        yield f"{_name(props)} goes live from the stack {stack} only, not from {actual}."


def _name(props: Mapping[str, Any]) -> str:
    return f"{props.get('publisher_id', 'an offer')}/{props.get('offer_id', 'unknown')}"

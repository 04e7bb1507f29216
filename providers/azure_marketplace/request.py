"""What is asked of the going-live rule, and what it foresees. Pure: nothing is done here, and nothing decided."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import OfferKey, Operation, Slot

__all__ = ["Action", "Forecast", "Request", "asked_anew"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    pin: the version that is to go live, and no other; None for whatever stands in preview.
    wait: False returns as soon as the operation is accepted.
    changed: the recorded launch was asked for with another pin or other triggers: it does not answer this one.
    triggered: other triggers in particular: the offer goes live again even where the pinned version is live.
    moved: another API than the recorded launch's: what is live as wanted stays as it is.
    resubmit: False leaves a recorded go-live that failed or was cancelled at that, and says so again, unless something
    else has begun since, or the inputs have changed.
    """

    offer: OfferKey
    pin: str | None = None
    wait: bool = True
    changed: bool = False
    triggered: bool = False
    moved: bool = False
    resubmit: bool = True


def asked_anew(recorded: Launch | None, *, other_pin: bool, other_triggers: bool) -> tuple[bool, bool]:
    """`changed` and `triggered` of a request whose inputs differ so from those that the record was made for.

    A go-live that was sent and not answered, or that waits for one which was not seen since, was asked for by inputs
    that are recorded already: it is asked for still.
    """
    unanswered = recorded is not None and recorded.is_of_before
    triggered = other_triggers or (recorded is not None and recorded.superseded)
    return other_pin or triggered or unanswered, triggered


class Action(Enum):
    SUBMIT = "submit"
    ADOPT = "adopt"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `GoingLive.bring_about` would do now, and why. operation: the one that would be adopted."""

    action: Action
    preview: Slot | None
    live: Slot | None
    operation: Operation | None = None

"""What every publishing API is to the going-live rule: a few verbs and a neutral vocabulary.

Pure: no I/O, no HTTP, no Pulumi. The clients in `apis/` translate their API's words into these; the rule in
`going_live.py` knows nothing else. Versions are strings everywhere: the APIs number beyond 2**53.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

__all__ = [
    "Accepted",
    "Kind",
    "Link",
    "Message",
    "OfferKey",
    "Operation",
    "Overview",
    "PublishingApi",
    "Slot",
    "Status",
    "Step",
    "same",
]


@dataclass(frozen=True, slots=True)
class OfferKey:
    """An offer as its publisher names it; `str()` is the resource's id, `<publisherId>/<offerId>`."""

    publisher_id: str
    offer_id: str

    def __str__(self) -> str:
        return f"{self.publisher_id}/{self.offer_id}"


class Status(str, Enum):
    """What an operation's own top-level status word comes down to. The values stand in users' state."""

    NOT_STARTED = "notStarted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        return self is Status.SUCCEEDED or self.came_to_nothing

    @property
    def came_to_nothing(self) -> bool:
        return self in (Status.FAILED, Status.CANCELED)


class Kind(Enum):
    """What an operation does. UNKNOWN is never adopted: it may be anything."""

    GO_LIVE = "goLive"
    PREVIEW = "publish to preview"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the API, as plain text without control characters. level: "information", "error", ..."""

    text: str
    level: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an operation, for people to read: the result is never derived from steps.

    estimate: the API's own words ("~2-5 days"); empty where it gives none. percent: 0 to 100.
    """

    name: str
    status_word: str = ""
    percent: int | None = None
    estimate: str = ""
    messages: tuple[Message, ...] = ()
    active: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    uri: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One long-running operation of an offer.

    id: what the client finds the operation by; opaque to everybody else; stands in users' state. What follows a `#`
    helps the client to watch it, and is no part of what it is (see `same`).
    version: the version that it takes (or took) live, numbered as the preview slot is; None where not told.
    recurring: the API gives this id again to a later operation of the same offer.
    may_be_earlier: what was read of it may still be the end of an earlier operation by the same id.
    changed_at: when the API last changed it (UTC); None where not told. seen_at: the API's own clock when it told this.
    word: the API's own word for the status. recognised: False for a word nobody knows; it counts as running.
    retry_after: seconds that the API wants to be left alone before it is asked again.
    refused: it has failed without having begun: the API took the request, and said no to it afterwards.
    """

    id: str
    kind: Kind
    status: Status
    word: str = ""
    recognised: bool = True
    version: str | None = None
    recurring: bool = False
    may_be_earlier: bool = False
    changed_at: datetime | None = None
    seen_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    live_links: tuple[Link, ...] = ()
    preview_links: tuple[Link, ...] = ()
    retry_after: float | None = None
    refused: bool = False


def same(one: str | None, other: str | None) -> bool:
    """Whether two ids are of one operation."""
    return one is not None and other is not None and one.partition("#")[0] == other.partition("#")[0]


@dataclass(frozen=True, slots=True)
class Slot:
    """What stands in preview, or live. version None: something stands there, its number is not told.

    Of a preview only: spent, that this very content is live, and its API takes nothing live twice; overtaken, a later
    publish to preview that runs or has failed, where its API then takes nothing live, or something that nobody knows;
    tried, what tells an earlier go-live of it that has ended from a later one, as part of an id; else empty.
    """

    version: str | None
    changed_at: datetime | None = None
    spent: bool = False
    overtaken: Operation | None = None
    tried: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """An offer at one moment, from one answer. operations: newest first.

    cut_short: the answer's list breaks off, in bad weather or with one link too many: something may be missing.
    """

    preview: Slot | None
    live: Slot | None
    operations: Sequence[Operation]
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A go-live that the API accepted.

    operation_id: None where the answer named no operation; it must then be looked up. unnamed: why there is none, as
    the beginning of a sentence; empty where the answer just does not tell.
    at: the API's own clock (UTC), from the answer's Date; None where it gave none.
    """

    operation_id: str | None
    at: datetime | None = None
    retry_after: float | None = None
    unnamed: str = ""


class PublishingApi(Protocol):
    """The verbs. Every call is one attempt: whether and when to try again is the caller's to decide.

    All raise `errors.PublishingError`, `errors.SignInFailed` or `errors.Interrupted`, and nothing else.
    """

    @property
    def title(self) -> str:
        """What people call it: "The Cloud Partner Portal"."""

    def offer_exists(self, offer: OfferKey) -> bool:
        """Whether the publisher has such an offer at all, published or not."""

    def overview(self, offer: OfferKey) -> Overview | None:
        """What the next three tell, where one answer tells it all; None where each has to be asked for."""

    def preview(self, offer: OfferKey) -> Slot | None:
        """What stands in preview; None when nothing does (or there is no such offer)."""

    def live(self, offer: OfferKey) -> Slot | None:
        """What is live; None when nothing is (or there is no such offer)."""

    def operations(self, offer: OfferKey) -> Sequence[Operation]:
        """The offer's operations, newest first: go-lives and publishes to preview, running and ended."""

    def owns(self, operation_id: str) -> bool:
        """Whether the id is one of this API's, by its form: a state may hold one of another API, from before."""

    def operation(self, offer: OfferKey, operation_id: str) -> Operation:
        """One operation, with its steps."""

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        """Ask for what stands in preview to go live. The one call that must never be made twice."""

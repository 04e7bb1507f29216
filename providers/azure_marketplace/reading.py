"""How APIs are read that show an offer by one list, in pages: what their clients share, over the transport."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from providers.azure_marketplace.clock import is_out_of_patience
from providers.azure_marketplace.errors import (
    Interrupted,
    NotFound,
    NotSent,
    PublishingError,
    SeveralOffers,
    Unanswered,
    Unreadable,
    WrongApi,
)
from providers.azure_marketplace.offer_types import refuse_wrong_type
from providers.azure_marketplace.publishing import OfferKey, Operation, Overview, Slot
from providers.azure_marketplace.tolerant import folded
from providers.azure_marketplace.transport import MOST_PARTS, Answer, Transport, path_on

__all__ = ["Listing", "OneList", "before_sending", "every_item", "object_of"]

MOST_PAGES = 100
"""Pages of four entries and of one have been seen: a list that ends is not cut short."""

MOST_BYTES = 16 * 1024 * 1024
"""Of all pages of one list; of parts, they may together hold as many as one answer."""

BLIND = 30.0
"""Seconds for which a submission that cannot be read by itself puts off its go-live; then the list's word is taken."""

TRIES_OF_A_MISSING_PAGE = 2
"""How often a page that is not found is asked for again: a list cut short by bad weather would hide what runs."""

T = TypeVar("T")


class Listing(NamedTuple):
    """The objects of a list, with their keys in lower case. missing: the page that was named next and is not found."""

    items: list[Mapping[str, Any]]
    missing: str = ""


class OneList(ABC):
    """A `PublishingApi` that shows all of an offer by one list: the product's submissions.

    monotonic: the clock by which what is missing for a while is told from what is missing for good.
    """

    def __init__(self, transport: Transport, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http = transport
        self._monotonic = monotonic
        self._products: dict[str, str] = {}
        self._blind_since: dict[str, float] = {}

    @property
    @abstractmethod
    def title(self) -> str: ...

    @abstractmethod
    def overview(self, offer: OfferKey) -> Overview: ...

    @abstractmethod
    def _product(self, offer: OfferKey, *, anew: bool = False) -> str | None:
        """The id of the offer's product; None when there is no such offer. anew: whatever is remembered of it."""

    def offer_exists(self, offer: OfferKey) -> bool:
        return self._product(offer, anew=True) is not None

    def preview(self, offer: OfferKey) -> Slot | None:
        return self.overview(offer).preview

    def live(self, offer: OfferKey) -> Slot | None:
        return self.overview(offer).live

    def operations(self, offer: OfferKey) -> Sequence[Operation]:
        return self.overview(offer).operations

    def _the_one(self, offer: OfferKey, called_so: Mapping[str, str], api: str) -> str | None:
        """The id of the only product that is called so; None where there is none. called_so: types, by ids.

        An account may have several publishers, and an API that is not told which one is meant lists the products of
        all. Raises `WrongApi` where all are published through another, and `SeveralOffers` where several are left.
        """
        fitting: list[str] = []
        wrong: WrongApi | None = None
        for product, kind in called_so.items():
            try:
                refuse_wrong_type(offer, kind, api, self.title)
                fitting.append(product)
            except WrongApi as error:
                wrong = error
        if len(fitting) > 1:
            raise SeveralOffers(
                f"{self.title} shows {len(fitting)} products called {offer.offer_id!r} ({', '.join(fitting[:5])}): "
                "which one is meant cannot be told",
                next_step="Nothing was submitted. See in Partner Center which one is not needed any more, or take it "
                "live there.",
            )
        if wrong and not fitting:
            raise wrong
        if fitting:
            self._products[offer.offer_id] = fitting[0]
            return fitting[0]
        self._products.pop(offer.offer_id, None)
        return None

    def _itself_before_sending(
        self, submission: str, read: Callable[[], T], bad: tuple[type[PublishingError], ...]
    ) -> T | None:
        """What a submission is by itself, which a list may show late, before its go-live is sent.

        None once it could not be read (`bad`) for a while: the list is to tell then. Raises `NotSent` until then.
        """
        since = self._blind_since.setdefault(submission, self._monotonic())
        try:
            found = read()
        except bad as error:
            if self._monotonic() < since + BLIND:
                raise NotSent(error.what, status=error.status, retry_after=error.retry_after) from error
            return None
        self._blind_since.pop(submission, None)
        return found

    def _found(self, path: str, doing: str, *, last_may_be_missing: bool = False) -> Listing:
        """What a search finds. One that finds nothing answers with an empty list [O]: not found is bad weather."""
        try:
            return every_item(self._http, path, title=self.title, doing=doing, last_may_be_missing=last_may_be_missing)
        except NotFound as error:
            wrong = "If that goes on, see whether the endpoint is the right one. Nothing was submitted."
            raise _weather(error, next_step=wrong) from error

    def _items(self, offer: OfferKey, path: str, *, last_may_be_missing: bool = False) -> Listing:
        """What the product's list holds; nothing where the product is gone."""
        doing = f"list the submissions of {offer}"
        try:
            return every_item(self._http, path, title=self.title, doing=doing, last_may_be_missing=last_may_be_missing)
        except NotFound as error:
            if self._product(offer, anew=True) is None:
                return Listing([])
            # The product is there, so its list is too: bad weather, and no sign that nothing was ever submitted.
            raise _weather(error) from error


def _weather(error: NotFound, *, next_step: str = "") -> Unreadable:
    """What is not found although it is there, as what it is: nothing that the API means to say."""
    words, correlation_id = error.words, error.correlation_id
    return Unreadable(error.what, status=404, words=words, correlation_id=correlation_id, next_step=next_step)


def object_of(answer: Answer) -> Mapping[str, Any]:
    """The body's object, with its keys in lower case; raises `Unreadable` when it is none."""
    body = folded(answer.json())
    if not isinstance(body, Mapping):
        answer.unreadable("its answer is no object")
    return body


def every_item(http: Transport, path: str, *, title: str, doing: str, last_may_be_missing: bool = False) -> Listing:
    """The objects of every page.

    A page's successor is asked for on the configured endpoint only; it may be named absolutely, or relative to the
    host. last_may_be_missing: whether a successor that is not found, time and again, may mean that there is none.
    Raises `Unreadable` for a list that takes longer than its reader's patience, or is longer than any.
    """
    found: list[Mapping[str, Any]] = []
    asked: set[str] = set()
    missed = size = parts = 0
    while True:
        try:
            answer = http.get(path, doing=doing)
        except NotFound:
            if not asked or not last_may_be_missing:
                raise
            missed += 1
            if missed > TRIES_OF_A_MISSING_PAGE:
                return Listing(found, missing=path)
            continue
        missed = 0
        asked.add(path)
        page = object_of(answer)
        items = page.get("value")
        if not isinstance(items, list):
            answer.unreadable("its answer is no list")
        found += [item for item in items if isinstance(item, Mapping)]
        following = page.get("@nextlink") or page.get("@odata.nextlink") or page.get("nextlink")
        if not isinstance(following, str) or not following.strip():
            return Listing(found)
        path = _successor(http, path, following.strip().replace(" ", "%20"), title)
        size, parts = size + len(answer.body), parts + answer.parts
        # Cut short it could hide the very entry that says what is running.
        if path in asked or len(asked) >= MOST_PAGES:
            answer.unreadable("its list does not end")
        if parts > MOST_PARTS:
            answer.unreadable("its list has too many parts")
        if size >= MOST_BYTES:
            answer.unreadable(f"its list is too long: more than {MOST_BYTES >> 20} MiB")
        if is_out_of_patience():
            answer.unreadable(f"its list took too long: {len(asked)} pages, and there are more")


def _successor(http: Transport, path: str, following: str, title: str) -> str:
    """The path of the page after the one at `path`. Where only a query is named, it is one of the same list."""
    bare = path.partition("?")[0]
    if following.startswith("?"):
        following = f"{bare}{following}"
    return path_on(http.endpoint, following, title=title, what="the next page of a list")


def before_sending(read: Callable[[], T]) -> T:
    """A read on the way to a submission: whatever became of it, nothing was submitted."""
    try:
        return read()
    except Interrupted:
        raise NotSent("The run was cancelled before anything was sent") from None
    except (Unanswered, Unreadable) as error:
        raise NotSent(error.what, retry_after=error.retry_after, next_step=error.next_step) from error

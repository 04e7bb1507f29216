"""The Cloud Partner Portal: its calls, and its words made neutral.

Written from Microsoft's "Go Live" reference and its neighbours (ORIG, NEW, LEARN) and from what clients that ran in
production show; the tags say how a fact is known: [D] documented, [O] observed, [I] inferred, [G] a guess that must
not matter. The documents and the wire clash in header names, casing and vocabulary: all forms are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BeforeValidator, Field

from providers.azure_marketplace.errors import NotFound, UntrustedAddress
from providers.azure_marketplace.launch import instant
from providers.azure_marketplace.polling import status_of_word
from providers.azure_marketplace.publishing import (
    Accepted,
    Kind,
    Link,
    Message,
    OfferKey,
    Operation,
    Overview,
    Slot,
    Step,
)
from providers.azure_marketplace.tolerant import (
    Id,
    Label,
    Percent,
    PlainText,
    Said,
    Text,
    Version,
    folded,
    objects,
    text_of,
)
from providers.azure_marketplace.transport import Answer, Transport, path_on

__all__ = ["ADVICE", "API_VERSION", "AUDIENCE", "TITLE", "CloudPartnerPortal"]

TITLE = "The Cloud Partner Portal"
AUDIENCE = "https://cloudpartner.azure.com"
API_VERSION = "2017-10-31"
"""ORIG/considerations [D]: in the query of every call."""
ADVICE: Mapping[int | str, str] = {
    400: "See what it says is missing, mend that in the portal, and run `pulumi up` again.",
    401: "Sign in anew: the token is not valid (any more), or is meant for somebody else than the portal.",
    403: "Give the identity the role owner or contributor of this publisher, in Partner Center under Microsoft Entra "
    "applications. The classic mistake is the object id of the app registration instead of the enterprise application.",
    404: "Check publisher_id and offer_id; they are the ids in the offer's address, not its title.",
    409: "See in the portal what is running for the offer, and run `pulumi up` again when it has ended.",
    422: "See what it says is invalid, mend that in the portal, publish to preview, and run `pulumi up` again.",
}
"""What to do about a refusal, by status. 401 and 403: ORIG/troubleshooting-authentication-errors [D]."""

_LONGEST_LIST = 10_000


class CloudPartnerPortal:
    """`publishing.PublishingApi` over the Cloud Partner Portal.

    An operation's id is, in this order of preference, the GUID of the documented path, the `$`-separated id of offers
    that were not migrated, or the whole path and query where the portal named some other place.
    """

    def __init__(self, transport: Transport) -> None:
        self._http = transport

    @property
    def title(self) -> str:
        return TITLE

    def offer_exists(self, offer: OfferKey) -> bool:
        try:
            self._http.get(_versioned(_path(offer)), doing=f"show the offer {offer}")
        except NotFound:
            return False
        return True

    def overview(self, offer: OfferKey) -> Overview | None:  # noqa: ARG002 - each slot has an address of its own
        return None

    def preview(self, offer: OfferKey) -> Slot | None:
        return self._slot(offer, "Preview")

    def live(self, offer: OfferKey) -> Slot | None:
        return self._slot(offer, "Production")

    def operations(self, offer: OfferKey) -> Sequence[Operation]:
        """ORIG/retrieve-operations [D]: the path word is `submissions`, with a slash at its end.

        No filter is sent: two names for it exist, neither proven, and ended operations matter too.
        """
        answer = self._http.get(_versioned(f"{_path(offer)}/submissions/"), doing=f"list the operations of {offer}")
        listed = [_listed(item) for item in _items(answer)]
        operations = [operation for operation in listed if operation.id]
        # Newest first is only inferred [I] for the portal's own order; the dates are documented.
        dated = [(operation.changed_at, operation) for operation in operations if operation.changed_at]
        if len(dated) == len(operations):
            return [operation for _, operation in sorted(dated, key=lambda pair: pair[0], reverse=True)]
        return operations

    def owns(self, operation_id: str) -> bool:
        return operation_id.startswith("/") or "/" not in operation_id

    def operation(self, offer: OfferKey, operation_id: str) -> Operation:
        bare, _, again = operation_id.partition("#")
        try:
            answer = self._http.get(_operation_path(offer, bare), doing=f"show the operation of {offer}")
        except NotFound as error:
            error.next_step = ""  # the offer is there, and the list is asked
            raise
        items = _items(answer)
        # The documented sample is an array of one, real clients read an object (portal-api 2.4 [O]).
        body = items[0] if items else {}
        detail = _Detail.model_validate(body)
        if not detail.status:
            answer.unreadable("its answer has no status")
        status, recognised = status_of_word(detail.status)
        return Operation(
            id=operation_id if status.ended else bare,
            kind=Kind.GO_LIVE,
            status=status,
            word=detail.status,
            recognised=recognised,
            version=detail.offerversion,
            recurring="$" in operation_id,
            may_be_earlier=bool(again) and status.ended,
            seen_at=answer.date,
            steps=tuple(step.neutral() for step in detail.steps),
            messages=tuple(message.neutral() for message in detail.messages),
            live_links=_links(detail.livelinks),
            preview_links=_links(detail.previewlinks),
            retry_after=answer.retry_after,
        )

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:  # noqa: ARG002 - the portal takes no version
        """ORIG/go-live [D]: POST without a body, 202 and a header that says where the operation is.

        An id that recurs is marked `#again` until it is seen running: its address may show the end of an earlier one.
        The portal takes no version along. 200 counts as accepted too (portal-api 2.1 [O]). The body is not
        documented and not read.
        """
        answer = self._http.post(_versioned(f"{_path(offer)}/golive"), doing=f"take {offer} live")
        # ORIG says Operation-Location, NEW and running clients say Location (portal-api 2.1).
        address = answer.headers.get("Operation-Location") or answer.headers.get("Location")
        operation_id, unnamed = None, ""
        try:
            operation_id = self._operation_id(offer, address) if address else None
        except UntrustedAddress as error:
            unnamed = error.what  # accepted it is all the same
        if operation_id and "$" in operation_id:
            operation_id = f"{operation_id}#again"
        return Accepted(operation_id, at=answer.date, retry_after=answer.retry_after, unnamed=unnamed)

    def _slot(self, offer: OfferKey, slot: str) -> Slot | None:
        try:
            answer = self._http.get(
                _versioned(f"{_path(offer)}/slot/{slot}"), doing=f"show the {slot.lower()} slot of {offer}"
            )
        except NotFound:
            return None
        if answer.status == 204:
            return None
        items = _items(answer)
        if not items:
            # An empty list, or a null in it: 404 is documented for a slot that was never filled, and not the only way.
            return None
        offer_body = _Offer.model_validate(items[0])
        return Slot(offer_body.version, instant(offer_body.changedtime))

    def _operation_id(self, offer: OfferKey, address: str) -> str:
        title = f"The go-live of {offer} was accepted, but {TITLE[0].lower()}{TITLE[1:]}"
        path = path_on(self._http.endpoint, address.strip(), title=title)
        bare = urlsplit(path).path.rstrip("/")
        for prefix in (f"{_path(offer)}/operations/", "/api/operations/"):
            operation_id = unquote(bare[len(prefix) :])
            known = bare.lower().startswith(prefix.lower()) and re.fullmatch(r"[\w$.-]{1,300}", operation_id)
            if known and _operation_path(offer, operation_id) in (path, _versioned(bare), _versioned(path)):
                return operation_id
        return path


def _path(offer: OfferKey) -> str:
    return f"/api/publishers/{quote(offer.publisher_id, safe='')}/offers/{quote(offer.offer_id, safe='')}"


def _operation_path(offer: OfferKey, operation_id: str) -> str:
    if operation_id.startswith("/"):
        return _versioned(operation_id)
    where = "/api" if "$" in operation_id else _path(offer)
    return _versioned(f"{where}/operations/{quote(operation_id, safe='$')}")


def _versioned(path: str) -> str:
    """ORIG/go-live's own sample address lacks the api-version that every call needs: it is added where missing."""
    if re.search(r"[?&]api-version=[^&]", path, re.IGNORECASE):
        return path
    return f"{path}{'&' if '?' in path else '?'}api-version={API_VERSION}"


def _items(answer: Answer) -> list[Mapping[str, Any]]:
    """The objects of an answer that is an object or an array of them, with their keys in lower case."""
    body = answer.json()
    if isinstance(body, Mapping) and isinstance(body.get("value"), list):
        body = body["value"]
    if body is None:
        return []
    if not isinstance(body, (list, Mapping)):
        answer.unreadable("its answer is neither an object nor a list")
    items = body if isinstance(body, list) else [body]
    if len(items) > _LONGEST_LIST:  # nobody has so many, and a part of them could hide the one that runs
        answer.unreadable(f"its answer lists {len(items)} things")
    return [folded(item) for item in items if isinstance(item, Mapping)]


def _listed(item: Mapping[str, Any]) -> Operation:
    listed = _Listed.model_validate(item)
    word = listed.submissionstate or listed.status
    status, recognised = status_of_word(word)
    return Operation(
        id=listed.id,
        kind=_kind(listed.submissiontype, listed.slot),
        status=status,
        word=word,
        recognised=recognised,
        version=listed.offerversion,
        recurring="$" in listed.id,
        changed_at=instant(listed.changedtime or listed.lastactiondatetime or listed.createddatetime),
    )


def _kind(submission_type: str, slot: str) -> Kind:
    """What a list entry is about.

    Only "publish" with slot "staging" is sampled. ORIG's prose names the other type "GGoLive", NEW's "GoLive", and the
    slot of a go-live is nowhere shown [G]: either word is enough.
    """
    what, where = (re.sub(r"[\s_-]", "", word).lower() for word in (submission_type, slot))
    if "golive" in what or what in ("live", "production") or where in ("production", "live"):
        return Kind.GO_LIVE
    if what in ("publish", "preview") or where in ("staging", "preview"):
        return Kind.PREVIEW
    return Kind.UNKNOWN


def _links(links: Sequence[_Link]) -> tuple[Link, ...]:
    return tuple(Link(link.displaytext, link.uri) for link in links if link.uri)


# What the portal says. The samples contradict the tables, so it is read tolerantly.


def _as_messages(value: Any) -> list[Any]:
    """NEW's table calls messages "array of strings", its own sample shows objects: both are taken."""
    if not isinstance(value, list):
        return []
    return objects([{"messagehtml": item} if isinstance(item, str) else item for item in value])


class _Message(Said):
    messagehtml: PlainText = ""
    level: Label = ""

    def neutral(self) -> Message:
        return Message(self.messagehtml, self.level.lower())


_Messages = Annotated[list[_Message], BeforeValidator(_as_messages)]


class _Step(Said):
    id: Label = ""
    stepname: Label = ""
    status: Label = ""
    estimatedtimeframe: Label = ""
    progresspercentage: Percent = None
    processpercentage: Percent = Field(default=None, description="the property table's name for it")
    messages: _Messages = Field(default_factory=list)

    def neutral(self) -> Step:
        percent = self.progresspercentage
        word = re.sub(r"[\s_-]", "", self.status).lower()
        return Step(
            name=self.stepname or self.id,
            status_word=self.status,
            percent=percent if percent is not None else self.processpercentage,
            estimate=self.estimatedtimeframe,
            messages=tuple(message.neutral() for message in self.messages),
            active=word not in ("notstarted", "complete", "completed", "succeeded", ""),
        )


class _Link(Said):
    displaytext: Label = ""
    uri: PlainText = ""


_Links = Annotated[list[_Link], BeforeValidator(objects)]


class _Detail(Said):
    """portal-api 3.2 [D]."""

    status: Label = ""
    offerversion: Version = None
    messages: _Messages = Field(default_factory=list)
    steps: Annotated[list[_Step], BeforeValidator(objects)] = Field(default_factory=list)
    previewlinks: _Links = Field(default_factory=list)
    livelinks: _Links = Field(default_factory=list)


class _Listed(Said):
    """portal-api 3.1 [D]. The property table's names stand beside the sample's."""

    id: Id = ""
    submissiontype: Text = ""
    submissionstate: Label = ""
    status: Label = ""
    slot: Text = ""
    offerversion: Version = None
    changedtime: Text = ""
    lastactiondatetime: Text = ""
    createddatetime: Text = ""


class _Offer(Said):
    """portal-api 3.4 [D]. retrieve-specific-offer's sample has changedTime inside definition."""

    version: Version = None
    definition: Annotated[dict[str, Any], BeforeValidator(lambda value: value if isinstance(value, dict) else {})] = (
        Field(default_factory=dict)
    )
    own_changedtime: Text = Field(default="", alias="changedtime")

    @property
    def changedtime(self) -> str:
        return self.own_changedtime or text_of(self.definition.get("changedtime"))

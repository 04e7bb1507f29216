"""Partner Center's ingestion API (v1): its calls, and its words made neutral.

Written from Microsoft's swagger [D] and from what clients that run in production show [O]; [G] is a guess that must
not matter. A go-live is the `promote` of a submission that stands in preview; the submission itself, by its state and
substate, is what is asked afterwards. It keeps its id on the way from preview to live.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from providers.azure_marketplace.errors import (
    Conflict,
    NotFound,
    PublishingError,
    Unanswered,
    Unreadable,
    UntrustedAddress,
)
from providers.azure_marketplace.launch import instant
from providers.azure_marketplace.publishing import (
    Accepted,
    Kind,
    Message,
    OfferKey,
    Operation,
    Overview,
    Slot,
    Status,
    Step,
)
from providers.azure_marketplace.reading import OneList, before_sending, every_item, object_of
from providers.azure_marketplace.text import plain
from providers.azure_marketplace.tolerant import Label, Object, Objects, PlainText, Said, Text, Version
from providers.azure_marketplace.transport import Transport

__all__ = ["ADVICE", "API", "AUDIENCE", "TITLE", "PartnerCenter"]

API = "partnerCenter"
TITLE = "The Partner Center ingestion API"
AUDIENCE = "https://api.partner.microsoft.com"
ADVICE: Mapping[int | str, str] = {
    400: "See what it says is missing, mend that in Partner Center, and run `pulumi up` again.",
    401: "Sign in anew: the token is not valid (any more), or is meant for somebody else than Partner Center.",
    403: "Give the identity the role Manager in Partner Center, under Account settings, User management, Microsoft "
    "Entra applications. The classic mistake is the object id of the app registration instead of the enterprise "
    "application.",
    404: "Check offer_id; it is the offer's id (its AzureOfferId), not its title.",
    409: "See in Partner Center what is running for the offer, and run `pulumi up` again when it has ended.",
    "required header": 'Set it in azuremarketplace:extraHeaders, such as {"x-ms-publisherId": "<your seller id>"}.',
}
"""What to do about a refusal, by status, or by what its words contain: for weeks of 2026 a header was demanded [O]."""


_STEPS_EVERY = 3
"""Of so many readings of a go-live that runs, one asks for its steps too, which are a request of their own."""


class PartnerCenter(OneList):
    """`publishing.PublishingApi` over Partner Center's ingestion.

    An operation's id is `products/<product>/submissions/<number>`. Since one submission can be promoted again after a
    failure [G], the id of a try that came to nothing ends in `/failed`, and that of a try after it in `#again`, until
    that is seen running; that of a publish to preview in `/preview`.
    """

    def __init__(self, transport: Transport, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(transport, monotonic=monotonic)
        self._shown: dict[str, tuple[int, tuple[Step, ...]]] = {}

    @property
    def title(self) -> str:
        return TITLE

    def overview(self, offer: OfferKey) -> Overview:
        listed, cut_short = self._listed(offer)
        return Overview(_preview(listed), _live(listed), _operations(listed), cut_short)

    def owns(self, operation_id: str) -> bool:
        return re.fullmatch(r"products/[^/]+/submissions/[^/]+(/failed|/preview)?(#again)?", operation_id) is not None

    def operation(self, offer: OfferKey, operation_id: str) -> Operation:
        """The submission's state, with the steps of its workflow, and with its validations where it failed.

        Status calls answered 404 and broke off for weeks in June 2026 [O]: then the list of submissions is asked.
        """
        operation_id, _, again = operation_id.partition("#")
        path = operation_id.removesuffix("/preview").removesuffix("/failed")
        submission = self._submission(offer, path)
        shown = submission.neutral()
        if not operation_id.endswith("/preview"):
            if shown.kind is Kind.PREVIEW and shown.status is Status.SUCCEEDED:
                # By which substate it goes live, or has failed, is a guess [G]: its workflow tells as well. Where that
                # cannot be read, nothing is told.
                live = self._way_to_live(offer, path, needed=True)
                if live and live.is_under_way:
                    steps = live.steps
                    return replace(shown, kind=Kind.GO_LIVE, id=path, status=Status.RUNNING, steps=steps)
                if live and live.end:
                    told = (*shown.messages, *self._reasons(offer, path)) if live.end is Status.FAILED else ()
                    ended = replace(shown, kind=Kind.GO_LIVE, id=_operation_id(path, live.end), status=live.end)
                    return replace(ended, messages=told, steps=live.steps, may_be_earlier=bool(again))
                # It stands in preview still, or again: no go-live of it is to be seen.
                raise NotFound(f"{TITLE} shows no go-live of {offer} in its submission {submission.id}", status=404)
            # It was promoted: whatever it says of itself is about that, or about an earlier try.
            may_be_earlier = shown.status.came_to_nothing and bool(again) and submission.is_ready
            name = _operation_id(path, shown.status)
            shown = replace(shown, kind=Kind.GO_LIVE, id=name, may_be_earlier=may_be_earlier)
        if shown.status is Status.FAILED:
            return replace(shown, messages=(*shown.messages, *self._reasons(offer, path)))
        return shown if shown.status.ended else replace(shown, steps=self._steps(offer, path))

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        """`promote` [D]; 200, and what it answers is not needed."""
        product = before_sending(lambda: self._product(offer))
        if product is None or preview is None or preview.version is None:
            raise NotFound(f"{TITLE} shows no preview of {offer} that could go live", next_step=ADVICE[404])
        path = f"products/{product}/submissions/{quote(preview.version, safe='')}"
        again = before_sending(lambda: self._check_ready(offer, path)) or bool(preview.tried)
        answer = self._http.post(f"/{path}/promote", doing=f"take {offer} live", body={})
        return Accepted(f"{path}#again" if again else path, at=answer.date, retry_after=answer.retry_after)

    def _check_ready(self, offer: OfferKey, path: str) -> bool:
        """Whether the submission shows the end of an earlier try.

        Raises `Conflict` where it is not what `promote` demands [O]: a list may show that late.
        One that cannot be read, as for weeks of 2026 [O], holds its go-live up for a while; then the list is asked.
        """
        unreadable = (NotFound, Unanswered, Unreadable)
        try:
            submission = self._itself_before_sending(path, lambda: self._itself(offer, path), unreadable)
            submission = submission or self._submission(offer, path)
        except NotFound:
            return False
        _, status, _ = submission.outcome
        if not submission.is_ready or not status.ended:
            words = f"{submission.state} {submission.substate}"
            conflict = Conflict(f"{path} of {offer} is not ready to be promoted (any more): it is {words}", status=409)
            shown = submission.neutral()
            begun = shown.kind is Kind.GO_LIVE and not status.came_to_nothing
            conflict.operation = shown if begun else None
            raise conflict
        # A workflow that has failed is that of an earlier try, whatever the submission says of itself.
        live = None if status.came_to_nothing else self._way_to_live(offer, path)
        return status.came_to_nothing or (live is not None and live.end is not None)

    def _product(self, offer: OfferKey, *, anew: bool = False) -> str | None:
        """The product's id; None when there is no such offer."""
        known = self._products.get(offer.offer_id)
        if known and not anew:
            return known
        name = offer.offer_id.replace("'", "''")
        wanted = quote(f"externalIDs/Any(i:i/type eq 'AzureOfferId' and i/value eq '{name}')", safe="/:(),'")
        doing = f"find the offer {offer}"
        found = self._found(f"/products?$filter={wanted}", doing, last_may_be_missing=True)
        products = [_Product.model_validate(item) for item in found.items]
        valid = [each for each in products if re.fullmatch(r"[A-Za-z0-9-]{1,100}", each.id)]
        called_so = {each.id: each.resourcetype for each in valid if each.is_called(offer.offer_id)}
        if found.missing and not called_so:  # an offer that stands on it is not gone
            raise Unreadable(
                f"{TITLE} could not {doing}: its list breaks off with a page that is not found", status=404
            )
        return self._the_one(offer, called_so, API)

    def _listed(self, offer: OfferKey) -> tuple[list[_Submission], bool]:
        """All but "0", newest first: the order of the list is not dependable [O]. A product that is gone has none.

        And whether the list breaks off.
        """
        product = self._product(offer)
        if product is None:
            return [], False
        items, missing = self._items(offer, f"/products/{product}/submissions", last_may_be_missing=True)
        listed = [_Submission.of(product, item) for item in items]
        return _newest_first([item for item in listed if item.id not in ("", "0")]), bool(missing)

    def _itself(self, offer: OfferKey, path: str) -> _Submission:
        _, product, _, number = path.split("/")
        answer = self._http.get(f"/{path}", doing=f"show the submission of {offer}")
        submission = _Submission.of(product, {**object_of(answer), "id": number})
        if not submission.state:
            answer.unreadable("its answer has no state")
        return submission

    def _submission(self, offer: OfferKey, path: str) -> _Submission:
        """By itself, or else as the list shows it."""
        number = path.rpartition("/")[2]
        try:
            return self._itself(offer, path)
        except (NotFound, Unanswered, Unreadable, UntrustedAddress) as error:
            error.next_step = ""  # the offer is there: submissions are not found for a while at times
            if error.status == 429:
                raise  # it wants to be left alone
            found = next((item for item in self._listed(offer)[0] if item.id == number), None)
            if found is None:
                raise
            return found

    def _steps(self, offer: OfferKey, path: str) -> tuple[Step, ...]:
        """The way to live, for people to read: whatever becomes of asking for it, the go-live goes on."""
        read, steps = self._shown.get(path, (0, ()))
        if read % _STEPS_EVERY == 0:
            live = self._way_to_live(offer, path)
            steps = live.steps if live else steps
        self._shown[path] = (read + 1, steps)
        return steps

    def _way_to_live(self, offer: OfferKey, path: str, *, needed: bool = False) -> _Workflow | None:
        """needed: that it cannot be read is raised; one that is not there is none."""
        items = self._aside(f"/{path}/workflowdetails", f"show the steps of {offer}", needed=needed)
        workflows = [_Workflow.model_validate(item) for item in items]
        live = [workflow for workflow in workflows if workflow.is_to_live] or workflows[-1:]
        return live[0] if live else None

    def _reasons(self, offer: OfferKey, path: str) -> tuple[Message, ...]:
        """The validations and the certification reports, as far as they can be read."""
        validations = self._aside(f"/{path}/validations", f"show what is invalid in {offer}")
        reports = self._aside(f"/{path}/reports", f"show the certification reports of {offer}")
        told = [
            *(_Validation.model_validate(item).neutral() for item in validations[:50]),
            *(_Report.model_validate(item).neutral() for item in reports[:50]),
        ]
        return tuple(message for message in told if message.text)

    def _aside(self, path: str, doing: str, *, needed: bool = False) -> list[Mapping[str, Any]]:
        try:
            return every_item(self._http, path, title=TITLE, doing=doing, last_may_be_missing=True).items
        except NotFound:
            return []
        except PublishingError:
            if needed:
                raise
            return []


def _operation_id(path: str, status: Status) -> str:
    return f"{path}/failed" if status.came_to_nothing else path


# What the submissions mean.


def _newest_first(listed: Sequence[_Submission]) -> list[_Submission]:
    """By the number of the release, and those of one release by id, which need not grow from one to the next [O].

    One without such a number stands where its id would put it among the others, and does not turn those around.
    """
    by_id = sorted(listed, key=lambda item: item.number, reverse=True)
    newest_first = sorted((item for item in by_id if item.release), key=lambda item: item.release or 0, reverse=True)
    for item in reversed([item for item in by_id if not item.release]):
        older = (at for at, other in enumerate(newest_first) if other.number < item.number)
        newest_first.insert(next(older, len(newest_first)), item)
    return newest_first


def _preview(listed: Sequence[_Submission]) -> Slot | None:
    """The newest that became a preview, whether it still waits or is (being) taken live."""
    stands = next((item for item in listed if item.has_been_preview), None)
    if stands is None:
        return None
    later = next((item for item in listed[: listed.index(stands)] if item.overtakes), None)
    kind, status, _ = stands.outcome
    tried = "again" if kind is Kind.GO_LIVE and status.came_to_nothing else ""
    return Slot(stands.id, spent=stands.is_live, overtaken=later.neutral() if later else None, tried=tried)


def _live(listed: Sequence[_Submission]) -> Slot | None:
    newest = next((item for item in listed if item.is_live), None)
    return None if newest is None else Slot(newest.id, newest.published)


def _operations(listed: Sequence[_Submission]) -> list[Operation]:
    return [item.neutral() for item in listed]


# What the API says.

_STILL = ("indraft", "submitted", "readytopublish", "publishing", "published")
_FAILED = ("failed", "failedincertification")
_CANCELED = ("cancelled", "canceled")


def _word(value: str) -> str:
    return re.sub(r"[^a-z]", "", value.lower())


def _id(value: Any) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if re.fullmatch(r"[A-Za-z0-9-]{1,100}", text) else ""


class _ExternalId(Said):
    type: Text = ""
    value: Text = ""


class _Product(Said):
    id: Annotated[str, BeforeValidator(_id)] = ""
    resourcetype: Label = ""
    externalids: Annotated[list[_ExternalId], Objects] = Field(default_factory=list)

    def is_called(self, offer_id: str) -> bool:
        """Whether it is the one that was asked for; a product that does not tell its ids was filtered by the API."""
        names = [each.value.lower() for each in self.externalids if each.type.lower() == "azureofferid"]
        return not names or offer_id.lower() in names


class _Target(Said):
    value: Text = ""


class _PendingUpdate(Said):
    updatetype: Label = ""
    status: Label = ""
    failurereason: PlainText = ""


class _Submission(Said):
    """A submission by its state and substate [D]; what goes live keeps its id."""

    product: str = ""
    id: Annotated[str, BeforeValidator(_id)] = ""
    state: Label = ""
    substate: Label = ""
    releasenumber: Version = None
    publishedtimeinutc: Text = ""
    targets: Annotated[list[_Target], Objects] = Field(default_factory=list)
    pendingupdateinfo: Annotated[_PendingUpdate, Object] = Field(default_factory=_PendingUpdate)

    @classmethod
    def of(cls, product: str, item: Mapping[str, Any]) -> _Submission:
        return cls.model_validate({**item, "product": product})

    @property
    def number(self) -> int:
        return int(self.id) if self.id.isdecimal() else 0

    @property
    def release(self) -> int | None:
        return int(self.releasenumber) if self.releasenumber and self.releasenumber.isdecimal() else None

    @property
    def published(self) -> datetime | None:
        """None for the date that stands for never: 1601 [O]."""
        moment = instant(self.publishedtimeinutc)
        return moment if moment and moment.year > 1900 else None

    @property
    def _update(self) -> str:
        """What has become of what was last wanted of it: running, where it does not say."""
        return _word(self.pendingupdateinfo.status) or "running"

    @property
    def _promote(self) -> str:
        """What has become of the wish to promote it, where it tells of one that was confirmed [O]."""
        is_one = _word(self.pendingupdateinfo.updatetype) == "promote" and self._update != "pendingconfirmation"
        return self._update if is_one else ""

    @property
    def outcome(self) -> tuple[Kind, Status, bool]:
        """What it is about, how far that is, and whether the words are known."""
        state, substate = _word(self.state), _word(self.substate)
        to_live = any(_word(target.value) == "live" for target in self.targets)
        kind = Kind.GO_LIVE if state == "published" or to_live or self._promote else Kind.PREVIEW
        if state in ("published", "inprogress"):
            if substate == "instore":
                return Kind.GO_LIVE, Status.SUCCEEDED, True
            if substate in _FAILED:
                return kind, Status.FAILED, True
            if substate in _CANCELED:
                return kind, Status.CANCELED, True
            if substate in ("publishing", "published"):
                return Kind.GO_LIVE, Status.RUNNING, True  # by documents "going live" [G]
            if substate == "readytopublish" and state == "published":
                return self._waiting
            if state == "inprogress" and self._update in (*_FAILED, *_CANCELED):
                # Its creation came to nothing, and it stays the draft that it was [O].
                return kind, Status.FAILED if self._update in _FAILED else Status.CANCELED, True
            if state == "inprogress" or self._promote:
                return kind, Status.RUNNING, substate in _STILL
        if state == "rolledback":
            return Kind.GO_LIVE, Status.FAILED, True
        if state in (*_CANCELED, "deleted", "archived"):
            # Archived: another one has taken its place, after it was live or instead of it.
            was_live = substate == "instore" or (state == "archived" and self.published is not None)
            return (Kind.GO_LIVE, Status.SUCCEEDED, True) if was_live else (kind, Status.CANCELED, True)
        return Kind.UNKNOWN, Status.RUNNING, False

    @property
    def _waiting(self) -> tuple[Kind, Status, bool]:
        """It stands in preview: it waits for the publisher, or has just been promoted."""
        if not self._promote:
            return Kind.PREVIEW, Status.SUCCEEDED, True
        ended = {**dict.fromkeys(_FAILED, Status.FAILED), **dict.fromkeys(_CANCELED, Status.CANCELED)}
        return Kind.GO_LIVE, ended.get(self._promote, Status.RUNNING), True

    @property
    def is_ready(self) -> bool:
        """The precondition of `promote` [O]."""
        return (_word(self.state), _word(self.substate)) == ("published", "readytopublish")

    @property
    def is_live(self) -> bool:
        return (_word(self.state), _word(self.substate)) == ("published", "instore")

    @property
    def has_been_preview(self) -> bool:
        kind, status, _ = self.outcome
        return self.is_ready or self.is_live or (kind is Kind.GO_LIVE and status is Status.RUNNING)

    @property
    def overtakes(self) -> bool:
        """Whether it takes the place of an older preview: one that is being made, or that failed on its way.

        One that was cancelled before it became a preview does not. One of which nobody knows what it is may.
        """
        kind, status, _ = self.outcome
        if kind is Kind.UNKNOWN:
            return True
        begun = kind is Kind.PREVIEW and status is Status.RUNNING
        lost = kind is Kind.GO_LIVE and status is Status.CANCELED and _word(self.state) != "archived"
        return (begun or lost or status is Status.FAILED) and not self.is_ready

    def neutral(self) -> Operation:
        kind, status, recognised = self.outcome
        why = self.pendingupdateinfo.failurereason if status is Status.FAILED else ""
        return Operation(
            id=f"{self.path}/preview" if kind is Kind.PREVIEW else _operation_id(self.path, status),
            kind=kind,
            status=status,
            word=f"{self.state} {self.substate}".strip(),
            recognised=recognised,
            version=self.id,
            changed_at=self.published if status is Status.SUCCEEDED and kind is Kind.GO_LIVE else None,
            messages=(Message(why, "error"),) if why else (),
        )

    @property
    def path(self) -> str:
        return f"products/{self.product}/submissions/{self.id}"


class _WorkflowStep(Said):
    name: Label = ""
    state: Label = ""

    def neutral(self) -> Step:
        done = _word(self.state) in ("", "notstarted", "success", "succeeded", "completed")
        return Step(name=self.name, status_word=self.state, active=not done)


class _Workflow(Said):
    targetenvironment: Text = ""
    state: Label = ""
    workflowsteps: Annotated[list[_WorkflowStep], Objects] = Field(default_factory=list)

    @property
    def is_to_live(self) -> bool:
        """Whether it is the way to live, and named as such."""
        return self.targetenvironment.lower() == "live"

    @property
    def is_under_way(self) -> bool:
        """Of the way to live: begun, and not over."""
        return self.is_to_live and _word(self.state) in ("inprogress", "running")

    @property
    def end(self) -> Status | None:
        """Of the way to live, where it came to nothing. A word that nobody knows is no end."""
        word = _word(self.state) if self.is_to_live else ""
        if "cancel" in word:
            return Status.CANCELED
        return Status.FAILED if re.search("fail|error|reject|abort", word) else None

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step.neutral() for step in self.workflowsteps)


class _Validation(Said):
    errorcode: Label = ""
    severity: Label = ""
    message: PlainText = ""
    resource: PlainText = ""

    def neutral(self) -> Message:
        text = ": ".join(part for part in (self.errorcode, self.message) if part)
        where = f" ({self.resource})" if self.resource and text else ""
        return Message(f"{text}{where}", self.severity.lower())


class _Report(Said):
    """A certification report. What follows the `?` of its address may be a signature, which is nobody's to read."""

    reporttimeinutc: Label = ""
    status: Label = ""
    fileuri: Text = ""

    def neutral(self) -> Message:
        if _word(self.status) not in _FAILED:
            return Message("")
        where = f": {plain(self.fileuri.partition('?')[0], longest=200)}" if self.fileuri else ""
        when = f" of {self.reporttimeinutc}" if self.reporttimeinutc else ""
        return Message(f"Certification failed, says the report{when}{where}", "error")

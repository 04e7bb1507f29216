"""Microsoft Graph's product ingestion API: its calls, and its words made neutral.

Written from Microsoft's product-ingestion-api page and schemas [D] and from what clients that run in production show
[O]; [G] is a guess that must not matter. A go-live is a job (`configure`) that takes a preview submission live. The
job is what is asked; the list of submissions is watched beside it, and is what finds a go-live again when the job's id
was lost, since no call lists jobs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from providers.azure_marketplace.errors import (
    Conflict,
    NotFound,
    PublishingError,
    Refused,
    Unanswered,
    Unreadable,
    UntrustedAddress,
)
from providers.azure_marketplace.launch import instant, iso
from providers.azure_marketplace.polling import status_of_word
from providers.azure_marketplace.publishing import (
    Accepted,
    Kind,
    Message,
    OfferKey,
    Operation,
    Overview,
    Slot,
    Status,
    same,
)
from providers.azure_marketplace.reading import OneList, before_sending, object_of
from providers.azure_marketplace.tolerant import Id, Label, Object, PlainText, Reasons, Said, Text, text_of
from providers.azure_marketplace.transport import Transport

__all__ = ["ADVICE", "API", "AUDIENCE", "JOB_INTERVAL", "TITLE", "ProductIngestion"]

API = "productIngestion"
TITLE = "The product ingestion API"
AUDIENCE = "https://graph.microsoft.com"
VERSION = "2022-03-01-preview2"
"""Of our own resources, and the ceiling of what is answered. Never what an answer names: later submission schemas
demand members that a go-live does not have [O]."""
SCHEMA = f"https://schema.mp.microsoft.com/schema/{{}}/{VERSION}"
JOB_INTERVAL = 60.0
"""Seconds between two questions about one job: "maximum frequency of one request per minute" [D]."""
ADVICE: Mapping[int | str, str] = {
    400: "See what it says is missing, mend that in Partner Center, and run `pulumi up` again.",
    401: "Sign in anew: the token is not valid (any more), or is meant for somebody else than Microsoft Graph.",
    403: "Give the identity the role Manager in Partner Center, under Account settings, User management, Microsoft "
    "Entra applications. The classic mistake is the object id of the app registration instead of the enterprise "
    "application; a Graph permission is not needed.",
    404: "Check offer_id; it is the offer's id (its externalId), not its title.",
    409: "See in Partner Center what is running for the offer, and run `pulumi up` again when it has ended.",
    "required header": 'Set it in azuremarketplace:extraHeaders, such as {"x-ms-publisherId": "<your seller id>"}.',
}
"""What to do about a refusal, by status, or by what its words contain."""

_BESIDE = 3
"""Of so many readings of a job that runs, one looks at the list of submissions too: a job may be stuck."""
_DOUBT = 2
"""Intervals of a job's questions for which it and the list of submissions, which may lag, may contradict each other
before one of them is believed."""
_REFUSES = re.compile(r"^an in[ -]?progress submission already|^the submission cannot be pushed", re.IGNORECASE)
"""How the sentences begin of a job that was refused, for a submission that is under way or because of a newer preview
[O]. What a certification found may be in similar words."""


@dataclass(slots=True)
class _Asked:
    """What is remembered of one job, by the monotonic clock.

    next_at: when it may be asked again. read: how often it was found running. doubted_since: since when the list of
    submissions has contradicted it.
    """

    next_at: float = 0.0
    read: int = 0
    said: _Job | None = None
    error: PublishingError | None = None
    doubted_since: float | None = None


class ProductIngestion(OneList):
    """`publishing.PublishingApi` over product ingestion.

    An operation's id is that of the submission that goes live, `submission/<product>/<number>`, and after a `#` the id
    of the job, where it is known. Since one submission can be tried again after a failure, the id of a try that came
    to nothing ends in `/failed` before that, and that of a try after it in `#` and the date of the earlier one, whose
    failure a list may show still. The id of a publish to preview ends in `/preview`.

    job_interval: seconds between two questions about one job. monotonic: the clock that they go by.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        job_interval: float = JOB_INTERVAL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(transport, monotonic=monotonic)
        self._job_interval = job_interval
        self._jobs: dict[str, _Asked] = {}

    @property
    def title(self) -> str:
        return TITLE

    def overview(self, offer: OfferKey) -> Overview:
        listed = self._submissions(offer)
        return Overview(_preview(listed), _live(listed), _operations(listed))

    def owns(self, operation_id: str) -> bool:
        return re.fullmatch(r"submission/[^/]+/[0-9]+(/failed|/preview)?(#.+)?", operation_id) is not None

    def operation(self, offer: OfferKey, operation_id: str) -> Operation:
        """The job's word, held against the list of submissions; that list's alone where the job cannot be read.

        Status calls answer 404 and 5xx for a while at times [O].
        """
        submission, _, watched_by = operation_id.partition("#")
        job = watched_by.partition("#")[0]
        if submission.endswith("/preview"):
            raise NotFound(f"{TITLE} tells nothing more of a publish to preview", status=404)
        submission = submission.removesuffix("/failed")
        asked = self._job(offer, job) if job else None
        if asked is None or asked.said is None:
            return self._listed(offer, submission, watched_by, asked.error if asked else None)
        status, recognised = asked.said.outcome
        conflicts = asked.said.conflicts and not self._had_begun(offer, submission, watched_by)
        refused = asked.said.refuses or conflicts
        if not status.ended:
            done = self._done_beside(offer, submission, asked)
            if done is not None:
                return replace(done, id=_id(submission, done.status, watched_by))
        elif not refused:
            status = Status.RUNNING if self._doubts(offer, submission, asked) else status
        return Operation(
            id=_id(submission, status, watched_by),
            kind=Kind.GO_LIVE,
            status=status,
            word=asked.said.word,
            recognised=recognised,
            version=submission.rpartition("/")[2],
            messages=asked.said.reasons if status is Status.FAILED else (),
            retry_after=self._job_interval,
            refused=refused,
        )

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        """`configure` with the preview submission's id and the target live; 202 [D], 200 is taken too [O]."""
        product = before_sending(lambda: self._product(offer))
        if product is None or preview is None or preview.version is None:
            raise NotFound(f"{TITLE} shows no preview of {offer} that could go live", next_step=ADVICE[404])
        submission = f"submission/{product}/{preview.version}"
        before_sending(lambda: self._refuse_begun(offer, submission))
        body = {
            "$schema": SCHEMA.format("configure"),
            "resources": [
                {
                    "$schema": SCHEMA.format("submission"),
                    "id": submission,
                    "product": f"product/{product}",
                    "target": {"targetType": "live"},
                }
            ],
        }
        answer = self._http.post(f"/configure{_versioned()}", doing=f"take {offer} live", body=body)
        try:
            job = _Job.model_validate(object_of(answer)).jobid
        except Unreadable:
            job = ""  # accepted, says the status; the list of submissions shows it
        watched_by = f"{job}{'#' if preview.tried else ''}{preview.tried}"
        return Accepted(
            f"{submission}{'#' if watched_by else ''}{watched_by}", at=answer.date, retry_after=answer.retry_after
        )

    def _refuse_begun(self, offer: OfferKey, submission: str) -> None:
        """Raise `Conflict` where the submission itself is shown going live already, which a list may show late."""

        def itself() -> Operation:
            answer = self._http.get(f"/{submission}{_versioned()}", doing=f"show the submission of {offer}")
            return _Submission.model_validate(object_of(answer)).neutral()

        # What refuses it may be a form of the API that does not have this call.
        unreadable = (Refused, Unanswered, Unreadable)
        found = self._itself_before_sending(submission, itself, unreadable) or self._shown(offer, submission)
        if found and found.kind is Kind.GO_LIVE and not found.status.came_to_nothing:
            conflict = Conflict(f"{submission} of {offer} is going live already, or is live", status=409)
            conflict.operation = found
            raise conflict

    def _product(self, offer: OfferKey, *, anew: bool = False) -> str | None:
        """The product's durable id without its `product/`; None when there is no such offer: an empty list [O]."""
        known = self._products.get(offer.offer_id)
        if known and not anew:
            return known
        path = f"/product?externalId={quote(offer.offer_id, safe='')}&{_versioned()[1:]}"
        called_so: dict[str, str] = {}
        for item in self._found(path, f"find the offer {offer}").items:
            product = _Product.model_validate(item)
            kind, _, durable = product.id.partition("/")
            named = product.external_id.lower() in ("", offer.offer_id.lower())
            if named and kind == "product" and re.fullmatch(r"[A-Za-z0-9-]{1,100}", durable):
                called_so[durable] = product.type
        return self._the_one(offer, called_so, API)

    def _submissions(self, offer: OfferKey) -> list[_Submission]:
        """All but the draft, newest first. A product that is gone has none."""
        product = self._product(offer)
        if product is None:
            return []
        items = self._items(offer, f"/submission/{product}{_versioned()}").items
        listed = []
        for item in map(_Submission.model_validate, items):
            if item.is_live or item.is_preview or item.is_withdrawal:
                listed.append(item)
            elif item.target.targettype.lower() in ("live", "preview"):
                raise Unreadable(f"{TITLE} lists a submission of {offer} by an id that cannot be read")
        listed = [_over(item, listed) for item in listed]
        # Of the entries of one number: the go-live first, and of go-lives the one that still runs, then the one that
        # succeeded: it may be listed beside an earlier try.
        rank = {Status.SUCCEEDED: 1, Status.FAILED: 0, Status.CANCELED: 0}
        dated = all(item.created for item in listed)

        def age(item: _Submission) -> tuple[datetime, int, bool, int]:
            # Numbers need not grow: those of Partner Center, of the same look, do not [O].
            when = item.created if dated and item.created else _NEVER
            return when, item.number, item.is_live, rank.get(item.status, 2)

        return sorted(listed, key=age, reverse=True)

    def _job(self, offer: OfferKey, job: str) -> _Asked:
        """What the job says, asked no oftener than it may be; an end is final, and not asked for again."""
        asked = self._jobs.get(job)
        ended = asked is not None and asked.said is not None and asked.said.outcome[0].ended
        if asked is not None and (ended or self._monotonic() < asked.next_at):
            return asked
        asked = self._jobs.setdefault(job, _Asked())
        asked.said, asked.error, retry_after = None, None, None
        path = f"/configure/{quote(job, safe='')}/status{_versioned()}"
        try:
            answer = self._http.get(path, doing=f"show the go-live of {offer}")
            retry_after = answer.retry_after
            said = _Job.model_validate(object_of(answer))
            if not said.jobstatus:
                answer.unreadable("its answer has no status")
            asked.said = said
        except (Unanswered, Unreadable, Refused, UntrustedAddress) as error:
            if isinstance(error, NotFound):
                error.next_step = ""  # the offer is there: jobs are not found for a while at times
            asked.error, retry_after = error, error.retry_after
        asked.next_at = self._monotonic() + max(self._job_interval, retry_after or 0.0)
        return asked

    def _done_beside(self, offer: OfferKey, submission: str, asked: _Asked) -> Operation | None:
        """The go-live as the list of submissions shows it, every few readings, where that says that it succeeded."""
        asked.read += 1
        if asked.read % _BESIDE != 1:
            return None
        try:
            shown = self._shown(offer, submission)
        except PublishingError:
            return None  # beside the job, whose word there is
        # A greater number may be that of another go-live, which came later.
        own = shown is not None and same(shown.id, submission)
        return shown if own and _succeeded(shown) else None

    def _had_begun(self, offer: OfferKey, submission: str, watched_by: str) -> bool:
        """Whether the list shows the failure of this very try: whatever its job says, it was not refused."""
        entry = self._entry(offer, submission)
        return entry is not None and entry[0].status.came_to_nothing and entry[1] != watched_by.partition("#")[2]

    def _doubts(self, offer: OfferKey, submission: str, asked: _Asked) -> bool:
        """Whether the list of submissions contradicts a job that has ended (yet).

        A success is one when a submission is shown live; anything else is one when none is shown running.
        """
        try:
            shown = self._shown(offer, submission)
            unread = False
        except PublishingError:
            shown, unread = None, True
        said = asked.said.outcome[0] if asked.said else Status.RUNNING
        if shown is None or said is Status.SUCCEEDED:
            doubted = unread or (said is Status.SUCCEEDED and not _succeeded(shown))
        else:
            doubted = not shown.status.ended
        return self._still_doubted(asked, doubted)

    def _still_doubted(self, asked: _Asked, doubted: bool) -> bool:
        """Whether a contradiction is one still, or has lasted long enough for the job, or its end, to be believed."""
        if not doubted:
            asked.doubted_since = None
            return False
        now = self._monotonic()
        asked.doubted_since = now if asked.doubted_since is None else asked.doubted_since
        return now < asked.doubted_since + _DOUBT * self._job_interval

    def _listed(self, offer: OfferKey, submission: str, watched_by: str, error: PublishingError | None) -> Operation:
        """What the list of submissions shows of a go-live whose job is not known, or could not be read (error)."""
        if error is not None and error.status == 429:
            raise error  # it wants to be left alone
        entry = self._entry(offer, submission)
        if entry is None:
            raise error or NotFound(f"{TITLE} lists no go-live {submission} of {offer}", status=404)
        found, tried = entry
        failed = found.status.came_to_nothing
        if failed and tried == watched_by.partition("#")[2]:
            # It is the earlier one's, and its own does not show: the job tells, or nothing does.
            raise error or NotFound(f"{TITLE} shows an earlier go-live {submission} of {offer} only", status=404)
        if failed and error is not None and not isinstance(error, NotFound):
            raise error  # the job tells more; but jobs may be forgotten after their end [G]
        return replace(found, id=_id(submission, found.status, watched_by), retry_after=self._job_interval)

    def _shown(self, offer: OfferKey, submission: str) -> Operation | None:
        entry = self._entry(offer, submission)
        return entry[0] if entry else None

    def _entry(self, offer: OfferKey, submission: str) -> tuple[Operation, str] | None:
        """The go-live of a submission, and its mark: under its number, or else the first that came after it.

        Whether what goes live keeps the number of its preview or gets one of its own is not known for sure [G].
        """
        number = int(submission.rpartition("/")[2])
        listed = self._submissions(offer)
        operations = _operations(listed)
        own = next((item for item in listed if item.is_preview and item.number == number), None)
        others = {item.number for item in listed if item.is_preview} - {number}  # each goes live by its own number
        live = [
            (item.number, at)
            for at, item in enumerate(listed)
            if item.is_live
            and item.number not in others
            and (item.number == number or (item.number > number and not (own and item.is_older_than(own))))
        ]
        # Newest first, and of one number the one that counts first.
        first = min((each for each, _ in live), default=None)
        return next(((operations[at], listed[at].mark) for each, at in live if each == first), None)


_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def _succeeded(operation: Operation | None) -> bool:
    return operation is not None and operation.status is Status.SUCCEEDED


def _versioned() -> str:
    return f"?$version={VERSION}"


def _id(submission: str, status: Status, watched_by: str = "") -> str:
    came_to_nothing = "/failed" if status.came_to_nothing else ""
    return f"{submission}{came_to_nothing}{'#' if watched_by else ''}{watched_by}"


# What the list of submissions means. What goes live keeps the number of its preview, and "represents both" [D].


def _preview(listed: Sequence[_Submission]) -> Slot | None:
    """The newest that became a preview, whether it is still listed as one or (being) taken live."""
    previews = [item for item in listed if item.is_preview]
    ready = next((item for item in previews if item.status is Status.SUCCEEDED), None)
    taken = next((item for item in listed if item.is_live and not item.status.came_to_nothing), None)
    stands = ready or taken
    if stands is None:
        return None
    live = [item for item in listed if item.is_live and item.status is Status.SUCCEEDED]
    # What is live under a greater number came after it, unless the dates say otherwise.
    spent = any(
        item.number == stands.number or (item.number > stands.number and not item.is_older_than(stands))
        for item in live
    )
    latest = min(listed.index(item) for item in (stands, taken) if item is not None)
    later = previews[0] if previews and listed.index(previews[0]) < latest else None
    later = None if later and later.number in (stands.number, taken.number if taken else 0) else later
    # What goes live may be listed as a preview no more [O]: one that failed is then all that tells of the latest one.
    if not previews:
        later = next((item for item in listed[:latest] if item.came_to_nothing), None)
    withdrawn = next((item for item in listed if item.is_withdrawal and not item.status.came_to_nothing), None)
    if withdrawn and not any(item.is_live and item.is_newer_than(withdrawn) for item in listed):
        later = withdrawn
    return Slot(
        str(stands.number),
        stands.created if stands.is_preview else None,
        spent=spent,
        overtaken=later.neutral() if later else None,
        tried=next((item.mark for item in listed if item.came_to_nothing and item.number == stands.number), ""),
    )


def _over(item: _Submission, listed: Sequence[_Submission]) -> _Submission:
    """As live, where it does not say how far it is, and a preview was made since: one is published at a time [O]."""
    since = [each for each in listed if each.is_preview and each.status is Status.SUCCEEDED]
    later = any(each.number > item.number and not each.is_older_than(item) for each in since)
    if not (item.is_live and item.is_vague and later):
        return item
    return item.model_copy(update={"status_word": "completed", "result": "succeeded"})


def _live(listed: Sequence[_Submission]) -> Slot | None:
    # Its date may be that of the preview or its own [G]: not told.
    newest = next((item for item in listed if item.is_live and item.status is Status.SUCCEEDED), None)
    return None if newest is None else Slot(str(newest.number))


def _operations(listed: Sequence[_Submission]) -> list[Operation]:
    previews = [item.number for item in listed if item.is_preview]
    newest = max(previews, default=None)
    return [
        # A number beyond every preview's may be a go-live's own: it does not tell which preview that took.
        replace(item.neutral(), version=None) if newest is not None and item.number > newest else item.neutral()
        for item in listed
    ]


# What the API says.


class _Product(Said):
    id: Text = ""
    type: Label = ""
    identity: Annotated[dict[str, Any], Object] = Field(default_factory=dict)

    @property
    def external_id(self) -> str:
        name = self.identity.get("externalid")
        return name if isinstance(name, str) else ""


class _Target(Said):
    targettype: Text = ""


def _submission_id(value: Any) -> str:
    """`submission/<product>/<number>` [D], also where it is the end of an address."""
    pattern = r"(?:https?://[^?#]*)?/?submission/([A-Za-z0-9_-]{1,100})/([A-Za-z0-9_-]{1,100})/?"
    found = re.fullmatch(pattern, text_of(value), re.IGNORECASE)
    return f"submission/{found[1]}/{found[2]}" if found else ""


class _Submission(Said):
    """One entry of a list; the draft, and what has no number, is neither live nor preview."""

    id: Annotated[str, BeforeValidator(_submission_id)] = ""
    target: Annotated[_Target, Object] = Field(default_factory=_Target)
    status_word: Label = Field(default="", alias="status")
    result: Label = ""
    lifecyclestate: Label = ""
    created_text: Text = Field(default="", alias="created")

    @property
    def created(self) -> datetime | None:
        """When it, or the preview that it was, was made: which of the two is not known [G]."""
        return instant(self.created_text)

    @property
    def mark(self) -> str:
        """What tells it from other tries of the same submission, as part of an id."""
        return iso(self.created) or "again"

    @property
    def came_to_nothing(self) -> bool:
        return self.is_live and self.status.came_to_nothing

    def is_older_than(self, other: _Submission) -> bool:
        """Whether the dates say so; where they do not tell, the numbers have to."""
        return self.created is not None and other.created is not None and self.created < other.created

    def is_newer_than(self, other: _Submission) -> bool:
        return other.is_older_than(self) if self.created and other.created else self.number > other.number

    @property
    def number(self) -> int:
        tail = self.id.rpartition("/")[2]
        return int(tail) if re.fullmatch(r"[0-9]{1,30}", tail) else 0

    @property
    def is_live(self) -> bool:
        return self._is_for_live and not self.is_withdrawal

    @property
    def is_withdrawal(self) -> bool:
        """Whether it takes the offer off the market: the same resource, in another state of life [D]."""
        return self._is_for_live and self.lifecyclestate.lower() == "deprecated"

    @property
    def _is_for_live(self) -> bool:
        return self.target.targettype.lower() == "live" and self.number > 0

    @property
    def is_preview(self) -> bool:
        return self.target.targettype.lower() == "preview" and self.number > 0

    @property
    def status(self) -> Status:
        return _outcome(self.status_word, self.result)[0]

    @property
    def is_vague(self) -> bool:
        """Whether its words do not say that it runs, or how it ended."""
        status, recognised = _outcome(self.status_word, self.result)
        said_to_run = recognised and bool(self.status_word) and "complete" not in self.status_word.lower()
        return not status.ended and not said_to_run

    def neutral(self) -> Operation:
        """Without a date: whether `created` is a go-live's own or that of its preview is not known [G]."""
        status, recognised = _outcome(self.status_word, self.result)
        if self.is_withdrawal:
            word = f"lifecycleState {self.lifecyclestate}"
            return Operation(f"{self.id}/withdrawn", Kind.UNKNOWN, status, word, version=str(self.number))
        return Operation(
            id=_id(self.id, status) if self.is_live else f"{self.id}/preview",
            kind=Kind.GO_LIVE if self.is_live else Kind.PREVIEW,
            status=status,
            word=f"{self.status_word} {self.result}".strip(),
            recognised=recognised,
            version=str(self.number),
        )


class _Job(Said):
    """The configure-status. jobEnd is a placeholder or worse while it runs [D]: it is not read."""

    jobid: Id = ""
    jobstatus: Label = ""
    jobresult: Label = ""
    errors: Annotated[list[Any], Reasons] = Field(default_factory=list)

    @property
    def outcome(self) -> tuple[Status, bool]:
        return _outcome(self.jobstatus, self.jobresult)

    @property
    def word(self) -> str:
        return f"{self.jobstatus} {self.jobresult}".strip()

    @property
    def refuses(self) -> bool:
        """Whether it says in words that are known that it failed without a go-live of its own having begun.

        What carries those words, and whether they are all, is not known [G].
        """
        return self.outcome[0] is Status.FAILED and any(_REFUSES.search(each.text) for each in self.reasons)

    @property
    def conflicts(self) -> bool:
        """Whether it failed by a conflict, in any words: nothing of it began, unless its go-live is shown."""
        outer = [_Error.model_validate(each) for each in self.errors]
        conflict = any(error.code.lower() == "conflict" and not error.causes for error in outer)
        return self.outcome[0] is Status.FAILED and conflict

    @property
    def reasons(self) -> tuple[Message, ...]:
        return tuple(Message(text, "error") for error in self.errors[:20] for text in _causes(error))


class _Error(Said):
    """An error, in the schema's form [D]; its causes may stand under other names, as Graph's own do."""

    code: Label = ""
    message: PlainText = ""
    resourceid: Label = ""
    details: Annotated[list[Any], Reasons] = Field(default_factory=list)
    innererror: Annotated[list[Any], Reasons] = Field(default_factory=list)
    errors: Annotated[list[Any], Reasons] = Field(default_factory=list)
    validations: Annotated[list[Any], Reasons] = Field(default_factory=list)

    @property
    def causes(self) -> list[Any]:
        return [*self.details, *self.innererror, *self.errors, *self.validations]


def _causes(error: Any, outer: tuple[str, ...] = (), about: str = "") -> list[str]:
    """An error tree as sentences, from the innermost cause outward: the outermost says "Invalid resource" [O].

    about: the durable id of the resource that it is about, as far as that is known.
    """
    said = _Error.model_validate(error)
    own = said.message or said.code
    about = said.resourceid or about
    around = (*outer, own) if own else outer
    if len(around) < 8:
        told = [text for inner in said.causes[:10] for text in _causes(inner, around, about)]
        if told:
            return told
    words = list(dict.fromkeys(word.rstrip(".") for word in reversed(around)))
    if not words:
        return []
    certification = any("certification" in word.lower() for word in words)
    what = "Certification failed: " if certification else ""
    code = f" ({said.code})" if said.code and said.code != words[0] else ""
    context = f", in: {'; '.join(words[1:])}" if words[1:] else ""
    where = f" [{about}]" if about and not about.startswith("submission/") else ""
    return [f"{what}{words[0]}{code}{where}{context}"]


def _outcome(status: str, result: str) -> tuple[Status, bool]:
    """status: notStarted, running, completed. result, once completed: succeeded, failed, cancelled; else pending."""
    if re.sub(r"[^a-z]", "", status.lower()) in ("completed", "complete"):
        ended, known = status_of_word(result)
        # "completed" and not yet a result that anybody knows: still running.
        return (ended, known) if ended.ended else (Status.RUNNING, result.lower() in ("pending", ""))
    begun, known = status_of_word(status)
    return (begun, known) if not begun.ended else (Status.RUNNING, False)

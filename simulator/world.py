"""The truth behind all the APIs: publishers, offers, their slots and operations. No HTTP, no real time, no randomness.

The portal speaks of versions in slots, the siblings of submissions with numbers: the same thing, kept once. A content's
`version` is the number of the preview submission that made it.

The clock and the source of operation ids are handed in, so the same calls give the same world. Time passes
lazily: each method first lets what is due by now happen, at the moment at which it was due. A call that
the portal refuses raises `Refusal` and changes nothing.

Not safe for use from several threads at once: the owner holds a lock (see `simulation`).
"""

from __future__ import annotations

import copy
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from simulator.behaviour import Behaviour, Ending, Progress
from simulator.clock import Clock
from simulator.offer_types import offer_type

Kind = Literal["publish", "golive", "cancel", "edit", "refused"]  # the last two: jobs that push nothing
Api = Literal["cloudPartnerPortal", "productIngestion", "partnerCenter"]
Target = Literal["preview", "live"]
Shown = list[tuple["Operation", bool]]
Reason = Literal["", "in progress", "not the latest"]
SlotName = Literal["draft", "preview", "production"]
STEP_IDS = (
    "displaydummycertify",
    "displaycertify",
    "displayprovision",
    "displaypackage",
    "publisher-signoff",
    "live",
)
_PUBLISH_STEPS = 4  # a publish ends before the publisher's signoff
TICKS = 10_000_000  # .NET ticks in a second; ETags and versions count them
_AN_HOUR = 3600.0
_PRODUCTS = uuid.UUID("6f2c1d8e-6b1f-4c58-9f57-7a3b1d0c5e42")
# What a sibling says of a conflict and of a stale preview [O cloudpub 6028eef]
IN_PROGRESS = "An In Progress submission already exists"
NOT_THE_LATEST = "The submission cannot be pushed to as its not the latest"


class Refusal(Exception):
    """An API says no: the HTTP status, the code and the message of its error envelope."""

    def __init__(self, status: int, code: str, message: str, reason: Reason = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason


@dataclass
class Content:
    """What one slot holds: a numbered version of the offer."""

    version: int
    definition: dict[str, Any]
    changed_at: float


@dataclass
class Operation:
    """One publish, golive or cancel, from its acceptance on. `ended_at` is None while it runs."""

    id: str
    kind: Kind
    publisher_id: str
    offer_id: str
    content: Content  # the preview (golive) or draft (publish) that stood when it was accepted
    progress: Progress
    accepted_at: float
    by: Literal["api", "portal"] = "api"
    emails: str = ""
    polls: int = 0
    steps_granted: int = 0  # by the control address
    ended_at: float | None = None
    ending: Ending | None = None
    failure: str = ""
    position_at_end: float = 0.0
    cancel_requested_at: float | None = None
    cancel_at: float | None = None
    awaiting_signoff_since: float | None = None
    target: str | None = None  # of a cancel: the operation that it cancels, if there was one
    reads: int = 0
    last_read_at: float | None = None
    live_version: int | None = None  # a go-live's own number, where it gets one as it is accepted
    replaced: Content | None = None  # what stood in the slot that it filled
    listed_since_accepted: int = 0
    listed_since_ended: int = 0

    @property
    def number(self) -> int:
        """Of the submission that it is to the siblings."""
        return self.content.version if self.live_version is None else self.live_version

    def filled(self, kind: Kind, slot: Content) -> bool:
        """Whether it is of this kind, and put into the slot what stands there."""
        done = self.ending == "succeeded" or self.awaiting_signoff_since is not None
        return self.kind == kind and done and self.number == slot.version

    @property
    def path_length(self) -> int:
        """Over how many steps it passes."""
        if self.kind in ("edit", "refused"):
            return 1
        if self.progress.ends == "failed":
            return STEP_IDS.index(self.progress.fails_at) + 1
        return len(STEP_IDS) if self.kind == "golive" else _PUBLISH_STEPS

    @property
    def total_seconds(self) -> float:
        """By time: from its acceptance to its end."""
        p = self.progress
        return p.seconds if p.step_seconds is None else p.step_seconds * self.path_length

    def position(self, now: float) -> float:
        """How many steps it has passed, as a fraction: 2.5 is half way through the third."""
        if self.ended_at is not None:
            return self.position_at_end
        p, length = self.progress, self.path_length
        if p.mode == "at once":
            return float(length)
        done = 0.0
        if p.mode == "by time":
            done = 1.0 if self.total_seconds == 0 else (now - self.accepted_at) / self.total_seconds
        elif p.mode == "by polls":
            done = self.polls / p.polls
        return min(float(length), max(0.0, done * length + self.steps_granted))

    def due(self, now: float) -> float | None:
        """The moment at which it ended or ends by itself, if that is not in the future."""
        if self.position(now) < self.path_length:
            return None
        if self.progress.mode == "at once":
            return self.accepted_at
        if self.progress.mode == "by time":
            left = 1 - self.steps_granted / self.path_length
            return min(now, self.accepted_at + self.total_seconds * max(0.0, left))
        return now


@dataclass(frozen=True)
class Push:
    """A submission as the siblings list it: what took, or takes, a content to preview or live."""

    number: int
    target: Target
    content: Content
    created_at: float
    ending: Ending | None = "succeeded"  # None: it runs
    operation: Operation | None = None


@dataclass
class Offer:
    publisher_id: str
    offer_id: str
    offer_type_id: str  # in the portal's words
    draft: Content
    stamp: int  # ticks of the draft's last change: the ETag; two changes never share one
    behaviour: Behaviour = field(default_factory=Behaviour)
    preview: Content | None = None
    production: Content | None = None
    last_version: int = 0
    published_draft_stamp: int = -1
    history: dict[int, Content] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)  # as accepted; cancels too
    emails: str = ""
    apis: tuple[Api, ...] = ("cloudPartnerPortal",)  # by which it may be published
    product_id: str = ""  # the GUID by which the siblings know it
    jobs: list[Operation] = field(default_factory=list)  # configure calls that push nothing
    live_from: int | None = None  # the version that was taken live, whatever its number is there
    deprecated: bool = False
    deleted: list[int] = field(default_factory=list)  # submissions that were deleted

    @property
    def key(self) -> str:
        return f"{self.publisher_id}/{self.offer_id}"

    @property
    def newest(self) -> Content | None:
        """The newest content that was published: what is in preview, or what is live and "represents both" [D]."""
        return self.preview or self.production

    @property
    def running(self) -> Operation | None:
        """The operation that occupies the offer; one that only waits for the signoff does not."""
        for operation in reversed(self.operations):
            if operation.kind == "cancel" or operation.ended_at is not None:
                continue
            if operation.awaiting_signoff_since is None:
                return operation
        return None

    @property
    def awaiting_signoff(self) -> Operation | None:
        for operation in reversed(self.operations):
            if operation.ended_at is None and operation.awaiting_signoff_since is not None:
                return operation
        return None

    @property
    def submissions(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.kind != "cancel"]


@dataclass
class Publisher:
    id: str
    name: str
    forbidden: bool = False  # to every token
    seller_id: int = 1234567


@dataclass
class Saved:
    """All that outlives a restart."""

    publishers: dict[str, Publisher] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    accepted_golives: dict[str, int] = field(default_factory=dict)


_SAVED = TypeAdapter(Saved)


class World:
    """Every offer of every publisher, and the rules by which they change."""

    def __init__(
        self,
        clock: Clock,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        defaults: Behaviour | None = None,
    ) -> None:
        self.clock = clock
        self.new_id = new_id
        self.defaults = defaults or Behaviour()
        self.revision = 0  # counts changes, so that an owner knows when to save
        self._all = Saved()

    # -- The truth, for those who check.

    @property
    def publishers(self) -> dict[str, Publisher]:
        return self._all.publishers

    @property
    def offers(self) -> dict[str, Offer]:
        """By `publisher/offer`. What is due may not have happened yet: `offer` sees to that."""
        return self._all.offers

    def accepted_golives(self, publisher_id: str, offer_id: str) -> int:
        """How many golive calls began an operation, ever; those begun by hand are not among them."""
        return self._all.accepted_golives.get(f"{publisher_id}/{offer_id}", 0)

    def offer(self, publisher_id: str, offer_id: str) -> Offer:
        offer = self._all.offers.get(f"{publisher_id}/{offer_id}")
        if offer is None:
            raise Refusal(404, "NotFound", f"Offer ID '{offer_id}' was not found for Publisher ID '{publisher_id}'.")
        self._settle(offer)
        return offer

    def publisher(self, publisher_id: str) -> Publisher:
        if publisher_id not in self._all.publishers:
            raise Refusal(404, "NotFound", f"Publisher ID '{publisher_id}' was not found.")
        return self._all.publishers[publisher_id]

    def offers_of(self, publisher_id: str) -> list[Offer]:
        self.publisher(publisher_id)
        found = [offer for offer in self._all.offers.values() if offer.publisher_id == publisher_id]
        for offer in found:
            self._settle(offer)
        return found

    def find_operation(self, operation_id: str) -> tuple[Offer, Operation]:
        for offer in self._all.offers.values():
            for operation in (*offer.operations, *offer.jobs):
                if operation.id == operation_id:
                    self._settle(offer)
                    return offer, operation
        raise Refusal(404, "NotFound", f"Operation '{operation_id}' was not found.")

    def product(self, product_id: str) -> Offer:
        """The offer with this GUID."""
        for offer in self._all.offers.values():
            if offer.product_id == product_id.lower():
                self._settle(offer)
                return offer
        raise Refusal(404, "NotFound", f"Product '{product_id}' was not found.")

    # -- By hand: what a scenario, the control address, or somebody in the portal does.

    def add_publisher(self, publisher_id: str, *, name: str = "", forbidden: bool = False) -> Publisher:
        self._changed()
        added = Publisher(publisher_id, name or publisher_id.capitalize(), forbidden)
        self._all.publishers[publisher_id] = added
        return added

    def add_offer(
        self,
        publisher_id: str,
        offer_id: str,
        *,
        preview: int | None = 1,
        production: int | None = None,
        behaviour: Behaviour | None = None,
        offer_type_id: str | None = None,
        definition: dict[str, Any] | None = None,
        apis: tuple[Api, ...] = ("cloudPartnerPortal",),
        product_id: str | None = None,
    ) -> Offer:
        """An offer with these versions in its slots (None: never filled), in place of any of that name.

        What is live came before what is in preview, whichever has the greater number.
        """
        self._changed()
        if publisher_id not in self._all.publishers:
            self.add_publisher(publisher_id)
        now = self.clock.now()
        content = definition or _definition(offer_id)
        last = max(preview or 0, production or 0)
        usual = "AzureApplication" if apis == ("partnerCenter",) else "azureVirtualMachine"
        offer = Offer(
            publisher_id,
            offer_id,
            offer_type(offer_type_id or usual).portal,
            draft=Content(last, content, now),
            stamp=_ticks(now),
            behaviour=behaviour or self.defaults,
            last_version=last,
            apis=apis,
            product_id=product_id or str(uuid.uuid5(_PRODUCTS, f"{publisher_id}/{offer_id}")),
            live_from=production,
        )
        for slot, version in (("production", production), ("preview", preview)):
            if version is not None:
                before = slot == "production" and preview not in (None, production)
                held = Content(version, copy.deepcopy(content), now - _AN_HOUR if before else now)
                setattr(offer, slot, held)
                offer.history[version] = held
        self._all.offers[offer.key] = offer
        return offer

    def remove_offer(self, publisher_id: str, offer_id: str) -> None:
        self.offer(publisher_id, offer_id)
        self._changed()
        del self._all.offers[f"{publisher_id}/{offer_id}"]

    def set_behaviour(self, publisher_id: str, offer_id: str, behaviour: Behaviour) -> None:
        """For what is accepted from now on; running operations keep the progress they were accepted with."""
        self.offer(publisher_id, offer_id).behaviour = behaviour
        self._changed()

    def put_in_preview(
        self,
        publisher_id: str,
        offer_id: str,
        *,
        version: int | None = None,
        definition: dict[str, Any] | None = None,
    ) -> Content:
        """A new preview at once, without an operation. Preview over preview: the last wins (REVIEW) [D]."""
        offer = self.offer(publisher_id, offer_id)
        if version is not None and version in offer.history and offer.apis != ("cloudPartnerPortal",):
            raise ValueError(f"a submission numbered {version} was there already, and numbers only grow")
        self._changed()
        if definition is not None:
            self.change_draft(offer, definition)
        content = self._next_content(offer, version)
        offer.preview = content
        return content

    def advance(self, operation_id: str, steps: int = 1) -> Operation:
        """Let a running operation pass `steps` more steps, whatever its mode."""
        offer, operation = self.find_operation(operation_id)
        if operation.ended_at is None:
            operation.steps_granted += steps
            self._changed()
            self._settle(offer)
        return operation

    def end(self, operation_id: str, ending: Ending, failure: str | None = None) -> Operation:
        """Let a running operation end now."""
        offer, operation = self.find_operation(operation_id)
        if operation.ended_at is None:
            if failure is not None:
                operation.failure = failure
            self._end(offer, operation, ending, self.clock.now())
        return operation

    # -- The API's verbs.

    def put_offer(
        self,
        publisher_id: str,
        offer_id: str,
        *,
        offer_type_id: str,
        definition: dict[str, Any],
        if_match: str | None,
    ) -> tuple[Offer, bool]:
        """Create or change a draft; True: created. `if_match` is the ETag's stamp in ticks, `*`, or None."""
        self.publisher(publisher_id)
        offer = self._all.offers.get(f"{publisher_id}/{offer_id}")
        if offer is None:
            created = self.add_offer(
                publisher_id, offer_id, preview=None, offer_type_id=offer_type_id, definition=definition
            )
            return created, True
        self._settle(offer)
        if if_match is None:
            # devigned/pub#22 [O]
            raise Refusal(
                409,
                "InvalidResourceId",
                "Offer ID already exists. If you wanted to update an existing offer, "
                "please ensure If-Match header is specified as per documentation.",
            )
        if if_match not in ("*", str(offer.stamp)):
            raise Refusal(412, "PreconditionFailed", "The If-Match header does not match the offer's ETag.")
        offer.offer_type_id = offer_type_id
        self.change_draft(offer, definition)
        return offer, False

    def publish(self, publisher_id: str, offer_id: str, *, emails: str | None = None) -> Operation:
        """Take the draft to preview. Idempotent while the same draft is under way (AUTOMATE) [D-old]."""
        offer = self.offer(publisher_id, offer_id)
        if not emails and offer.behaviour.publish_needs_emails:
            raise Refusal(400, "BadRequest", "The argument: 'notification-emails' cannot be null or empty.")
        running = offer.running
        if running is not None:
            if running.kind == "publish" and offer.published_draft_stamp == offer.stamp:
                return running
            return self._conflict(offer, running)
        waiting = offer.awaiting_signoff
        if waiting is not None:
            self._end(offer, waiting, "succeeded", self.clock.now())
        if emails:
            offer.emails = emails
        offer.published_draft_stamp = offer.stamp
        return self._accept(offer, "publish", self._next_content(offer), offer.behaviour.publish)

    def golive(self, publisher_id: str, offer_id: str, *, by: Literal["api", "portal"] = "api") -> Operation:
        """Start taking what is in preview live (ORIG/go-live) [D]."""
        offer = self.offer(publisher_id, offer_id)
        running = offer.running
        if running is not None:
            return self._conflict(offer, running)
        if offer.preview is None:
            if offer.behaviour.golive_without_preview == 404:
                raise Refusal(404, "NotFound", no_slot_message(offer.publisher_id, offer.offer_id, "preview"))
            raise Refusal(400, "BadRequest", "The offer has not been published to preview.")
        unchanged = offer.production is not None and offer.production.version == offer.preview.version
        if unchanged and offer.behaviour.golive_unchanged != 202:
            status = offer.behaviour.golive_unchanged
            raise Refusal(status, _code(status), "The offer's preview is live already.")
        waiting = offer.awaiting_signoff
        if waiting is not None:
            self._end(offer, waiting, "succeeded", self.clock.now())
        if by == "api":
            counts = self._all.accepted_golives
            counts[offer.key] = counts.get(offer.key, 0) + 1
        return self._accept(offer, "golive", offer.preview, offer.behaviour.golive, by=by)

    def push_live(self, offer: Offer, number: int | None, api: Api) -> Operation:
        """The siblings' go-live: of the submission with this number; None: of the newest."""
        self._settle(offer)
        if offer.running is not None:
            return self._conflict(offer, offer.running, IN_PROGRESS)
        content = offer.newest
        if content is None or (number is not None and number != content.version):
            if number in offer.history and number not in offer.deleted:
                raise Refusal(409, "Conflict", NOT_THE_LATEST, "not the latest")
            raise Refusal(404, "NotFound", f"Submission '{number or ''}' was not found.")
        b = offer.behaviour
        unchanged = content is offer.production or content.version == offer.live_from
        if api == "productIngestion" and unchanged and b.golive_unchanged != 202:
            raise Refusal(b.golive_unchanged, _code(b.golive_unchanged), "The submission is live already.")
        if offer.awaiting_signoff is not None:
            self._end(offer, offer.awaiting_signoff, "succeeded", self.clock.now())
        counts = self._all.accepted_golives
        counts[offer.key] = counts.get(offer.key, 0) + 1
        return self._accept(offer, "golive", content, b.golive)

    def push_preview(self, offer: Offer) -> Operation:
        """The siblings' publish: of the draft, under the next number. A newer preview overrides an older one [D]."""
        self._settle(offer)
        if offer.running is not None:
            return self._conflict(offer, offer.running, IN_PROGRESS)
        if offer.awaiting_signoff is not None:
            self._end(offer, offer.awaiting_signoff, "succeeded", self.clock.now())
        return self._accept(offer, "publish", self._next_content(offer), offer.behaviour.publish)

    def add_job(
        self,
        offer: Offer,
        kind: Kind,
        progress: Progress,
        *,
        failure: str = "",
        definition: dict[str, Any] | None = None,
    ) -> Operation:
        """A configure call that pushes nothing: an edit of the draft, or one whose job fails at once."""
        now = self.clock.now()
        content = Content(offer.draft.version, definition or {}, now)
        job = Operation(self.new_id(), kind, offer.publisher_id, offer.offer_id, content, progress, now)
        job.failure = failure
        offer.jobs.append(job)
        self._changed()
        self._settle(offer)
        return job

    def deprecate(self, offer: Offer) -> None:
        offer.deprecated = True
        self._changed()

    def delete_submission(self, offer: Offer, operation: Operation) -> None:
        """Cancel a publish that is under way, or give up one that failed."""
        if operation.ended_at is None:
            self._end(offer, operation, "canceled", self.clock.now())
        offer.deleted.append(operation.content.version)
        self._changed()

    def read_job(self, offer: Offer, operation: Operation) -> Operation:
        """One poll of what was found by its id alone."""
        polled = self._polled(offer, operation)
        if offer.behaviour.product_ingestion.job_min_interval:
            operation.last_read_at = self.clock.now()
            self._changed()
        return polled

    def shown(self, offer: Offer, *, listed: bool = False) -> Shown:
        """Its publishes and go-lives as accepted, each with whether it runs; `listed`: for a list, which may lag."""
        self._settle(offer)
        found = self._listed(offer) if listed else [(o, o.ended_at is None) for o in offer.submissions]
        return [(o, running and o.awaiting_signoff_since is None) for o, running in found]

    def pushes(self, offer: Offer, shown: Shown) -> list[Push]:
        """The submissions that these come to, newest first."""
        runs = {operation.id: running for operation, running in shown}
        preview, live = offer.preview, offer.production
        for operation in reversed(offer.submissions):
            filled = operation.ending == "succeeded" or operation.awaiting_signoff_since is not None
            if not filled or runs.get(operation.id) is False:
                continue
            if operation.kind == "golive":  # nobody sees yet that it ended
                live, preview = operation.replaced, preview or operation.content
            elif preview is not None and preview.version == operation.content.version:
                preview = operation.replaced
        found = []
        slots: tuple[tuple[Kind, Target, Content | None], ...] = (
            ("golive", "live", live),
            ("publish", "preview", preview),
        )
        for kind, target, slot in slots:
            newest = next((o for o, _ in reversed(shown) if o.kind == kind), None)
            # Of a publish that failed nothing is left once something newer is in preview.
            past = kind == "publish" and newest is not None and slot is not None and newest.number <= slot.version
            if newest is not None and not past and (runs[newest.id] or newest.ending in ("failed", "canceled")):
                ending = None if runs[newest.id] else newest.ending
                found.append(Push(newest.number, target, newest.content, newest.accepted_at, ending, newest))
            if slot is not None:
                filler = next((o for o in reversed(offer.submissions) if o.filled(kind, slot)), None)
                at = slot.changed_at if filler is None else filler.accepted_at
                found.append(Push(slot.version, target, slot, at, "succeeded", filler))
        return sorted(found, key=lambda push: push.created_at, reverse=True)

    def cancel(self, publisher_id: str, offer_id: str) -> Operation:
        """Cancel what runs. Accepted even when nothing does [O OSA]; a golive goes on (REVIEW) [D]."""
        offer = self.offer(publisher_id, offer_id)
        now = self.clock.now()
        target = offer.running or offer.awaiting_signoff
        effective = target is not None
        if target is not None and target.kind == "golive" and offer.behaviour.cancel_golive != "effective":
            if offer.behaviour.cancel_golive == "refused":
                raise Refusal(400, "BadRequest", "The operation can no longer be canceled.")
            effective = False
        content = target.content if target is not None else offer.draft
        request = Operation(self.new_id(), "cancel", publisher_id, offer_id, content, Progress(mode="held"), now)
        request.target = target.id if target is not None else None
        offer.operations.append(request)
        if target is not None and effective:
            target.cancel_requested_at = now
            target.cancel_at = min(target.cancel_at or math.inf, now + offer.behaviour.cancel_seconds)
        else:
            request.ended_at, request.ending = now, "succeeded" if target is None else "failed"
        self._changed()
        self._settle(offer)
        return request

    def read_operation(self, publisher_id: str, offer_id: str, operation_id: str) -> Operation:
        """One poll. A fresh operation may be unknown for a while, as its offer's behaviour says."""
        offer = self.offer(publisher_id, offer_id)
        for operation in offer.operations:
            if operation.id == operation_id:
                return self._polled(offer, operation)
        raise self._no_operation(operation_id)

    def read_dollar_operation(self, dollar_id: str) -> tuple[Offer, Operation]:
        """One poll by `{publisher}${offer}${publishingVersion}${slot}` [D]: the newest that fits."""
        parts = dollar_id.split("$")
        if len(parts) != 4 or not parts[2].isdigit():
            raise self._no_operation(dollar_id)
        offer = self.offer(parts[0], parts[1])
        b, word = offer.behaviour, parts[3].lower()
        publish_words = {"preview", "staging", b.slot_publish.lower()}
        golive_words = {"production", "live", b.slot_golive.lower(), b.location_slot.lower()}
        for operation in reversed(offer.submissions):
            words = golive_words if operation.kind == "golive" else publish_words
            if operation.content.version == int(parts[2]) and word in words:
                return offer, self._polled(offer, operation)
        raise self._no_operation(dollar_id)

    def list_operations(self, publisher_id: str, offer_id: str) -> list[tuple[Operation, bool]]:
        """The operations as the listing shows them now, each with whether it shows it as running."""
        offer = self.offer(publisher_id, offer_id)
        shown = self._listed(offer)
        return shown[::-1] if offer.behaviour.listing_order == "newest" else shown

    def _listed(self, offer: Offer) -> list[tuple[Operation, bool]]:
        """As accepted."""
        b, now = offer.behaviour, self.clock.now()
        shown = []
        for operation in offer.submissions:
            operation.listed_since_accepted += 1
            if operation.ended_at is not None:
                operation.listed_since_ended += 1
            late = now - b.listing_lag_seconds
            if operation.accepted_at > late or operation.listed_since_accepted <= b.listing_lag_reads:
                continue
            ended = operation.ended_at is not None and (
                operation.ended_at <= late and operation.listed_since_ended > b.listing_lag_reads
            )
            shown.append((operation, not ended))
        if b.listing_lag_reads:
            self._changed()
        return shown

    def poll_status(self, publisher_id: str, offer_id: str) -> Offer:
        """The offer for a GET of its status, which is a poll of what runs too [O SUSE]."""
        offer = self.offer(publisher_id, offer_id)
        running = offer.running
        if running is not None:
            self._count_poll(offer, running)
        return offer

    def slot(self, publisher_id: str, offer_id: str, slot: SlotName) -> tuple[Offer, Content]:
        offer = self.offer(publisher_id, offer_id)
        content: Content | None = getattr(offer, slot)
        late = self.clock.now() - offer.behaviour.slot_lag_seconds
        for operation in reversed(offer.submissions if slot == "production" else []):
            if operation.kind == "golive" and operation.ending == "succeeded":
                shown_late = operation.ended_at is not None and operation.ended_at > late
                content = operation.replaced if shown_late else content
                break
        if content is None:
            raise Refusal(404, "NotFound", no_slot_message(publisher_id, offer_id, slot))
        return offer, content

    def version(self, publisher_id: str, offer_id: str, version: int) -> tuple[Offer, Content]:
        offer = self.offer(publisher_id, offer_id)
        if version == offer.draft.version:
            return offer, offer.draft
        if version not in offer.history:
            raise Refusal(404, "NotFound", f"Version {version} of Offer ID '{offer_id}' was not found.")
        return offer, offer.history[version]

    # -- Keeping.

    def to_json(self) -> dict[str, Any]:
        saved: dict[str, Any] = _SAVED.dump_python(self._all, mode="json")
        return saved

    def load_json(self, data: object) -> None:
        """Take the place of everything. Raises pydantic's ValidationError for what is no saved world."""
        self._all = _SAVED.validate_python(data)
        self._changed()

    def clear(self) -> None:
        self._all = Saved()
        self._changed()

    # -- Inner workings.

    def _changed(self) -> None:
        self.revision += 1

    def _accept(
        self,
        offer: Offer,
        kind: Kind,
        content: Content,
        progress: Progress,
        by: Literal["api", "portal"] = "api",
    ) -> Operation:
        operation = Operation(
            self.new_id(),
            kind,
            offer.publisher_id,
            offer.offer_id,
            content,
            progress,
            self.clock.now(),
            by=by,
            emails=offer.emails,
        )
        if kind == "golive" and offer.behaviour.golive_bumps_version and "productIngestion" in offer.apis:
            offer.last_version += 1  # listed under its own number while it runs
            operation.live_version = offer.last_version
        offer.operations.append(operation)
        self._changed()
        self._settle(offer)
        return operation

    def _conflict(self, offer: Offer, running: Operation, message: str = "") -> Operation:
        """Only one operation runs per offer [D]; what the portal answers then is not known [G]."""
        status = offer.behaviour.conflict
        if status == 202:
            return running
        message = message or f"An operation ({running.id}) is already in progress for the offer."
        raise Refusal(status, _code(status), message, "in progress")

    def _polled(self, offer: Offer, operation: Operation) -> Operation:
        b = offer.behaviour
        operation.reads += 1
        if operation.reads <= max(b.fresh_404_reads, b.not_started_reads):
            self._changed()
        fresh = self.clock.now() < operation.accepted_at + b.fresh_404_seconds
        if fresh or operation.reads <= b.fresh_404_reads:
            raise self._no_operation(operation.id)
        if operation.ended_at is None and operation.kind != "cancel":
            self._count_poll(offer, operation)
        return operation

    def _count_poll(self, offer: Offer, operation: Operation) -> None:
        operation.polls += 1
        if operation.progress.mode == "by polls":
            self._changed()
            self._settle(offer)

    def _settle(self, offer: Offer) -> None:
        """Let happen what is due by now."""
        now = self.clock.now()
        for job in offer.jobs:
            at = job.due(now) if job.ended_at is None else None
            if at is not None:
                self._end(offer, job, job.progress.ends, at)
        operation = offer.running or offer.awaiting_signoff
        if operation is None:
            return
        due = operation.due(now) if operation.awaiting_signoff_since is None else None
        if operation.cancel_at is not None and operation.cancel_at <= min(now, due or math.inf):
            self._end(offer, operation, "canceled", operation.cancel_at)
        elif due is not None:
            self._end_by_itself(offer, operation, due)

    def _end_by_itself(self, offer: Offer, operation: Operation, at: float) -> None:
        ending = operation.progress.ends
        if operation.kind == "publish" and ending == "succeeded" and offer.behaviour.publish_awaits_signoff:
            self._fill_preview(offer, operation, at)
            operation.awaiting_signoff_since = at
            self._changed()
            return
        if ending == "failed" and not operation.failure:
            operation.failure = operation.progress.failure
        self._end(offer, operation, ending, at)

    def _end(self, offer: Offer, operation: Operation, ending: Ending, at: float) -> None:
        operation.position_at_end = operation.position(at)
        if ending == "failed" and operation.progress.ends == "failed":
            operation.position_at_end = min(operation.position_at_end, float(operation.path_length - 1))
        operation.ended_at, operation.ending = at, ending
        if ending == "failed" and not operation.failure:
            operation.failure = operation.progress.failure
        if ending == "succeeded":
            if operation.kind == "golive":
                self._fill_production(offer, operation, at)
            elif operation.kind == "publish" and operation.awaiting_signoff_since is None:
                self._fill_preview(offer, operation, at)
        for request in offer.operations:
            if request.kind == "cancel" and request.target == operation.id and request.ended_at is None:
                request.ended_at = at
                request.ending = "succeeded" if ending == "canceled" else "failed"
        self._changed()

    def _fill_preview(self, offer: Offer, operation: Operation, at: float) -> None:
        operation.content.changed_at = at
        operation.replaced = offer.preview
        offer.preview = operation.content

    def _fill_production(self, offer: Offer, operation: Operation, at: float) -> None:
        live = Content(operation.content.version, operation.content.definition, at)
        operation.replaced, offer.live_from = offer.production, live.version
        if operation.live_version is not None:
            live.version = operation.live_version
            offer.history[live.version] = live
        elif offer.behaviour.golive_bumps_version and "cloudPartnerPortal" in offer.apis:
            offer.last_version += 1
            live.version = operation.live_version = offer.last_version
            offer.history[live.version] = live
        offer.production = live
        still_there = offer.preview is not None and offer.preview.version == operation.content.version
        if offer.behaviour.preview_after_golive == "dropped" and still_there:
            offer.preview = None

    def _next_content(self, offer: Offer, version: int | None = None) -> Content:
        """The draft as it stands, under the next number: one more per publish [D]."""
        number = offer.last_version + 1 if version is None else version
        offer.last_version = max(offer.last_version, number)
        offer.draft.version = number
        content = Content(number, copy.deepcopy(offer.draft.definition), self.clock.now())
        offer.history[number] = content
        self._changed()
        return content

    def change_draft(self, offer: Offer, definition: dict[str, Any]) -> None:
        """Give the draft another definition, and a new ETag."""
        now = self.clock.now()
        offer.draft = Content(offer.draft.version, definition, now)
        offer.stamp = max(offer.stamp + 1, _ticks(now))
        self._changed()

    def _no_operation(self, operation_id: str) -> Refusal:
        return Refusal(404, "NotFound", f"Operation '{operation_id}' was not found.")


def no_slot_message(publisher_id: str, offer_id: str, slot: str) -> str:
    """The observed text; the preview slot is "Staging" inside the portal [O OSA PR #8188]."""
    word = {"preview": "Staging", "production": "Production"}.get(slot, slot.capitalize())
    return f"There is no {word} slot deployed for Offer ID '{offer_id}', Publisher ID '{publisher_id}'"


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS)


def _code(status: int) -> str:
    return {400: "BadRequest", 409: "Conflict", 422: "UnprocessableEntity"}[status]


def _definition(offer_id: str) -> dict[str, Any]:
    return {
        "displayText": offer_id,
        "offer": {"microsoft-azure-marketplace.title": offer_id},
        "plans": [{"planId": "contoso", "regions": ["AZ"], "microsoft-azure-virtualmachines.vmImages": {}}],
    }

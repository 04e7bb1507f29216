"""The going-live rule's surroundings, in memory: the simulator's world behind the verbs, and a clock that never waits.

Every call of the API and every sleep is one *step*; a run can be killed before any step, as by SIGKILL, and every
request can go wrong in every way that matters: before the portal acts, after it, or with an answer that lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from providers.azure_marketplace.errors import (
    Conflict,
    Interrupted,
    NotFound,
    NotSent,
    Overloaded,
    PublishingError,
    Refused,
    Unanswered,
    Unreadable,
)
from providers.azure_marketplace.polling import status_of_word
from providers.azure_marketplace.publishing import (
    Accepted,
    Kind,
    Message,
    OfferKey,
    Operation,
    Overview,
    Slot,
    Step,
    same,
)
from simulator.behaviour import Behaviour
from simulator.world import Content, Refusal, World
from simulator.world import Operation as WorldOperation

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
OFFER = OfferKey("contoso", "vm")


class Killed(BaseException):
    """SIGKILL: nothing of the run survives but what was recorded before."""


class FakeClock:
    """Both the provider's clock and the simulator's. cancel_at: when the run is cancelled, in its own seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cancel_at = float("inf")
        self.before_step: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.before_step()
        if self.seconds + seconds >= self.cancel_at:
            self.seconds = max(self.seconds, self.cancel_at)
            raise Interrupted
        self.seconds += max(seconds, 0.0)

    def chance(self) -> float:
        return 0.5

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


class WorldClock:
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return (EPOCH + timedelta(seconds=self._clock.seconds)).timestamp()


@dataclass
class Faults:
    """What goes wrong with the next requests, in order; "" is none.

    For a submit: `before` (reset before the portal acts), `after` (it acts, the answer is lost), `500 before`,
    `500 after`, `429 before`, `429 after`, `not sent`. For a read: `lost`, `503`, `404`, `unreadable`, `not sent`.
    """

    submits: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)


class WorldApi:
    """`PublishingApi` over a simulated world."""

    title = "The Cloud Partner Portal"

    def __init__(
        self,
        world: World,
        clock: FakeClock,
        faults: Faults | None = None,
        *,
        slot_lag: float = 0.0,
        recurring_ids: bool = False,
    ) -> None:
        """slot_lag: seconds for which production still shows what was live before a go-live's end.

        recurring_ids: ids as of offers that were not migrated: `contoso$vm$7$production`, one for each version.
        """
        self.world = world
        self._clock = clock
        self.faults = faults or Faults()
        self.calls: list[str] = []
        self._slot_lag = slot_lag
        self._recurring_ids = recurring_ids
        self._shown_live = self._slot(OFFER, "production")

    def offer_exists(self, offer: OfferKey) -> bool:
        self._read("offer")
        try:
            self.world.offer(offer.publisher_id, offer.offer_id)
        except Refusal:
            return False
        return True

    def overview(self, offer: OfferKey) -> Overview | None:
        return None

    def preview(self, offer: OfferKey) -> Slot | None:
        self._read("preview")
        return self._slot(offer, "preview")

    def live(self, offer: OfferKey) -> Slot | None:
        self._read("live")
        shown = self._slot(offer, "production")
        if self._slot_lag and shown is not None:
            operations = self.world.offer(*_names(offer)).operations
            ends = [each.ended_at for each in operations if each.ended_at and each.ending == "succeeded"]
            if ends and max(ends) > self._clock.now().timestamp() - self._slot_lag:
                return self._shown_live
        self._shown_live = shown
        return shown

    def operations(self, offer: OfferKey) -> Sequence[Operation]:
        self._read("operations")
        with _refusals():
            listed = self.world.list_operations(offer.publisher_id, offer.offer_id)
        shown = [self._neutral(operation, running) for operation, running in listed]
        return sorted(shown, key=lambda operation: operation.changed_at or EPOCH, reverse=True)

    def owns(self, operation_id: str) -> bool:
        return operation_id.startswith(("op-", "contoso$"))

    def operation(self, offer: OfferKey, operation_id: str) -> Operation:
        self._read("operation")
        name, _, again = operation_id.partition("#")
        shown = self.shown(offer, name)
        return replace(
            shown, id=operation_id if shown.status.ended else name, may_be_earlier=bool(again) and shown.status.ended
        )

    def shown(self, offer: OfferKey, operation_id: str) -> Operation:
        """What its address answers."""
        with _refusals():
            named = self.operations_of(operation_id)
            asked = named[-1].id if named else operation_id
            found = self.world.read_operation(offer.publisher_id, offer.offer_id, asked)
        return self._neutral(found, found.ended_at is None)

    def submit(self, offer: OfferKey, preview: Slot | None) -> Accepted:
        self._step("submit")
        fault = self.faults.submits.pop(0) if self.faults.submits else ""
        if fault == "not sent":
            raise NotSent("no connection")
        if fault == "before":
            raise Unanswered("connection reset")
        if fault in ("500 before", "429 before"):
            raise Overloaded("overloaded", status=int(fault[:3]))
        with _refusals():
            accepted = self.world.golive(offer.publisher_id, offer.offer_id)
        if fault == "after":
            raise Unanswered("the answer was lost")
        if fault in ("500 after", "429 after"):
            raise Overloaded("overloaded", status=int(fault[:3]))
        if fault == "nameless":
            return Accepted(None, self._clock.now())
        # Killed here, the portal has acted and nobody knows.
        self._clock.before_step()
        again = "#again" if self._recurring_ids else ""
        return Accepted(f"{self._id(accepted)}{again}", self._clock.now())

    def operations_of(self, operation_id: str) -> list[WorldOperation]:
        """The operations that this client knows by that id, in the order in which they began."""
        return [each for each in self.world.offer(*_names(OFFER)).operations if same(self._id(each), operation_id)]

    def _id(self, operation: WorldOperation) -> str:
        return _dollar(operation) if self._recurring_ids else operation.id

    def _neutral(self, operation: WorldOperation, running: bool) -> Operation:
        return replace(_neutral(operation, running), id=self._id(operation), recurring=self._recurring_ids)

    def _step(self, call: str) -> None:
        self._clock.before_step()
        self._clock.pass_by(0.01)
        self.calls.append(call)

    def _read(self, call: str) -> None:
        self._step(call)
        fault = self.faults.reads.pop(0) if self.faults.reads else ""
        errors: dict[str, PublishingError] = {
            "lost": Unanswered("connection reset"),
            "503": Overloaded("overloaded", status=503),
            "404": NotFound("not found", status=404),
            "unreadable": Unreadable("not JSON"),
            "not sent": NotSent("no connection"),
        }
        if fault:
            raise errors[fault]

    def _slot(self, offer: OfferKey, name: str) -> Slot | None:
        try:
            found = self.world.offer(offer.publisher_id, offer.offer_id)
        except Refusal:
            return None
        content = found.preview if name == "preview" else found.production
        if content is None:
            return None
        return _slot_of(content)


def _names(offer: OfferKey) -> tuple[str, str]:
    return offer.publisher_id, offer.offer_id


def _slot_of(content: Content) -> Slot:
    return Slot(str(content.version), datetime.fromtimestamp(content.changed_at, timezone.utc))


def _dollar(operation: WorldOperation) -> str:
    return f"{operation.publisher_id}${operation.offer_id}${operation.content.version}$production"


class _refusals:  # noqa: N801 - reads as a statement
    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Refusal):
            kind = {404: NotFound, 409: Conflict}.get(error.status, Refused)
            raise kind(str(error), status=error.status, words=error.message) from None


class Told:
    """`Observer` that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.polls: list[float] = []

    def progress(self, operation: Operation, elapsed: float) -> None:
        self.polls.append(elapsed)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def world_with(clock: FakeClock, **behaviour: object) -> World:
    """One offer, `contoso/vm`: version 7 in preview and 6 live for an hour; its go-lives take 60 s by default."""
    ids: Iterator[int] = iter(range(1, 10**9))
    world = World(WorldClock(clock), new_id=lambda: f"op-{next(ids)}")
    settings = {"seconds": 60.0, **behaviour}
    clock.pass_by(-3600.0)
    world.add_offer("contoso", "vm", preview=7, production=6, behaviour=Behaviour.model_validate(settings))
    clock.pass_by(3600.0)
    return world


def accepted(world: World) -> int:
    return world.accepted_golives("contoso", "vm")


def steps_of(names: Iterable[str]) -> tuple[Step, ...]:
    return tuple(Step(name) for name in names)


def _neutral(operation: WorldOperation, running: bool) -> Operation:
    word = "running" if running else {"succeeded": "completed"}.get(str(operation.ending), str(operation.ending))
    at = operation.accepted_at if running or operation.ended_at is None else operation.ended_at
    return Operation(
        id=operation.id,
        kind=Kind.GO_LIVE if operation.kind == "golive" else Kind.PREVIEW,
        status=status_of_word(word)[0],
        word=word,
        version=str(operation.content.version),
        changed_at=datetime.fromtimestamp(at, timezone.utc),
        messages=(Message(operation.failure, "error"),) if operation.failure and not running else (),
    )

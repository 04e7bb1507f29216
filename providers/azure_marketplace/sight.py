"""An offer as its API shows it at one moment, and what can be concluded from that. Pure.

Conclusions are drawn with care in one direction: that something took live what stands in preview is only said when it
shows; where it does not, the answer is None, and the rule in `going_live.py` decides what to do about not knowing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import Kind, Operation, Slot, Status, same

__all__ = ["Sight", "covers", "is_recorded", "launch_of", "newer", "since", "stands"]

_A_SECOND = timedelta(seconds=1)
"""What is recorded, and the clocks of the APIs in an answer's Date, know no fractions."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What stands in preview, what is live, and the operations, newest first.

    from_one_answer: where the operations lag behind, so do preview and live. cut_short: something may be missing.
    """

    preview: Slot | None
    live: Slot | None
    operations: Sequence[Operation]
    from_one_answer: bool = False
    cut_short: bool = False

    @property
    def go_lives(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.kind is Kind.GO_LIVE]

    def running(self, recorded: Launch | None = None) -> Operation | None:
        """The go-live that runs, as far as the list is to be believed.

        A list may lag behind: one that the state knows to have ended does not run, nor does one from before it, since
        only one runs at a time.
        """
        found = next((operation for operation in self.go_lives if not operation.status.ended), None)
        if found is None or recorded is None or not recorded.status.ended:
            return found
        older = found.changed_at and recorded.submitted_at and found.changed_at < recorded.submitted_at
        return None if is_recorded(found, recorded) or older else found

    def lags_behind(self, ended: Launch) -> bool:
        """Whether it was seen before the end of a launch that is known to have ended."""
        if not self.from_one_answer:
            return False
        return any(same(item.id, ended.operation_id) and not item.status.ended for item in self.operations)

    def lacks(self, ended: Launch) -> bool:
        """Whether it does not show at all a launch that is known to have succeeded."""
        if not self.from_one_answer or ended.status is not Status.SUCCEEDED or ended.operation_id is None:
            return False
        return not any(same(item.id, ended.operation_id) for item in self.go_lives)

    def begun_since(self, before: Sight, recorded: Launch | None) -> list[Operation]:
        """What the list shows that it did not show before, and that is not just an older operation shown late."""
        submitted_at = recorded.submitted_at if recorded else None
        return [
            operation
            for operation in self.operations
            if not any(_is_one(operation, known) for known in before.operations)
            and not (recorded and is_recorded(operation, recorded))
            and not (submitted_at and operation.changed_at and operation.changed_at < submitted_at)
        ]

    def shows(self, submitted: Launch) -> bool:
        """Whether production shows, by version and date, what a launch took live since it was submitted."""
        if self.live is None or self.live.changed_at is None or submitted.submitted_at is None:
            return False
        same_version = self.live.version is not None and self.live.version == submitted.preview_version
        return same_version and self.live.changed_at >= submitted.submitted_at

    def of(self, launch: Launch) -> Operation | None:
        """A launch's operation, as the list shows it."""
        return next((item for item in self.operations if same(item.id, launch.operation_id)), None)

    def fell_back(self, recorded: Launch) -> Operation | None:
        """A launch that came to nothing, where what stands in preview is older than what it was to take live.

        What goes live may be listed as a preview no more [O]: then an older one seems to be the latest.
        """
        failed = self.of(recorded) if self.from_one_answer and recorded.status.came_to_nothing else None
        if failed is None or self.preview_version in (None, recorded.preview_version, failed.version):
            return None
        since = self.operations[: self.operations.index(failed)]
        if any(item.version == self.preview_version for item in since):
            return None
        # As it is recorded: the list may show neither its reasons nor its number.
        return replace(failed, id=recorded.operation_id or failed.id, version=recorded.preview_version)

    def contradicts(self, recorded: Launch) -> bool:
        """Whether it breaks off, and lacks the very operation that is recorded: it is more than a link too many.

        One that came to nothing, or that is lost, may not be listed any more; nor one after which another went live.
        """
        due = recorded.status is Status.SUCCEEDED or not (recorded.status.ended or recorded.missing_since)
        if not (self.cut_short and due and recorded.operation_id is not None and self.of(recorded) is None):
            return False
        return not any(item.status is Status.SUCCEEDED for item in since(recorded.submitted_at, self.go_lives))

    @property
    def spent_by(self) -> Operation | None:
        """The go-live that took live what stands in a preview that is spent."""
        if self.preview is None or not self.preview.spent:
            return None
        return next((operation for operation in self.go_lives if covers(operation, self)), None)

    @property
    def live_version(self) -> str | None:
        return self.live.version if self.live else None

    @property
    def preview_version(self) -> str | None:
        return self.preview.version if self.preview else None


def covers(operation: Operation, sight: Sight) -> bool | None:
    """Whether a go-live took (or takes) live what stands in preview now; None when that cannot be told."""
    newest = next((item for item in sight.operations if item.kind is not Kind.UNKNOWN), None)
    is_newest = newest is not None and same(newest.id, operation.id)
    if sight.preview is None:
        # Nothing is left in preview: it was taken live, and nothing was published since.
        return True if is_newest and sight.live is not None else None
    if sight.preview.spent:
        # What stands there is live: taken there by the latest go-live that came to anything.
        done = next((item for item in sight.go_lives if item.status is Status.SUCCEEDED), None)
        return done is not None and same(done.id, operation.id)
    version, wanted = operation.version, sight.preview_version
    if version is not None and version == wanted:
        return True
    if wanted is not None and wanted == sight.live_version and is_newest:
        # Nothing was published since, and both slots show one number: whatever the list counts, it is this content.
        return True
    if version is not None and wanted is not None and not _counts_otherwise(sight, version, wanted):
        return False
    if operation.changed_at and sight.preview.changed_at:
        return sight.preview.changed_at <= operation.changed_at
    return None


def _counts_otherwise(sight: Sight, version: str, wanted: str) -> bool:
    """Whether an operation's number can be none of its slot's: a greater one was never published there.

    Only where each has an answer of its own: how those of the portal are counted is a guess (portal-api 3.1 [G]).
    """
    both = version.isdecimal() and wanted.isdecimal()
    return both and not sight.from_one_answer and int(version) > int(wanted)


def newer(recorded: Launch | None, go_lives: Sequence[Operation]) -> Sequence[Operation]:
    """The go-lives, newest first, that came after the recorded one."""
    if recorded is None:
        return go_lives
    for index, operation in enumerate(go_lives):
        if is_recorded(operation, recorded):
            return go_lives[:index]
    if recorded.operation_id is None and recorded.status is Status.RUNNING:
        # Accepted without a name: it is the first that came after that.
        return since(recorded.submitted_at, go_lives)
    if recorded.operation_id is None:
        return since(recorded.finished_at, go_lives) if recorded.finished_at else go_lives
    # The recorded one may stand in the list under another name (`$`-separated ids against GUIDs): of those that
    # changed since it was submitted, the oldest is itself.
    return since(recorded.submitted_at, go_lives)[:-1]


def is_recorded(operation: Operation, recorded: Launch) -> bool:
    """Whether an operation is the recorded one, and not a later one that was given the same id."""
    if not same(operation.id, recorded.operation_id):
        return False
    ended = recorded.finished_at if recorded.status.ended else None
    return not (operation.recurring and ended and operation.changed_at and operation.changed_at > ended + _A_SECOND)


def launch_of(operation: Operation, recorded: Launch | None, sight: Sight, now: datetime, *, adopted: bool) -> Launch:
    """A go-live that was found, as it is to be recorded. now: for what the API gives no date."""
    if recorded and recorded.status is operation.status and is_recorded(operation, recorded):
        return replace(
            recorded,
            adopted=adopted,
            live_version=sight.live_version,
            preview_version=sight.preview_version,
            unanswered_at=None,
            superseded=False,
        )
    launch = Launch(
        status=Status.RUNNING,
        operation_id=operation.id,
        adopted=adopted,
        live_version=sight.live_version,
        preview_version=sight.preview_version,
        submitted_at=operation.changed_at or now,
    )
    return launch.seen(operation, now)


def _is_one(operation: Operation, known: Operation) -> bool:
    if not same(operation.id, known.id):
        return False
    return not (operation.recurring and known.status.ended and operation.changed_at != known.changed_at)


def since(moment: datetime | None, go_lives: Sequence[Operation]) -> list[Operation]:
    """The go-lives that changed at `moment` or later; none when the moment is not known."""
    if moment is None:
        return []
    return [item for item in go_lives if item.changed_at is not None and item.changed_at >= moment]


def stands(recorded: Launch, pin: str | None) -> bool:
    """Whether a recorded launch has ended as wanted, and nothing has come between since.

    A pinned offer has drifted when production shows another version than it did when our operation ended. The numbers
    of different slots are never compared for this; only a production that shows the pinned number itself is taken for
    what was wanted, should the slot have lagged behind the end of the operation.
    """
    if recorded.status is not Status.SUCCEEDED or recorded.adopted or recorded.unanswered_at:
        return False
    if pin is None or recorded.confirmed_live_version is None:
        return True
    return recorded.live_version in (recorded.confirmed_live_version, pin)

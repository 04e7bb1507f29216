"""What is recorded of a launch: the outputs of the resource, and the only memory between two runs.

Pure. The names of `to_outputs` are a contract with every user's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from providers.azure_marketplace.publishing import Link, Operation, Status

__all__ = ["OUTPUT_NAMES", "Launch", "instant", "iso"]


@dataclass(frozen=True, slots=True)
class Launch:
    """What became of one request to go live, as far as it is known.

    operation_id: None where nothing had to be submitted (what was wanted was live already).
    adopted: the operation was begun for somebody else, or for an earlier request: how it ends does not yet say that
    what is wanted is live. False again once that is found to be so.
    through: the API that all of this is by, as the input `api` names it; None in states from before there were others.
    submitted_at, finished_at: UTC; submitted_at by the API's clock where it told it.
    live_version, preview_version: what the two slots held when they were last read.
    unanswered_at: when another go-live was sent whose answer is not known yet; UTC. A list may not show it at once.
    superseded: other inputs have asked for a go-live since, and this one was not seen since; or theirs was sent and not
    answered.
    missing_since: since when the API says that it knows no such operation; UTC, None while it knows it.
    confirmed_live_version: what production shows since our operation ended; None until it is seen. Never overwritten:
    the difference to `live_version` is the drift. (How the portal numbers production is a guess, so the pin
    itself cannot serve for that.)
    """

    status: Status
    operation_id: str | None = None
    adopted: bool = False
    live_version: str | None = None
    preview_version: str | None = None
    confirmed_live_version: str | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    live_links: tuple[Link, ...] = ()
    preview_links: tuple[Link, ...] = ()
    through: str | None = None
    unanswered_at: datetime | None = None
    superseded: bool = False
    missing_since: datetime | None = None

    @property
    def is_of_before(self) -> bool:
        """Whether another go-live was sent after it, whose answer is not known."""
        return self.unanswered_at is not None and self.status is not Status.NOT_STARTED

    @property
    def is_open(self) -> bool:
        """Whether a go-live may be running, as far as is known: one that had not ended, or was not answered."""
        begun = self.operation_id is not None or self.status is Status.RUNNING
        return self.unanswered_at is not None or (begun and not self.status.ended)

    def seen(self, operation: Operation, now: datetime) -> Launch:
        """With what its operation was seen to be; that answers what was asked for while it ran, unless it is doubted.

        now: where the API tells neither a date nor its own clock.
        """
        ended = operation.status.ended
        at = operation.changed_at
        if at and self.submitted_at and at < self.submitted_at:
            at = None  # the date of its preview, say: nothing ends before it began
        return replace(
            self,
            status=operation.status,
            finished_at=(at or operation.seen_at or now) if ended else None,
            live_links=operation.live_links or self.live_links,
            preview_links=operation.preview_links or self.preview_links,
            missing_since=None,
            superseded=self.superseded and operation.may_be_earlier,
        )

    def to_outputs(self) -> dict[str, Any]:
        """As JSON-like values: dates in ISO 8601, UTC; links as `{"text", "uri"}`."""
        return {
            "operation_id": self.operation_id,
            "adopted": self.adopted,
            "status": self.status.value,
            "live_version": self.live_version,
            "preview_version": self.preview_version,
            "confirmed_live_version": self.confirmed_live_version,
            "submitted_at": iso(self.submitted_at),
            "finished_at": iso(self.finished_at),
            "live_links": [{"text": link.text, "uri": link.uri} for link in self.live_links],
            "preview_links": [{"text": link.text, "uri": link.uri} for link in self.preview_links],
            "published_through": self.through,
            "unanswered_at": iso(self.unanswered_at),
            "superseded": self.superseded,
            "missing_since": iso(self.missing_since),
        }

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any]) -> Launch | None:
        """What a state records; None where that is no launch. Tolerant: states outlive versions of this."""
        try:
            status = Status(outputs.get("status"))
        except ValueError:
            return None
        return cls(
            status=status,
            operation_id=_text(outputs.get("operation_id")),
            adopted=outputs.get("adopted") is True,
            live_version=_text(outputs.get("live_version")),
            preview_version=_text(outputs.get("preview_version")),
            confirmed_live_version=_text(outputs.get("confirmed_live_version")),
            submitted_at=instant(outputs.get("submitted_at")),
            finished_at=instant(outputs.get("finished_at")),
            live_links=_links(outputs.get("live_links")),
            preview_links=_links(outputs.get("preview_links")),
            through=_text(outputs.get("published_through")),
            unanswered_at=instant(outputs.get("unanswered_at")),
            superseded=outputs.get("superseded") is True,
            missing_since=instant(outputs.get("missing_since")),
        )


def iso(moment: datetime | None) -> str | None:
    """`2026-11-23T12:00:05Z`; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def instant(text: Any) -> datetime | None:
    """An ISO 8601 date in any of the forms that the APIs use, as UTC; None for what is no such date.

    Any number of fraction digits, with or without a zone (portal-api section 3.4 [O]: before the migration seven
    digits and Z, after it three digits and no zone). A date without a zone is taken as UTC.
    """
    if not isinstance(text, str) or not 10 <= len(text) <= 40:
        return None
    text = text.strip().replace("Z", "+00:00").replace("z", "+00:00")
    head, dot, rest = text.partition(".")
    if dot:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"
    try:
        moment = datetime.fromisoformat(text)
        # Years that stand for never (1, 9999) are no dates to reckon with.
        if not 1000 < moment.year < 9000:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _links(value: Any) -> tuple[Link, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(
        Link(str(item.get("text", "")), str(item.get("uri", ""))) for item in value if isinstance(item, Mapping)
    )


OUTPUT_NAMES = tuple(Launch(Status.NOT_STARTED).to_outputs())

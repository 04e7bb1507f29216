"""How the portal's truth looks on the wire: JSON shapes, casing, time formats, ETags, location headers.

Pure functions of the world's objects. Nothing here changes the world.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, unquote

from simulator.world import STEP_IDS, TICKS, Content, Offer, Operation, Publisher

API_VERSION = "2017-10-31"
_TICKS_TO_1970 = 621_355_968_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# id -> name and estimate, from the samples [D]; the signoff has no estimate
_STEP_NAMES: dict[str, tuple[str, str | None]] = {
    "displaydummycertify": ("Validate Pre-Requisites", "< 15 min"),
    "displaycertify": ("Certification", "~2-3 days"),
    "displayprovision": ("Provisioning", "< 1 day"),
    "displaypackage": ("Packaging and Lead Generation Registration", "< 1 hour"),
    "publisher-signoff": ("Publisher signoff", None),
    "live": ("Live", "~2-5 days"),
}


def zulu(seconds: float) -> str:
    """ISO 8601, UTC, seven digits and Z [D]: `2018-03-26T21:46:01.1799480Z`."""
    return _zulu_of_ticks(round(seconds * TICKS))


def changed_time(offer: Offer, seconds: float) -> str:
    """After the migration three digits and no zone [O AZPC]: `2022-06-02T12:25:56.651`."""
    b = offer.behaviour
    with_zone = (not b.migrated) if b.changed_time_zone is None else b.changed_time_zone
    text = zulu(seconds)
    return text if with_zone else text[: len("2022-06-02T12:25:56.651")]


def etag(stamp: int) -> str:
    """`W/"datetime'2017-06-07T06%3A15%3A40.4771399Z'"` [D concurrency-control]."""
    return f"W/\"datetime'{quote(_zulu_of_ticks(stamp), safe='')}'\""


def stamp_of_etag(header: str | None) -> str | None:
    """What `World.put_offer` takes for an If-Match header: ticks, `*`, None, or a text that fits nothing."""
    if header is None or header.strip() == "*":
        return header and "*"
    text = unquote(header).strip().removeprefix('W/"').rstrip('"').removeprefix("datetime'").rstrip("'")
    try:
        whole, digits = text.rstrip("Z").split(".")
        moment = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
        return str(int((moment - _EPOCH) / timedelta(seconds=1)) * TICKS + int(digits.ljust(7, "0")))
    except ValueError:
        return "no such etag"


def error(code: str, message: str) -> dict[str, Any]:
    """The envelope of all normal errors [D+O]."""
    return {"error": {"code": code, "message": message}}


def publisher(p: Publisher) -> dict[str, Any]:
    definition = {
        "displayText": p.name,
        "offerTypeCategories": ["microsoft-azure-virtualmachines"],
        "sellerId": p.seller_id,
    }
    return {"version": 0, "id": p.id, "definition": definition}


def offer_summary(offer: Offer, now: float) -> dict[str, Any]:
    body = offer_body(offer, offer.draft, now)
    body["definition"] = {"displayText": body["definition"].get("displayText", offer.offer_id)}
    return body


def offer_body(offer: Offer, content: Content, now: float) -> dict[str, Any]:
    b = offer.behaviour
    body: dict[str, Any] = {
        "offerTypeId": offer.offer_type_id,
        "publisherId": offer.publisher_id,
        "status": offer_status_word(offer),
        "pcMigrationStatus": "migrated" if b.migrated else "none",
        "pcRedirectUri": "",
        "isvUpgradeRequest": False,
        "lockStatus": "none",
        "offerTypeChanges": [],
        "pricingNotRecalculatedRegions": [],
        "offerTypeVersionsOverride": {},
        "id": offer.offer_id,
        "version": content.version,
        "definition": content.definition,
        "changedTime": changed_time(offer, content.changed_at),
    }
    return _extended(offer, body, now)


def offer_status_word(offer: Offer) -> str:
    """camelCase, as on the wire [O]; the documented table is PascalCase."""
    if offer.running is not None:
        return "running"
    last = next((o for o in reversed(offer.submissions) if o.ending in ("failed", "canceled")), None)
    if last is not None and last is offer.submissions[-1]:
        return str(last.ending)
    if _awaits_golive(offer):
        return "waitingForPublisherReview"
    return "succeeded" if offer.production is not None else "neverPublished"


def operation(offer: Offer, op: Operation, now: float) -> dict[str, Any] | list[dict[str, Any]]:
    """retrieve-operations, one operation: an object [O/I], or the docs' array of one."""
    b = offer.behaviour
    starting = op.ended_at is None and op.reads - b.fresh_404_reads <= b.not_started_reads
    body: dict[str, Any] = {
        "status": b.word_not_started if starting else _word(offer, op, running=op.ended_at is None),
        "messages": _messages(op),
        "publishingVersion": op.content.version,
        "offerVersion": op.content.version,
        "cancellationRequestState": _cancellation(offer, op),
        "steps": steps(offer, op, now),
        "previewLinks": _links(offer, offer.preview is not None, "preview"),
        "liveLinks": _links(offer, offer.production is not None, "live"),
    }
    if not b.migrated:
        body["notificationEmails"] = op.emails
    body = _extended(offer, body, now)
    return [body] if b.operation_shape == "array" else body


def submission(offer: Offer, op: Operation, running: bool, now: float) -> dict[str, Any]:
    """retrieve-operations, an item of the listing [D]."""
    b = offer.behaviour
    golive = op.kind == "golive"
    at = op.accepted_at if op.ended_at is None or running else op.ended_at
    body = {
        "id": _dollar_id(op, b.slot_golive if golive else b.slot_publish) if b.listing_id == "dollar" else op.id,
        "offerId": op.offer_id,
        "offerVersion": op.content.version,
        "offerTypeId": offer.offer_type_id,
        "publisherId": op.publisher_id,
        "submissionType": b.submission_type_golive if golive else b.submission_type_publish,
        "submissionState": _word(offer, op, running=running),
        "publishingVersion": op.content.version,
        "slot": b.slot_golive if golive else b.slot_publish,
        "version": _TICKS_TO_1970 + round(op.accepted_at * TICKS),  # needs 64 bits [D]
        "definition": {"metadata": {"emails": op.emails}},
        "changedTime": changed_time(offer, at),
    }
    return _extended(offer, body, now)


def status(offer: Offer, now: float) -> dict[str, Any]:
    """retrieve-offer-status: of the latest operation, or of the offer that waits for its go-live [O SUSE]."""
    b = offer.behaviour
    last = offer.submissions[-1] if offer.submissions else None
    if last is None:
        word = offer_status_word(offer)
        shown = _steps_without_operation(offer)
        messages: list[dict[str, Any]] = []
    else:
        word = {"succeeded": "succeeded", "failed": "failed", "canceled": "canceled", None: "running"}[last.ending]
        shown, messages = steps(offer, last, now), _messages(last)
    if (
        offer.running is None
        and _awaits_golive(offer)
        and word in ("succeeded", "running", "waitingForPublisherReview")
    ):
        word = b.status_awaiting_golive
    body: dict[str, Any] = {
        "status": word,
        "messages": messages,
        "steps": shown,
        "previewLinks": _links(offer, offer.preview is not None, "preview"),
        "liveLinks": _links(offer, offer.production is not None, "live"),
    }
    if not b.migrated:
        body["notificationEmails"] = offer.emails
    return _extended(offer, body, now)


def steps(offer: Offer, op: Operation, now: float) -> list[dict[str, Any]]:
    """Every step with where it stands. A blocked one stands in an operation that runs on [D]."""
    if op.kind == "cancel":
        return []
    if op.ending == "succeeded" or op.awaiting_signoff_since is not None:
        passed = len(STEP_IDS) if op.kind == "golive" else STEP_IDS.index("publisher-signoff")
    else:
        passed = int(op.position(now))
    shown = []
    for index, step_id in enumerate(STEP_IDS):
        if index < passed:
            shown.append(_step(offer, step_id, "complete", 100, [_message("Step completed.", op.accepted_at)]))
        elif index > passed:
            shown.append(_step(offer, step_id, "notStarted", 0, [_not_started(op.accepted_at)]))
        else:
            shown.append(_current_step(offer, op, step_id, now))
    return shown


def location_headers(offer: Offer, op: Operation, base_url: str) -> list[tuple[str, str]]:
    """The header that names the operation, in the form that the offer's behaviour chooses."""
    b = offer.behaviour
    if b.location_header == "none":
        return []
    if b.location_id == "dollar" and op.kind != "cancel":
        path = f"/api/operations/{_dollar_id(op, b.location_slot)}"
    else:
        path = f"/api/publishers/{op.publisher_id}/offers/{op.offer_id}/operations/{op.id}"
    if b.location_api_version:
        path += f"?api-version={API_VERSION}"
    if b.location_host is not None:
        path = b.location_host.rstrip("/") + path
    elif b.location_form == "absolute":
        path = base_url.rstrip("/") + path
    names = ("Location", "Operation-Location") if b.location_header == "both" else (b.location_header,)
    return [(name, path) for name in names]


def _dollar_id(op: Operation, slot: str) -> str:
    """Of offers that were not migrated [D-new]: another operation on the same version has the same."""
    return f"{op.publisher_id}${op.offer_id}${op.content.version}${slot}"


def normalised(word: str) -> str:
    """A word as filters compare it: without case, spaces, dashes."""
    return word.lower().replace(" ", "").replace("-", "").replace("_", "")


def _zulu_of_ticks(ticks: int) -> str:
    seconds, rest = divmod(ticks, TICKS)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:07d}Z"


def _word(offer: Offer, op: Operation, *, running: bool) -> str:
    b = offer.behaviour
    if running or op.ending is None:
        return b.word_running
    return {"succeeded": b.word_succeeded, "failed": b.word_failed, "canceled": b.word_canceled}[op.ending]


def _awaits_golive(offer: Offer) -> bool:
    if offer.preview is None:
        return False
    if offer.awaiting_signoff is not None:
        return True
    # By what the last go-live took: with golive_bumps_version the two slots number differently.
    last = offer.submissions[-1] if offer.submissions else None
    if last is not None and last.kind == "golive" and last.ending == "succeeded":
        return last.content.version != offer.preview.version
    return offer.production is None or offer.production.version != offer.preview.version


def _cancellation(offer: Offer, op: Operation) -> str:
    """Only canCancel was ever seen; the other two words are guesses [G]."""
    if op.cancel_requested_at is not None:
        return "cancelRequested"
    final = op.ended_at is not None or (op.kind == "golive" and offer.behaviour.cancel_golive != "effective")
    return "cannotCancel" if final else "canCancel"


def _messages(op: Operation) -> list[dict[str, Any]]:
    if op.ended_at is None:
        return []
    if op.ending == "failed":
        return [_message(op.failure or "The operation failed.", op.ended_at, "error")]
    if op.ending == "canceled":
        return [_message("The operation was canceled.", op.ended_at)]
    return []


def _current_step(offer: Offer, op: Operation, step_id: str, now: float) -> dict[str, Any]:
    b = offer.behaviour
    at = op.accepted_at if op.ended_at is None else op.ended_at  # the same in every answer
    if op.ending == "failed":
        return _step(offer, step_id, b.word_step_failed, 0, [_message(op.failure, at, "error")])
    if op.ending == "canceled":
        return _step(offer, step_id, "canceled", 0, [_message("The operation was canceled.", at)])
    if step_id == "publisher-signoff" and op.kind == "publish":
        return _step(offer, step_id, "waitingForPublisherReview", 0, [_message("Ready for review.", at)])
    if step_id == op.progress.blocked_at:
        text = "No virtual machine image was found for the plan contoso."  # the sample's [D]
        return _step(offer, step_id, "blocked", 0, [_message(text, at, "error"), _not_started(at)])
    percent = int((op.position(now) % 1) * 100)
    return _step(offer, step_id, "inProgress", percent, [_message("Step in progress.", at)])


def _steps_without_operation(offer: Offer) -> list[dict[str, Any]]:
    if offer.preview is None:
        return []
    live = not _awaits_golive(offer)
    words = ["complete"] * 4 + (["complete"] * 2 if live else ["waitingForPublisherReview", "notStarted"])
    percents = [100 if word == "complete" else 0 for word in words]
    return [_step(offer, *found, []) for found in zip(STEP_IDS, words, percents, strict=True)]


def _step(offer: Offer, step_id: str, word: str, percent: int, messages: list[dict[str, Any]]) -> dict[str, Any]:
    name, estimate = _STEP_NAMES[step_id]
    b = offer.behaviour
    body: dict[str, Any] = {} if estimate is None else {"estimatedTimeFrame": estimate}
    body |= {
        "id": step_id,
        "stepName": b.signoff_step_name if step_id == "publisher-signoff" else name,
        "description": f"{name} of the offer.",
        "status": b.word_step_complete if word == "complete" else word,
        "messages": messages,
        "progressPercentage": percent,
    }
    return body


def _message(text: str, at: float, level: str = "information") -> dict[str, Any]:
    return {"messageHtml": text, "level": level, "timestamp": zulu(at)}


def _not_started(at: float) -> dict[str, Any]:
    return _message("This step has not started yet.", at)


def _links(offer: Offer, there: bool, kind: str) -> list[dict[str, str]]:
    """Documented as not implemented; PUB decodes DisplayText and URI [I]."""
    if not there:
        return []
    market = "https://azuremarketplace.microsoft.com/marketplace/apps"
    query = "?preview=true" if kind == "preview" else ""
    return [{"displayText": kind, "uri": f"{market}/{offer.publisher_id}.{offer.offer_id}{query}"}]


def _extended(offer: Offer, body: dict[str, Any], now: float) -> dict[str, Any]:
    if offer.behaviour.extra_fields:
        body |= {"x-future": {"nested": [1, None, "ü"]}, "retrievedAt": zulu(now)}
    return body

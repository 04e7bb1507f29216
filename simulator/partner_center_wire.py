"""How the truth looks on Partner Center's wire: products, submissions in their states, workflows, errors in two forms.

Pure functions of the world's objects. Facts: successor-apis section 3.
"""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from simulator.http_terms import Answer
from simulator.offer_types import offer_type
from simulator.wire import zulu
from simulator.world import Content, Offer, Operation, Shown

_NEVER = "1601-01-01T00:00:00Z"  # publishedTimeInUtc of what was never published, to preview or live [O]
_NOT_YET = "0001-01-01T00:00:00"  # of a push or a step that has not begun, or not ended [O bcch]
_INSTANCES = uuid.UUID("3f0a7f3b-7d0c-4f0e-a7f0-5f5b0a0a1c11")
_PREVIEW_STEPS = ("Automated validation", "Preview Creation", "Publisher Signoff")  # the last with the second [O bcch]
_LIVE_STEPS = ("Certification", "Publish")
MODULES = ("Availability", "Listing", "Package", "Property", "ResellerConfiguration")


@dataclass(frozen=True)
class Submission:
    """One submission and where it stands. `operation`: its latest publish or go-live, if there was one."""

    content: Content
    state: str
    substate: str
    operation: Operation | None = None
    running: bool = False
    published_at: float | None = None

    @property
    def ready(self) -> bool:
        """What the observed clients ask for before they promote [O bcch]."""
        return (self.state, self.substate) == ("Published", "ReadyToPublish")


def submission_of(offer: Offer, content: Content, shown: Shown) -> Submission:
    """Where a content stands, by the table of section 3.5, as far as these operations tell."""
    mine = [(o, running) for o, running in shown if o.content.version == content.version]
    lived = [o for o, running in mine if o.kind == "golive" and not running and o.ending == "succeeded"]
    live = _live_at_first(offer) == content.version
    state, substate = "Published", "InStore" if live or lived else "ReadyToPublish"
    last, running = mine[-1] if mine else (None, False)
    if last is not None and (running or last.ending in ("failed", "canceled")):
        standing = _of_golive if last.kind == "golive" else _of_publish
        state, substate = standing(offer, last, running)
    told = live or (state == "Published" and offer.behaviour.partner_center.published_from == "preview")
    at = lived[-1].ended_at if lived else content.changed_at if told else None
    return Submission(content, state, substate, last, running, at)


def _live_at_first(offer: Offer) -> int | None:
    """What was in store before any go-live."""
    done = [o for o in offer.operations if o.kind == "golive" and o.ending == "succeeded"]
    if not done:
        return offer.live_from
    return None if done[0].replaced is None else done[0].replaced.version


def _of_publish(offer: Offer, op: Operation, running: bool) -> tuple[str, str]:
    if running:
        return "InProgress", "InDraft" if op.reads <= offer.behaviour.not_started_reads else "Submitted"
    return "InProgress", _failed(op)


def _of_golive(offer: Offer, op: Operation, running: bool) -> tuple[str, str]:
    p = offer.behaviour.partner_center
    if running:
        return "Published", p.publishing_substate
    if p.after_failed_promote == "ready":
        return "Published", "ReadyToPublish"
    return p.failed_state, _failed(op)


def _failed(op: Operation) -> str:
    if op.ending == "canceled":
        return "Cancelled"  # [O xbox]
    return "FailedInCertification" if op.progress.fails_at == "displaycertify" else "Failed"


def product(offer: Offer) -> dict[str, Any]:
    return {
        "resourceType": offer_type(offer.offer_type_id).partner_center,
        "name": offer.offer_id,
        "externalIDs": [{"type": offer.behaviour.partner_center.offer_id_name, "value": offer.offer_id}],
        "isModularPublishing": True,
        "id": offer.product_id,
    }


def submission(offer: Offer, one: Submission) -> dict[str, Any]:
    number = one.content.version
    numbers = list(offer.history)  # in the order in which they were made: ids need not grow [O bcch]
    published = _NEVER if one.published_at is None else _date(offer, one.published_at)
    body: dict[str, Any] = {
        "resourceType": "Submission",
        "state": one.state,
        "substate": one.substate,
        "targets": [{"type": "Scope", "value": "Preview"}],  # also of what is in store [O bcch help]
        "resources": [{"type": module, "value": instance(offer, module)} for module in MODULES],
        "variantResources": [],
        "publishOption": {"releaseTimeInUtc": None, "isManualPublish": True, "isAutoPromote": False},
        "publishedTimeInUtc": published,
        "pendingUpdateInfo": _pending(one),
        "extendedProperties": [],
        "releaseNumber": numbers.index(number) + 1 if number in numbers else 0,
        "friendlyName": f"Submission {numbers.index(number) + 1 if number in numbers else 0}",
        "areResourcesReady": True,
        "id": str(number),
    }
    if offer.behaviour.extra_fields:
        body["x-future"] = {"nested": [1, None, "ü"]}
    return body


def zero(offer: Offer) -> dict[str, Any]:
    """What may stand in the list of an untouched product [O ALOps#654]."""
    return submission(offer, Submission(Content(0, {}, 0.0), "InProgress", "InDraft"))


def instance(offer: Offer, module: str) -> str:
    """The id of a module's draft [D]; the reseller's is no GUID [O azext]."""
    if module == "ResellerConfiguration":
        return f"{offer.product_id}-ResellerInstance"
    return str(uuid.uuid5(_INSTANCES, f"{offer.product_id}/{module}"))


def branches(offer: Offer, module: str) -> list[dict[str, Any]]:
    """The product's branch of a module, and its plan's where plans have it [D]."""
    branch = {
        "resourceType": "Branch",
        "friendlyName": "Main",
        "type": "Main",
        "module": module,
        "currentDraftInstanceID": instance(offer, module),
    }
    if module not in ("Availability", "Listing", "Package"):
        return [branch]
    plan = variant(offer)["id"]
    return [branch, {**branch, "variantID": plan, "currentDraftInstanceID": instance(offer, f"{plan}/{module}")}]


def variant(offer: Offer) -> dict[str, Any]:
    """Its one plan [D swagger]."""
    return {
        "resourceType": "AzureSkuVariant",
        "state": "Active",
        "friendlyName": "contoso",
        "externalID": "contoso",
        "extendedProperties": [],
        "id": instance(offer, "contoso"),
    }


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "packageConfigurations": {"resourceType": "AzureApplicationPackageConfiguration", "packageReferences": []},
    "properties": {"resourceType": "AzureProperty", "appVersion": "1.0.0.0"},
}


def configuration(offer: Offer, kind: str) -> dict[str, Any]:
    """A module's configuration in the draft, with its entity tag."""
    body: dict[str, Any] = offer.draft.definition.get("modules", {}).get(kind, CONFIGURATIONS[kind])
    return {**body, "id": instance(offer, kind), "@odata.etag": f'"{offer.stamp}"'}


def workflow(offer: Offer, one: Submission, now: float) -> list[dict[str, Any]]:
    """Two pushes [O bcch]; more or fewer where the offer's behaviour says so."""
    entries = [_push_to_preview(offer, one, now), push_to_live(one, now)]
    count = offer.behaviour.partner_center.workflow_entries
    return (entries[:1] * max(0, count - 2) + entries)[:count]


def push_to_live(one: Submission, now: float) -> dict[str, Any]:
    op = one.operation if one.operation is not None and one.operation.kind == "golive" else None
    if op is None:
        in_store = one.substate == "InStore"
        at = one.published_at if in_store else None
        steps = _steps(_LIVE_STEPS, len(_LIVE_STEPS) if in_store else 0, "NotStarted", at)
        return _push("Live", "Success" if in_store else "NotStarted", steps, at, at)
    # The portal's six steps, told as two.
    passed = len(_LIVE_STEPS) if op.ending == "succeeded" else min(1, int(op.position(now) / 3))
    word = _step_word(op)
    return _push("Live", word, _steps(_LIVE_STEPS, passed, word, op.accepted_at), op.accepted_at, op.ended_at)


def _push_to_preview(offer: Offer, one: Submission, now: float) -> dict[str, Any]:
    number = one.content.version
    op = next((o for o in offer.submissions if o.kind == "publish" and o.content.version == number), None)
    if op is None or op.ending == "succeeded" or op.awaiting_signoff_since is not None:
        at = one.content.changed_at if op is None else op.accepted_at
        return _push("Preview", "Success", _steps(_PREVIEW_STEPS, 3, "Success", at), at, one.content.changed_at)
    word = _step_word(op)
    steps = _steps(_PREVIEW_STEPS, min(1, int(op.position(now) / 2)), word, op.accepted_at)
    return _push("Preview", word, steps, op.accepted_at, op.ended_at)


def _push(
    target: str, state: str, steps: list[dict[str, Any]], started: float | None, completed: float | None
) -> dict[str, Any]:
    return {
        "type": "Push",
        "state": state,
        "targetEnvironment": target,
        "workflowSteps": steps,
        "startDateTimeInUtc": _moment(started),
        "completeDateTimeInUtc": _moment(completed),
    }


def _moment(at: float | None) -> str:
    return _NOT_YET if at is None else zulu(at).rstrip("Z")


def _steps(names: Sequence[str], passed: int, current: str, at: float | None) -> list[dict[str, Any]]:
    """`at`: when the push began, which is as near as the simulator tells when its steps did."""
    words = ["Success"] * passed + [current] + ["NotStarted"] * len(names)
    return [
        {
            "name": name,
            "state": word,
            "startDateTimeInUtc": _moment(None if word == "NotStarted" else at),
            "completeDateTimeInUtc": _moment(at if word == "Success" else None),
        }
        for name, word in zip(names, words, strict=False)
    ]


def _step_word(op: Operation) -> str:
    return {None: "InProgress", "succeeded": "Success", "failed": "Failed", "canceled": "Cancelled"}[op.ending]


def validations(offer: Offer, one: Submission) -> list[dict[str, Any]]:
    """Why a submission failed [D + O]."""
    op = one.operation
    if op is None or op.ending != "failed":
        return []
    code = "Resell-20007" if op.failure.startswith("ResellerConfiguration") else "Certification-10001"
    module = "ResellerConfiguration" if code.startswith("Resell") else "Package"
    return [
        {
            "errorCode": code,
            "severity": "Error",
            "message": text,
            "resource": f"{module}/{instance(offer, module)}",  # a text [D swagger, O xbox]
        }
        for text in plain(op.failure)
    ]


def reports(offer: Offer, one: Submission) -> list[dict[str, Any]]:
    """Certification reports [D]: of the latest operation that reached the certification."""
    op = one.operation
    if op is None or op.ended_at is None:
        return [] if op is None else [{"reportTimeInUtc": zulu(op.accepted_at), "status": "Pending", "fileUri": None}]
    failed = op.ending == "failed" and op.progress.fails_at == "displaycertify"
    uri = f"https://ingestionreports.example/{offer.product_id}/{one.content.version}.pdf"
    status = "Failed" if failed else "Passed" if op.ending == "succeeded" else "Unknown"
    return [{"reportTimeInUtc": zulu(op.ended_at), "status": status, "fileUri": uri}]


def plain(text: str) -> list[str]:
    """The sentences of a failure given as HTML."""
    parts = re.split(r"</?(?:p|ul|li|br)[^>]*>", text)
    words = [html.unescape(re.sub(r"<[^>]+>", "", part)).strip() for part in parts]
    return [word for word in words if word] or ["The submission failed."]


def error(status: int, code: str, message: str, form: str, api: str) -> Answer:
    """JSON with a statusCode, as bcch expects it [I]; or in a sentence, as the edge passes it on [O AL-Go#2278]."""
    body = {"statusCode": status, "code": code, "message": message}
    if form == "json":
        return Answer(status, body)
    phrase = HTTPStatus(status).phrase
    wrapped = json.dumps(
        {
            "errors": {code: [message]},
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
            "title": message,
            "status": status,
            "traceId": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00",
        }
    )
    text = (
        f'{phrase} "Microsoft.Ingestion.Shared.WebApi.Client.ErrorHandler.RestClientException: {api} request failed, '
        f'API={api}, HttpStatusCode={phrase.replace(" ", "")}, ResponseContent={wrapped}"'
    )
    return Answer(status, text=text)


def _pending(one: Submission) -> dict[str, Any]:
    """Of what ended well it still says Create [O bcch help]; the words are xbox's [O]."""
    op = one.operation
    if op is None or (op.ending == "succeeded" and not one.running):
        return {"updateType": "Create", "status": "Completed"}
    kind = "Promote" if op.kind == "golive" else "Create"
    if one.running or op.ending is None:
        return {"updateType": kind, "status": "Running"}
    if op.ending == "canceled":
        return {"updateType": kind, "status": "Cancelled"}
    return {"updateType": kind, "status": "Failed", "failureReason": plain(op.failure)[0]}


def _date(offer: Offer, at: float) -> str:
    text = zulu(at)
    return text if offer.behaviour.partner_center.published_time == "zone" else text.rstrip("Z")

"""How the truth looks on product ingestion's wire: schemas, jobs, submissions, trees of errors.

Pure functions of the world's objects. Facts: successor-apis section 2.
"""

from __future__ import annotations

import re
from typing import Any

from simulator.behaviour import CERTIFICATION_FAILURE
from simulator.offer_types import offer_type
from simulator.product_resources import Resource
from simulator.wire import zulu
from simulator.world import Content, Offer, Operation, Push

# The versions that were met, oldest first; other types have the first [D, O].
_VERSIONS: dict[str, tuple[str, ...]] = {
    "configure": ("2022-03-01-preview2", "2022-07-01"),
    "configure-status": ("2022-03-01-preview2", "2022-07-01"),
    "configure-detail": ("2022-03-01-preview2", "2022-07-01"),
    "product": ("2022-03-01-preview2", "2022-03-01-preview3"),
    "listing": ("2022-03-01-preview2", "2022-03-01-preview5"),
    "submission": ("2022-03-01-preview2", "2022-03-01-preview7"),
    "core-virtual-machine-plan-technical-configuration": ("2022-03-01-preview3", "2022-03-01-preview5"),
    "virtual-machine-plan-technical-configuration": ("2022-03-01-preview2", "2026-04-01-preview1"),
}
_FIRST = ("2022-03-01-preview2",)
_VERSION = re.compile(r"(\d{4}-\d\d-\d\d)(?:-preview(\d+))?$")
_NEVER = "0001-01-01T00:00:00"  # jobEnd until the end [D]
Order = tuple[str, float]


def order_of(version: str) -> Order | None:
    """What compares versions by: a preview comes before what it is a preview of. None: no version."""
    match = _VERSION.match(version)
    return match and (match[1], float(match[2] or "inf"))


def schema(offer: Offer, kind: str, ceiling: str | None) -> str:
    """`$version` is a ceiling: each resource in its newest version below or at it [D]."""
    versions = _VERSIONS.get(kind, _FIRST)
    limit = order_of(ceiling) if ceiling else None
    fitting = [v for v in versions if limit is None or (order_of(v) or limit) <= limit]
    return f"{offer.behaviour.product_ingestion.schema_host}/schema/{kind}/{(fitting or versions[:1])[-1]}"


def error(code: str, message: str) -> dict[str, Any]:
    """The envelope of an answer [D+O]; its codes are camelCase."""
    return {"error": {"code": code[:1].lower() + code[1:], "message": message, "details": []}}


def product(offer: Offer, ceiling: str | None) -> dict[str, Any]:
    name = offer.behaviour.product_ingestion.external_id_name
    return {
        "$schema": schema(offer, "product", ceiling),
        "id": f"product/{offer.product_id}",
        "identity": {name: offer.offer_id},
        "type": offer_type(offer.offer_type_id).product_ingestion,
        "alias": offer.offer_id,
    }


def resource(offer: Offer, one: Resource, ceiling: str | None) -> Resource:
    return {**one, "$schema": schema(offer, one["$schema"], ceiling)}


def draft(offer: Offer, ceiling: str | None) -> dict[str, Any]:
    """The draft's entry has no status, result or date [D sample]."""
    return _submission(offer, 0, "draft", ceiling)


def submission(offer: Offer, push: Push, ceiling: str | None) -> dict[str, Any]:
    b = offer.behaviour.product_ingestion
    ending = push.ending
    starting = push.operation is not None and push.operation.reads <= offer.behaviour.not_started_reads > 0
    status = "completed" if ending is not None else "notStarted" if starting else "running"
    canceled = "cancelled" if b.canceled_entry == "cancelled" else "failed"
    result = "pending" if ending is None else canceled if ending == "canceled" else ending
    at = push.created_at
    if push.target == "live" and b.live_created == "preview's":
        at = _made_at(offer, push.content)
    return {
        **_submission(offer, push.number, push.target, ceiling),
        "lifecycleState": "deprecated" if offer.deprecated and push.target == "live" else "generallyAvailable",
        "status": _word(offer, status),
        "result": _word(offer, result),
        "created": _date(offer, at),
    }


def warnings(offer: Offer) -> dict[str, Any]:
    """What a resource that was taken may carry none the less [D schema]."""
    if not offer.behaviour.product_ingestion.warnings:
        return {}
    warning = {"code": "businessValidationError", "message": "The plan has no logo.", "level": "warning"}
    return {"validations": [warning]}


def job(offer: Offer, op: Operation, ceiling: str | None, now: float, *, accepted: bool = False) -> dict[str, Any]:
    """configure-status [D schema]. A job that was just accepted has not ended, even if it needs no time."""
    b = offer.behaviour
    p = b.product_ingestion
    body: dict[str, Any] = {"$schema": schema(offer, "configure-status", ceiling), p.job_id_name: op.id}
    ending = None if accepted else op.ending
    status: str
    if accepted:
        status = p.accepted_word
    elif ending is not None:
        status = "completed"
    else:
        status = "notStarted" if op.reads - b.fresh_404_reads <= b.not_started_reads else "running"
    result = {"canceled": "cancelled", None: "pending"}.get(ending, ending)
    end = _NEVER[: len("0001-01-01")] if p.dates == "date" else _NEVER
    if ending is not None and op.ended_at is not None:
        end = _date(offer, op.ended_at)
    elif p.job_end_while_running == "a time":
        end = _date(offer, now)
    body |= {
        "jobStatus": _word(offer, status),
        "jobResult": _word(offer, str(result)),
        "jobStart": _date(offer, op.accepted_at),
        "jobEnd": end,
        "resourceUri": f"https://product-ingestion.mp.microsoft.com/configure/{op.id}",  # an internal host [D]
        "errors": errors(offer, op) if ending in ("failed", "canceled") else [],
    }
    if b.extra_fields:
        body["x-future"] = {"nested": [1, None, "ü"]}
    return body


def errors(offer: Offer, op: Operation) -> list[dict[str, Any]]:
    """Trees: the top often says little, the innermost why [O lansa]."""
    p = offer.behaviour.product_ingestion
    resource_id = f"submission/{offer.product_id}/{op.content.version}"
    text = op.failure
    if op.ending == "canceled":
        return [_error("badRequest", "Operation canceled", [_error("operationCanceled", "The job was canceled.")])]
    if op.kind == "refused":
        return [_error(p.refusal_code, text, [], resource_id)]
    if op.kind == "edit":
        inner = _error("businessValidationError", _said(text, "The resource is not valid."))
        return [_error("badRequest", "Invalid resource", [inner])]
    if p.failure_shape == "flat":
        return [{"code": "internalServerError", "message": _said(text, "Operation failed")}]
    if p.failure_shape == "conflict":
        return [{"resourceId": resource_id, "code": "Conflict", "message": _said(text, "Conflict")}]
    if p.failure_shape == "unknown":
        inner = _error("neverSeen", _said(text, "Nobody knows."))
        return [_error("unheardOf", "Something happened", [inner], resource_id)]
    if p.failure_shape == "none":
        return []
    # Red Hat's fixture [O]
    innermost = _error("invalidState", _said(text, "Issues found during Certification."))
    inner = _error("invalidState", "Certification", [innermost])
    return [_error("internalServerError", "Operation failed", [inner], resource_id)]


def _error(
    code: str, message: str, details: list[dict[str, Any]] | None = None, resource_id: str | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"code": code, "message": message, "details": details or []}
    return body if resource_id is None else {"resourceId": resource_id, **body}


def _said(text: str, usual: str) -> str:
    """What somebody gave as the failure's text; the portal's HTML is not this API's."""
    return usual if not text or text == CERTIFICATION_FAILURE else text


def _submission(offer: Offer, number: int, target: str, ceiling: str | None) -> dict[str, Any]:
    return {
        "$schema": schema(offer, "submission", ceiling),
        "id": f"submission/{offer.product_id}/{number}",
        "product": f"product/{offer.product_id}",
        "target": {"targetType": target},
    }


def _made_at(offer: Offer, content: Content) -> float:
    publish = next((o for o in offer.submissions if o.kind == "publish" and o.content.version == content.version), None)
    if publish is not None:
        return publish.accepted_at
    return offer.history.get(content.version, content).changed_at


def _word(offer: Offer, word: str) -> str:
    return word if offer.behaviour.product_ingestion.words == "camel" else word[:1].upper() + word[1:]


def _date(offer: Offer, at: float) -> str:
    text, form = zulu(at), offer.behaviour.product_ingestion.dates
    return {"zone": text, "no zone": text.rstrip("Z"), "date": text[: len("2022-08-18")]}[form]

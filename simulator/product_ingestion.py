"""Microsoft Graph's product ingestion: which calls it has, what it refuses, in which order it looks.

A handler knows no sockets; `app` serves the routes. Facts: successor-apis section 2.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from simulator import product_ingestion_wire as wire
from simulator.account import MISSING_HEADER, Account, lacks_header
from simulator.behaviour import Progress
from simulator.http_terms import Answer, Call, Handler
from simulator.offer_types import INGESTED, offer_type
from simulator.product_resources import SCHEMA, Resource, edited, kind_of, resources_of
from simulator.simulation import Simulation
from simulator.world import Offer, Operation, Push, Refusal

BASE = "/rp/product-ingestion"
_AUDIENCE = "https://graph.microsoft.com"  # [D private-offers-api]
_SCHEMA_HOST = "https://schema.mp.microsoft.com/"  # since March 2024; the old one is refused [O #235]
_TARGETS = ("draft", "preview", "live")


class _TooSoon(Refusal):
    def __init__(self, seconds: float) -> None:
        super().__init__(429, "tooManyRequests", "The job's status is asked for too often.")
        self.seconds = seconds


class ProductIngestion:
    """The handlers, over one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._world = simulation.world

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """Path template -> method -> handler. The last one takes every other durable id."""
        table: dict[str, dict[str, Handler]] = {
            "/product": {"GET": self.products},
            "/plan": {"GET": self.plans},
            "/resource-tree/product/{product}": {"GET": self.resource_tree},
            "/submission/{product}": {"GET": self.submissions},
            "/submission/{product}/{number}": {"GET": self.submission},
            "/configure": {"POST": self.configure},
            "/configure/{job}": {"GET": self.job_detail},
            "/configure/{job}/status": {"GET": self.job_status},
            "/configure/{job}/cancel": {"POST": self.cancel_job},
            "/{kind}/{product}": {"GET": self.resource},
            "/{kind}/{product}/{rest:path}": {"GET": self.resource},
        }
        return {BASE + path: {m: self._guarded(handler) for m, handler in row.items()} for path, row in table.items()}

    # -- Reading.

    def products(self, call: Call) -> Answer:
        """By externalId: none found is an empty list, never a 404 [O]. Else a listing, in pages [D]."""
        offers = self._account(call).offers()
        wanted, kind = _asked(call, "externalid"), _asked(call, "type")
        if wanted is not None:
            offers = [offer for offer in offers if offer.offer_id == wanted]
            for offer in offers:
                self._check_header(call, offer)
        if kind is not None:
            offers = [o for o in offers if offer_type(o.offer_type_id).product_ingestion.lower() == kind.lower()]
        size = min((o.behaviour.product_ingestion.page_size or 1000 for o in offers), default=1000)
        relative = any(o.behaviour.product_ingestion.next_link == "relative" for o in offers)
        return _page(call, [wire.product(offer, _version(call)) for offer in offers], size, relative=relative)

    def plans(self, call: Call) -> Answer:
        """The draft's, of one product, by its durable id [D]; by externalId, as pipelines ask for one [O]."""
        offer = self._account(call).product((_asked(call, "product") or "").rpartition("/")[2])
        self._check_header(call, offer)
        wanted = _asked(call, "externalid")
        found = [one for one in resources_of(offer, offer.draft.definition) if one["$schema"] == "plan"]
        if wanted is not None:
            found = [one for one in found if one.get("identity") == {"externalId": wanted}]
        p = offer.behaviour.product_ingestion
        shown = [wire.resource(offer, one, _version(call)) for one in found]
        return _page(call, shown, p.page_size or 1000, relative=p.next_link == "relative")

    def submissions(self, call: Call) -> Answer:
        offer = self._product(call)
        target = _target(call)
        self._world.poll_status(offer.publisher_id, offer.offer_id)
        items = [wire.submission(offer, push, _version(call)) for push in self._shown(offer)]
        if offer.behaviour.listing_order == "oldest":
            items.reverse()
        if offer.behaviour.product_ingestion.draft_listed:
            items.insert(0, wire.draft(offer, _version(call)))
        if target is not None:
            items = [item for item in items if item["target"]["targetType"] == target]
        p = offer.behaviour.product_ingestion
        return _page(call, items, p.page_size or 1000, relative=p.next_link == "relative")

    def submission(self, call: Call) -> Answer:
        """One of them; the same number in preview and live is the live one [G]."""
        offer = self._product(call)
        text = call.path_params["number"]
        if text == "0":
            return Answer(200, wire.draft(offer, _version(call)))
        self._world.poll_status(offer.publisher_id, offer.offer_id)
        pushes = [p for p in self._pushes(offer) if str(p.number) == text]
        pushes.sort(key=lambda push: push.target != "live")
        if text.isdigit() and not pushes and int(text) in offer.history:  # an older preview
            content = offer.history[int(text)]
            pushes = [Push(content.version, "preview", content, content.changed_at)]
        if not pushes:
            raise Refusal(404, "notFound", f"Submission 'submission/{offer.product_id}/{text}' was not found.")
        return Answer(200, wire.submission(offer, pushes[0], _version(call)))

    def resource_tree(self, call: Call) -> Answer:
        """The whole offer; 400 for a target that it was never published to [O dstarr]."""
        offer = self._product(call)
        target = _target(call) or "draft"
        content = {"draft": offer.draft, "preview": offer.newest, "live": offer.production}[target]
        if content is None:
            raise Refusal(400, "badRequest", f"The product has not been published to {target}.")
        found = [wire.resource(offer, one, _version(call)) for one in resources_of(offer, content.definition)]
        if offer.behaviour.product_ingestion.resources_order == "turned":
            found.reverse()
        state = [wire.submission(offer, push, _version(call)) for push in self._shown(offer) if push.target == target]
        found.extend(state[:1] or [wire.draft(offer, _version(call))])
        body = {
            "$schema": wire.schema(offer, "resource-tree", _version(call)),
            "root": f"product/{offer.product_id}",
            "target": {"targetType": target},
            "resources": found,
        }
        return Answer(200, body)

    def resource(self, call: Call) -> Answer:
        """One resource of the draft, by its durable id [D]."""
        offer = self._product(call)
        durable = call.path.removeprefix(BASE + "/")
        for one in resources_of(offer, offer.draft.definition):
            if one["id"] == durable:
                return Answer(200, wire.resource(offer, one, _version(call)))
        raise Refusal(404, "notFound", f"The resource '{durable}' was not found.")

    # -- Configuring.

    def configure(self, call: Call) -> Answer:
        body = _json(call)
        _check_schema(body, "configure")
        resources = body.get("resources")
        if not isinstance(resources, list) or not all(isinstance(one, dict) for one in resources) or not resources:
            raise Refusal(400, "badRequest", "The property 'resources' must be an array of resources.")
        account = self._account(call)
        offer = self._of_resources(account, resources)
        self._check_header(call, offer)
        self._check_type(offer)
        if "productIngestion" not in offer.apis:
            raise Refusal(400, "badRequest", "The product cannot be published here.")  # [G]
        for one in resources:
            _check_schema(one, kind_of(one))
            self._check_version(offer, one)
        running = offer.running
        operation = self._configured(offer, resources)
        new = operation is not running  # else the answer to a conflict is the job that runs already
        return Answer(offer.behaviour.accept_code, wire.job(offer, operation, _version(call), self._now, accepted=new))

    def job_status(self, call: Call) -> Answer:
        offer, operation = self._job(call)
        p = offer.behaviour.product_ingestion
        since = operation.last_read_at
        if since is not None and self._now < since + p.job_min_interval:
            raise _TooSoon(since + p.job_min_interval - self._now)
        operation = self._world.read_job(offer, operation)
        return Answer(200, wire.job(offer, operation, _version(call), self._now))

    def job_detail(self, call: Call) -> Answer:
        """What a job touched; it fails before the end [D], and for jobs that failed [O lansa]."""
        offer, operation = self._job(call)
        p = offer.behaviour.product_ingestion
        if operation.ended_at is None:
            raise Refusal(p.unfinished_detail, "badRequest", "The job has not completed yet.")
        if operation.ending != "succeeded" and p.failed_detail == 404:
            raise Refusal(404, "notFound", f"The job '{operation.id}' was not found.")
        touched = [wire.resource(offer, one, _version(call)) for one in operation.content.definition.get("touched", [])]
        touched += [
            wire.submission(offer, push, _version(call)) | wire.warnings(offer)
            for push in self._pushes(offer)
            if push.operation is operation
        ]
        schema = wire.schema(offer, "configure-detail", _version(call))
        return Answer(200, {"$schema": schema, "resources": touched})

    def cancel_job(self, call: Call) -> Answer:
        """Refused once "far enough along" [D]; a go-live is, unless the offer's behaviour says otherwise."""
        offer, operation = self._job(call)
        if operation.ended_at is not None:
            raise Refusal(400, "badRequest", "Cannot cancel job, job has already completed.")  # [D]
        if operation.kind == "golive" and offer.behaviour.cancel_golive != "effective":
            raise Refusal(400, "badRequest", "Cannot cancel job, the publish is too far along.")
        self._world.end(operation.id, "canceled")
        return Answer(200, wire.job(offer, operation, _version(call), self._now))

    # -- Inner workings.

    @property
    def _now(self) -> float:
        return self._world.clock.now()

    def _guarded(self, handler: Handler) -> Handler:
        def answer(call: Call) -> Answer:
            with self._simulation.lock:
                try:
                    answered = handler(call)
                except Refusal as refused:
                    headers = (("WWW-Authenticate", "Bearer"),) if refused.status == 401 else ()
                    if isinstance(refused, _TooSoon):
                        headers = (("Retry-After", str(math.ceil(refused.seconds))),)
                    answered = Answer(refused.status, wire.error(refused.code, refused.message), headers)
                self._simulation.save()
            ids = (("MS-RequestId", str(uuid.uuid4())), ("MS-CorrelationId", str(uuid.uuid4())))  # [O dstarr]
            return Answer(answered.status, answered.body, ids + answered.headers)

        return answer

    def _account(self, call: Call) -> Account:
        """Who calls, after the token and the `$version` were looked at."""
        account = Account(self._simulation, call, _AUDIENCE)
        version = _version(call)
        if version is not None and wire.order_of(version) is None:
            raise Refusal(400, "badRequest", f"The version '{version}' is not valid.")
        if version is None and self._world.defaults.product_ingestion.version_required:
            raise Refusal(400, "badRequest", "The query parameter '$version' is required.")
        return account

    def _product(self, call: Call) -> Offer:
        offer = self._account(call).product(call.path_params["product"])
        self._check_header(call, offer)
        if offer.behaviour.product_ingestion.version_required and _version(call) is None:
            raise Refusal(400, "badRequest", "The query parameter '$version' is required.")
        self._check_type(offer)
        return offer

    def _check_header(self, call: Call, offer: Offer) -> None:
        if lacks_header(offer, call):
            raise Refusal(400, "badRequest", MISSING_HEADER)

    def _check_type(self, offer: Offer) -> None:
        kind = offer_type(offer.offer_type_id).product_ingestion
        if kind not in INGESTED:
            # lansa [O]; the status is assumed [G]
            raise Refusal(400, "badRequest", f"Type {kind[:1].upper() + kind[1:]} is not supported")

    def _check_version(self, offer: Offer, one: Resource) -> None:
        match = SCHEMA.match(str(one.get("$schema", "")))
        version = match["version"] if match else ""
        if version in offer.behaviour.product_ingestion.deprecated_versions:
            raise Refusal(400, "badRequest", f'"{version}" is a deprecated schema')  # [O cloudpub 38cfe27]
        if kind_of(one) == "submission" and version == "2022-03-01-preview7" and "sources" not in one:
            missing = 'Required properties ["sources"] were not present'  # [O cloudpub 956d629]
            raise Refusal(400, "badRequest", f"Schema validation failed for schema {one['$schema']}: {missing}")

    def _pushes(self, offer: Offer) -> list[Push]:
        return self._world.pushes(offer, self._world.shown(offer))

    def _shown(self, offer: Offer) -> list[Push]:
        """The submissions that the listing shows, newest first."""
        p = offer.behaviour.product_ingestion
        pushes = [
            push
            for push in self._world.pushes(offer, self._world.shown(offer, listed=True))
            if not (push.ending == "failed" and push.target == "live" and p.failed_entry == "dropped")
            and not (push.ending == "canceled" and p.canceled_entry == "dropped")
        ]
        running = {push.content.version for push in pushes if push.target == "live" and push.ending is None}
        if not p.preview_listed_while_live_runs:
            pushes = [push for push in pushes if push.target != "preview" or push.number not in running]
        if p.live_entries == "newest":
            older = [push for push in pushes if push.target == "live"][1:]
            pushes = [push for push in pushes if push not in older]
        return pushes

    def _of_resources(self, account: Account, resources: list[Resource]) -> Offer:
        """The one product that they are about: by a durable id, or by externalId [D]."""
        found: dict[str, Offer] = {}
        for one in resources:
            for reference in (one.get("id"), one.get("product"), one.get("plan")):
                offer = self._referred(account, reference)
                if offer is not None:
                    found[offer.key] = offer
        new = [one for one in resources if kind_of(one) == "product" and "id" not in one]
        if not found and len(new) == 1:
            return self._product_of(account, new[0])
        if len(found) != 1:
            problem = "The payload names no product." if not found else "The payload is about several products."
            raise Refusal(400, "badRequest", problem)
        return next(iter(found.values()))

    def _product_of(self, account: Account, one: Resource) -> Offer:
        """The product that a resource without an id describes; a new one, if there is none of that name [D]."""
        identity, kind = one.get("identity"), one.get("type")
        name = identity.get("externalId") if isinstance(identity, dict) else None
        if not isinstance(name, str) or not isinstance(kind, str):
            raise Refusal(400, "badRequest", "A product has an identity and a type.")
        known = next((offer for offer in account.offers() if offer.offer_id == name), None)
        return known or account.new_offer(name, kind, "productIngestion")

    def _referred(self, account: Account, reference: object) -> Offer | None:
        if isinstance(reference, str) and "/" in reference:
            return account.product(reference.split("/")[1])
        if isinstance(reference, dict) and set(reference) == {"externalId"}:
            return next((o for o in account.offers() if o.offer_id == reference["externalId"]), None)
        return None

    def _configured(self, offer: Offer, resources: list[Resource]) -> Operation:
        submissions = [one for one in resources if kind_of(one) == "submission"]
        edits = [one for one in resources if kind_of(one) != "submission"]
        if len(submissions) > 1:
            raise Refusal(400, "badRequest", "A payload holds one submission at most.")
        if not submissions:
            return self._edit(offer, edits)
        target = submissions[0].get("target")
        word = target.get("targetType") if isinstance(target, dict) else None
        if word == "preview":
            if edits:
                self._edit(offer, edits)
            return self._pushed(offer, lambda: self._world.push_preview(offer))
        if word != "live":
            raise Refusal(400, "badRequest", f"The targetType '{word}' is not valid.")
        if edits:
            raise Refusal(400, "badRequest", "Resources cannot be published to live directly.")  # [D]
        return self._go_live(offer, submissions[0])

    def _go_live(self, offer: Offer, one: Resource) -> Operation:
        number = _number(offer, one)
        if one.get("lifecycleState") == "deprecated":
            self._world.deprecate(offer)
            return self._world.add_job(offer, "edit", offer.behaviour.edit)
        if number is None and offer.behaviour.product_ingestion.golive_without_id == "reject":
            raise Refusal(400, "badRequest", "The id of the preview submission is required to publish to live.")
        return self._pushed(offer, lambda: self._world.push_live(offer, number, "productIngestion"))

    def _pushed(self, offer: Offer, push: Callable[[], Operation]) -> Operation:
        """A conflict, or a stale submission, may be told by a job that fails [G]."""
        try:
            return push()
        except Refusal as refused:
            p = offer.behaviour.product_ingestion
            if not refused.reason or p.refuses_by == "answer":
                raise
            at_once = Progress(mode="at once", ends="failed")
            return self._world.add_job(offer, "refused", at_once, failure=refused.message)

    def _edit(self, offer: Offer, edits: list[Resource]) -> Operation:
        definition, taken = edited(offer, edits)
        if offer.behaviour.edit.ends == "succeeded":
            self._world.change_draft(offer, definition)
        return self._world.add_job(offer, "edit", offer.behaviour.edit, definition={"touched": taken})

    def _job(self, call: Call) -> tuple[Offer, Operation]:
        account = self._account(call)
        job_id = call.path_params["job"]
        unknown = Refusal(404, "notFound", f"The job '{job_id}' was not found.")
        try:
            offer, operation = self._world.find_operation(job_id)
        except Refusal:
            raise unknown from None
        account.product(offer.product_id)
        self._check_header(call, offer)
        p, now = offer.behaviour.product_ingestion, self._now
        lost = operation.accepted_at + p.job_404_after
        forgotten = p.job_forgotten_after is not None and operation.ended_at is not None
        if forgotten and now >= (operation.ended_at or now) + (p.job_forgotten_after or 0):
            raise unknown
        if operation.kind == "cancel" or lost <= now < lost + p.job_404_seconds:
            raise unknown
        return offer, operation


def _asked(call: Call, name: str) -> str | None:
    """A query parameter, in any casing: clients write externalId, externalID and externalid [O]."""
    return next((values[0] for key, values in call.query.items() if key.lower() == name), None)


def _version(call: Call) -> str | None:
    return call.one("$version")


def _target(call: Call) -> str | None:
    target = call.one("targetType")
    if target is not None and target not in _TARGETS:  # quoted, as the docs show it: refused [O dstarr]
        raise Refusal(400, "badRequest", f"The targetType '{target}' is not valid.")
    return target


def _json(call: Call) -> dict[str, Any]:
    try:
        return call.json_object()
    except ValueError as e:
        raise Refusal(400, "badRequest", "The request body is not valid JSON.") from e


def _check_schema(body: dict[str, Any], kind: str) -> None:
    text = body.get("$schema")
    if not isinstance(text, str):
        raise Refusal(400, "badRequest", "The property '$schema' is required.")
    if not text.startswith(_SCHEMA_HOST) or not kind or kind_of(body) != kind:
        raise Refusal(400, "badRequest", f"Schema {text} could not be accessed")  # [O #235]


def _number(offer: Offer, one: Resource) -> int | None:
    """The number in a submission's durable id. Absent is not null [O azext]."""
    if "id" not in one:
        return None
    prefix, _, number = str(one["id"]).rpartition("/")
    if prefix != f"submission/{offer.product_id}" or not number.isdigit():
        raise Refusal(400, "invalidId", f"The id '{one['id']}' is not valid.")
    return int(number)


def _page(call: Call, items: list[dict[str, Any]], size: int, *, relative: bool) -> Answer:
    asked, token = call.one("$maxpagesize"), call.one("continuationToken") or "0"
    if (asked is not None and not asked.isdigit()) or not token.isdigit():
        raise Refusal(400, "badRequest", "The page is not valid.")
    size = min(size, int(asked or size) or size)
    start = int(token)
    body: dict[str, Any] = {"value": items[start : start + size]}
    if start + size < len(items):
        kept = {key: values[0] for key, values in call.query.items() if key != "continuationToken"}
        path = f"{call.path}?{urlencode({**kept, 'continuationToken': start + size}, safe='$')}"
        body["@nextLink"] = path if relative else call.base_url.rstrip("/") + path
    return Answer(200, body)

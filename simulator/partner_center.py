"""Partner Center's ingestion API v1: which calls it has, what it refuses, in which order it looks.

A handler knows no sockets; `app` serves the routes. Facts: successor-apis section 3.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate, chain, cycle, repeat, takewhile
from typing import Any
from urllib.parse import quote

from simulator import partner_center_wire as wire
from simulator.account import MISSING_HEADER, Account, lacks_header
from simulator.http_terms import Answer, Call, Handler
from simulator.offer_types import offer_type
from simulator.partner_center_wire import Submission
from simulator.simulation import Simulation
from simulator.world import NOT_THE_LATEST, Content, Offer, Refusal

BASE = "/v1.0/ingestion"
_AUDIENCE = "https://api.partner.microsoft.com"  # [D azure-app-apis]
_PRODUCT = "/products/{product}"
_SUBMISSIONS = _PRODUCT + "/submissions"
_SUBMISSION = _SUBMISSIONS + "/{submission}"
_BY_OFFER_ID = re.compile(
    r"externalids/any\(\s*i\s*:\s*i/type\s+eq\s+'(?P<type>[^']*)'\s+and\s+i/value\s+eq\s+'(?P<value>[^']*)'\s*\)", re.I
)
_BY_TYPE = re.compile(r"resourcetype\s+eq\s+'([^']*)'", re.I)


class PartnerCenter:
    """The handlers, over one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._world = simulation.world

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """Path template -> method -> handler."""
        table: dict[str, dict[str, Handler]] = {
            "/products": {"GET": self.products, "POST": self.create_product},
            _PRODUCT: {"GET": self.product, "DELETE": self.delete_product},
            _PRODUCT + "/setup": {"GET": self.setup},
            _PRODUCT + "/variants": {"GET": self.variants},
            _PRODUCT + "/branches/getByModule(module={module})": {"GET": self.branches},
            _PRODUCT + "/{kind}/getByInstanceID(instanceID={instance})": {"GET": self.configurations},
            _PRODUCT + "/packageConfigurations/{configuration}": {"PUT": self.configure},
            _PRODUCT + "/packageconfigurations/{configuration}": {"PUT": self.configure},  # [O a pipeline]
            _PRODUCT + "/properties/{configuration}": {"PUT": self.configure},
            _SUBMISSIONS: {"GET": self.submissions, "POST": self.create},
            _SUBMISSION: {"GET": self.submission, "DELETE": self.delete},
            _SUBMISSION + "/promote": {"POST": self.promote},
            _SUBMISSION + "/workflowdetails": {"GET": self.workflow},
            _SUBMISSION + "/validations": {"GET": self.validations},
            _SUBMISSION + "/reports": {"GET": self.reports},
        }
        return {BASE + path: {m: self._guarded(handler) for m, handler in row.items()} for path, row in table.items()}

    # -- Finding the offer.

    def products(self, call: Call) -> Answer:
        """By AzureOfferId, in any casing of the names [O]; by type; by both; or all, in pages."""
        offers = self._account(call).offers()
        given = call.one("$filter") or ""
        by_id, kinds = _BY_OFFER_ID.search(given), _BY_TYPE.findall(given)
        if re.sub(r"\b(and|or)\b|[\s()]", "", _BY_TYPE.sub("", _BY_OFFER_ID.sub("", given)), flags=re.I):
            raise Refusal(400, "BadRequest", f"The filter '{given}' is not valid.")
        if by_id is not None:
            named = by_id["type"].lower() == "azureofferid"
            offers = [offer for offer in offers if named and offer.offer_id == by_id["value"]]
            for offer in offers:
                _check_header(call, offer)
        if kinds:
            offers = [offer for offer in offers if offer_type(offer.offer_type_id).partner_center in kinds]
        return _page(call, [wire.product(offer) for offer in offers], offers[:1])

    def product(self, call: Call) -> Answer:
        return Answer(200, wire.product(self._product(call)))

    def create_product(self, call: Call) -> Answer:
        """201; 409 for an offer id that is taken [D swagger]."""
        account, body = self._account(call), _json(call)
        ids, kind = body.get("externalIDs"), body.get("resourceType")
        named = [
            one.get("value")
            for one in (ids if isinstance(ids, list) else [])
            if isinstance(one, dict) and str(one.get("type")).lower() == "azureofferid"
        ]
        if len(named) != 1 or not isinstance(named[0], str) or not isinstance(kind, str):
            raise Refusal(400, "BadRequest", "A product has a resourceType and one AzureOfferId.")
        return Answer(201, wire.product(account.new_offer(named[0], kind, "partnerCenter")))

    def delete_product(self, call: Call) -> Answer:
        """Only what was never published [G]."""
        offer = self._product(call)
        if offer.newest is not None or offer.running is not None:
            raise Refusal(409, "Conflict", "A product that was published cannot be deleted.")
        self._world.remove_offer(offer.publisher_id, offer.offer_id)
        return Answer(204)

    def branches(self, call: Call) -> Answer:
        offer, given = self._product(call), call.path_params["module"]
        module = next((one for one in wire.MODULES if one.lower() == given.lower()), None)
        if module is None:
            raise Refusal(400, "BadRequest", f"The module '{given}' is not valid.")
        return _page(call, wire.branches(offer, module), [offer])

    def setup(self, call: Call) -> Answer:
        self._product(call)
        return Answer(200, {"resourceType": "AzureProductSetup", "packageType": "AddOn"})

    def variants(self, call: Call) -> Answer:
        """The plans [D]."""
        offer = self._product(call)
        return _page(call, [wire.variant(offer)], [offer])

    # -- The draft: a module's configuration can be read and changed; what it says is not looked into.

    def configurations(self, call: Call) -> Answer:
        offer, kind = self._product(call), call.path_params["kind"]
        if kind not in wire.CONFIGURATIONS:
            raise Refusal(404, "NotFound", f"No such resource: {call.path}")
        return _page(call, [wire.configuration(offer, kind)], [offer])

    def configure(self, call: Call) -> Answer:
        """Only with the entity tag of what was read [O]."""
        offer = self._product(call)
        kind = call.path.split("/")[-2].replace("packagec", "packageC")
        present, body = wire.configuration(offer, kind), _json(call)
        if call.path_params["configuration"] != present["id"]:
            raise Refusal(404, "NotFound", f"No such resource: {call.path}")
        if call.headers.get("if-match") not in ("*", present["@odata.etag"]):
            raise Refusal(412, "PreconditionFailed", "The If-Match header does not match the resource's etag.")
        given = {key: value for key, value in body.items() if key not in ("id", "@odata.etag")}
        modules = {**offer.draft.definition.get("modules", {}), kind: given}
        self._world.change_draft(offer, {**offer.draft.definition, "modules": modules})
        return Answer(200, wire.configuration(offer, kind))

    # -- Submissions.

    def submissions(self, call: Call) -> Answer:
        offer = self._product(call)
        items = [wire.submission(offer, one) for one in self._listed(offer)]
        if offer.behaviour.listing_order == "oldest":
            items.reverse()
        if offer.behaviour.partner_center.submission_zero:
            items.append(wire.zero(offer))
        return _page(call, items, [offer])

    def create(self, call: Call) -> Answer:
        """To preview [D]."""
        offer = self._product(call)
        self._check_publishes(offer)
        body = _json(call)
        targets = body.get("targets")
        scopes = [t.get("value") for t in targets if isinstance(t, dict)] if isinstance(targets, list) else []
        if body.get("resourceType") != "SubmissionCreationRequest" or scopes != ["preview"]:
            raise Refusal(400, "BadRequest", "The request must be a SubmissionCreationRequest for the scope preview.")
        resources = body.get("resources")
        named = resources if isinstance(resources, list) else []
        modules = {one.get("type") for one in named if isinstance(one, dict)}
        operation = self._world.push_preview(offer)
        if offer.behaviour.partner_center.reseller_needed and "ResellerConfiguration" not in modules:
            self._world.end(operation.id, "failed", "ResellerConfiguration module is missing..")  # [O #93203]
        code = offer.behaviour.partner_center.submission_code
        return Answer(code, wire.submission(offer, self._stands(offer, operation.content)))

    def submission(self, call: Call) -> Answer:
        offer, one = self._submission(call, poll=True)
        return Answer(200, wire.submission(offer, one))

    def delete(self, call: Call) -> Answer:
        """Only what is in progress [D], failed submissions too."""
        offer, one = self._submission(call)
        operation = one.operation
        if one.state != "InProgress" or operation is None or operation.kind != "publish":
            status = offer.behaviour.partner_center.delete_refused
            raise Refusal(status, _code(status), "Only an in progress submission can be deleted.")
        self._world.delete_submission(offer, operation)
        return Answer(204)

    def promote(self, call: Call) -> Answer:
        """The go-live. Its precondition is Published and ReadyToPublish [O bcch]."""
        _json(call)  # an empty body, or {} [O bcch]
        offer, one = self._submission(call)
        self._check_publishes(offer)
        p = offer.behaviour.partner_center
        newest = offer.newest
        if offer.running is None and newest is not None and one.content.version != newest.version:
            status = 409 if p.promote_unready == 200 else p.promote_unready
            raise Refusal(status, _code(status), NOT_THE_LATEST, "not the latest")
        again = one.state == "Published" or one.operation is None or one.operation.kind == "golive"
        if offer.running is None and not one.ready and not (p.promote_unready == 200 and again):
            status = 409 if p.promote_unready == 200 else p.promote_unready
            message = f"Submission {one.content.version} is not ready to publish: {one.state}, {one.substate}."
            raise Refusal(status, _code(status), message)
        operation = self._world.push_live(offer, one.content.version, "partnerCenter")
        if p.promote_body == "empty":
            return Answer(200)
        return Answer(200, wire.push_to_live(self._stands(offer, operation.content), self._now))

    def workflow(self, call: Call) -> Answer:
        offer, one = self._submission(call)
        return _page(call, wire.workflow(offer, one, self._now), [offer])

    def validations(self, call: Call) -> Answer:
        offer, one = self._submission(call)
        return _page(call, wire.validations(offer, one), [offer])

    def reports(self, call: Call) -> Answer:
        offer, one = self._submission(call)
        return _page(call, wire.reports(offer, one), [offer])

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
                    answered = self._refused(call, refused)
                self._simulation.save()
            headers = (("request-id", str(uuid.uuid4())),)  # [O cassette]
            return Answer(answered.status, answered.body, headers + answered.headers, answered.text)

        return answer

    def _refused(self, call: Call, refused: Refusal) -> Answer:
        try:
            form = self._world.product(call.path_params["product"]).behaviour.partner_center.error_form
        except (KeyError, Refusal):
            form = self._world.defaults.partner_center.error_form
        code = refused.code
        if refused.message == MISSING_HEADER:  # seen in this form alone [O AL-Go#2278]
            form, code = "text", "x-ms-publisherId"
        api = "GetProduct" if "submission" not in call.path_params else "Submission"
        answered = wire.error(refused.status, code, refused.message, form, api)
        challenge = (("WWW-Authenticate", "Bearer"),) if refused.status == 401 else ()
        return Answer(answered.status, answered.body, challenge, answered.text)

    def _account(self, call: Call) -> Account:
        return Account(self._simulation, call, _AUDIENCE)

    def _product(self, call: Call) -> Offer:
        offer = self._account(call).product(call.path_params["product"])
        _check_header(call, offer)
        return offer

    def _check_publishes(self, offer: Offer) -> None:
        """Other products can be read here, and must be published elsewhere [O azext]; the refusal is a guess [G]."""
        if "partnerCenter" not in offer.apis:
            kind = offer_type(offer.offer_type_id).partner_center
            raise Refusal(400, "BadRequest", f"Products of the type {kind} cannot be published through this API.")

    def _submission(self, call: Call, *, poll: bool = False) -> tuple[Offer, Submission]:
        offer = self._product(call)
        text = call.path_params["submission"]
        unknown = Refusal(404, "NotFound", f"Submission '{text}' was not found.")
        content = self._content(offer, text)
        if content is None:
            raise unknown
        one = self._stands(offer, content)
        operation = one.operation
        if operation is None:
            return offer, one
        p = offer.behaviour.partner_center
        lost = operation.accepted_at + p.status_404_after
        if call.method == "GET" and lost <= self._now < lost + p.status_404_seconds:
            raise unknown
        if poll:
            self._world.read_job(offer, operation)
            one = self._stands(offer, content)
        return offer, one

    def _stands(self, offer: Offer, content: Content) -> Submission:
        return wire.submission_of(offer, content, self._world.shown(offer))

    def _content(self, offer: Offer, text: str) -> Content | None:
        gone = offer.behaviour.partner_center.deleted_submission == "gone"
        if not text.isdigit() or (gone and int(text) in offer.deleted):
            return None
        held = (offer.preview, offer.production, offer.history.get(int(text)))
        return next((content for content in held if content is not None and content.version == int(text)), None)

    def _listed(self, offer: Offer) -> list[Submission]:
        """Newest first. What the listing does not see yet of an operation has not happened for it."""
        p, shown = offer.behaviour.partner_center, self._world.shown(offer, listed=True)
        pushes = self._world.pushes(offer, shown)
        current = {(push.operation or push).content.version for push in pushes} - set(offer.deleted)
        seen = {operation.id for operation, _ in shown}
        unseen: set[int | None] = {o.live_version for o in offer.submissions}  # the other APIs' own numbers
        unseen |= {o.content.version for o in offer.submissions if o.kind == "publish" and o.id not in seen}
        not_yet_live = {o.content.version for o in offer.submissions if o.kind == "golive" and o.id not in seen}
        found = []
        for number in sorted(set(offer.history) - unseen, reverse=True):
            one = wire.submission_of(offer, offer.history[number], shown)
            if number in current:
                found.append(one)
            elif number in offer.deleted:
                if p.deleted_submission == "cancelled":
                    found.append(replace(one, state="InProgress", substate="Cancelled"))
            elif p.older_submissions != "none":
                archived = p.older_submissions == "archived" and number not in not_yet_live
                found.append(replace(one, state="Archived") if archived else one)
        return found


def _check_header(call: Call, offer: Offer) -> None:
    if lacks_header(offer, call):
        raise Refusal(400, "BadRequest", MISSING_HEADER)


def _code(status: int) -> str:
    return {400: "BadRequest", 409: "Conflict"}[status]


def _json(call: Call) -> dict[str, Any]:
    try:
        return call.json_object()
    except ValueError as e:
        raise Refusal(400, "BadRequest", "The request body is not valid JSON.") from e


def _page(call: Call, items: list[dict[str, Any]], offers: list[Offer]) -> Answer:
    """A collection; its link is relative to the host, without a slash before it [O cassette]."""
    token = call.one("$skipToken") or "0"
    if not token.isdigit():
        raise Refusal(400, "BadRequest", "The $skipToken is not valid.")
    sizes: tuple[int, ...] = offers[0].behaviour.partner_center.page_sizes if offers else ()
    start = int(token)
    end = next(stop for stop in _stops(sizes, len(items)) if stop > start or stop >= len(items))
    one_too_many = bool(offers) and offers[0].behaviour.partner_center.last_next_link_404
    if start > 0 and start >= len(items):
        raise Refusal(404, "NotFound", "The page was not found.")
    body: dict[str, Any] = {"value": items[start:end]}
    if end < len(items) or one_too_many:
        name = offers[0].behaviour.partner_center.next_link_name
        kept = [f"{key}={quote(values[0], safe='')}" for key, values in call.query.items() if key != "$skipToken"]
        body[name] = call.path.lstrip("/") + "?" + "&".join([*kept, f"$skipToken={end}"])
    return Answer(200, body)


def _stops(sizes: tuple[int, ...], length: int) -> list[int]:
    """Where pages end."""
    if not sizes:
        return [length]
    return [*takewhile(lambda stop: stop < length, accumulate(chain(cycle(sizes), repeat(1)))), length]

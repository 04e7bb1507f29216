"""The Cloud Partner Portal API 2017-10-31: which verbs it has, what it refuses, in which order it looks.

A handler checks the api-version, then the token, then the publisher, and then asks the world. It knows no
sockets; `app` serves the routes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from simulator import wire
from simulator.http_terms import Answer, Call, Handler
from simulator.simulation import Simulation
from simulator.world import Operation, Refusal, SlotName

_OFFER_TYPES = ("microsoft-azure-virtualmachines", "microsoft-azure-applications", "microsoft-azure-corevm")
_AUDIENCE = "https://cloudpartner.azure.com"  # [D ORIG/prerequisites]
_PUBLISHER = "/api/publishers/{publisher}"
_OFFER = _PUBLISHER + "/offers/{offer}"
# PUB's readme shows these on a GET [O]; h11 adds the date and the length.
_SERVER_HEADERS = (
    ("Cache-Control", "no-cache"),
    ("Pragma", "no-cache"),
    ("Expires", "-1"),
    ("Server", "Microsoft-IIS/10.0"),
    ("Vary", "Accept-Encoding"),
    ("X-AspNet-Version", "4.0.30319"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Powered-By", "ASP.NET"),
)


class CloudPartnerPortal:
    """The handlers, over one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._world = simulation.world

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """Path template -> method -> handler. A trailing slash is accepted where clients send one [I]."""
        table: dict[str, dict[str, Handler]] = {
            "/api/publishers": {"GET": self.publishers},
            "/api/offerTypes": {"GET": self.offer_types},
            _PUBLISHER + "/offers": {"GET": self.offers},
            _OFFER: {"GET": self.draft, "PUT": self.put},
            _OFFER + "/versions/{version}": {"GET": self.version},
            _OFFER + "/slot/{slot}": {"GET": self.slot},
            _OFFER + "/publish": {"POST": self.publish},
            _OFFER + "/golive": {"POST": self.golive},
            _OFFER + "/cancel": {"POST": self.cancel},
            _OFFER + "/status": {"GET": self.status},
            _OFFER + "/submissions": {"GET": self.submissions},
            _OFFER + "/operations/{operation}": {"GET": self.operation},
            "/api/operations/{dollar_id}": {"GET": self.dollar_operation},
        }
        guarded = {
            path: {method: self._guarded(handler) for method, handler in methods.items()}
            for path, methods in table.items()
        }
        return {path + slash: methods for path, methods in guarded.items() for slash in ("", "/")}

    # -- Endpoints, in the order of portal-api section 2.

    def golive(self, call: Call) -> Answer:
        self._emails(call)  # a malformed body is refused, a good one changes nothing: the publish's list is used [D]
        return self._accepted(call, self._world.golive(*_names(call)))

    def publish(self, call: Call) -> Answer:
        return self._accepted(call, self._world.publish(*_names(call), emails=self._emails(call)))

    def cancel(self, call: Call) -> Answer:
        self._emails(call)
        return self._accepted(call, self._world.cancel(*_names(call)), code=202)

    def submissions(self, call: Call) -> Answer:
        offer = self._world.offer(*_names(call))
        items = [
            wire.submission(offer, operation, running, self._world.clock.now())
            for operation, running in self._world.list_operations(*_names(call))
        ]
        wanted = call.one("status") or call.one("submissionState")  # ORIG and OSA; PUB
        if wanted:
            word = wire.normalised(wanted)
            items = [item for item in items if wire.normalised(item["submissionState"]) == word]
        return Answer(200, items)

    def operation(self, call: Call) -> Answer:
        operation = self._world.read_operation(*_names(call), call.path_params["operation"])
        offer = self._world.offer(*_names(call))
        return Answer(200, wire.operation(offer, operation, self._world.clock.now()))

    def dollar_operation(self, call: Call) -> Answer:
        offer, operation = self._world.read_dollar_operation(call.path_params["dollar_id"])
        return Answer(200, wire.operation(offer, operation, self._world.clock.now()))

    def status(self, call: Call) -> Answer:
        return Answer(200, wire.status(self._world.poll_status(*_names(call)), self._world.clock.now()))

    def offers(self, call: Call) -> Answer:
        found = [o for o in self._world.offers_of(call.path_params["publisher"]) if "cloudPartnerPortal" in o.apis]
        wanted = re.fullmatch(r"\s*offerTypeId\s+eq\s+'([^']*)'\s*", call.one("$filter") or "")  # AZPC [O]
        if wanted:
            found = [offer for offer in found if offer.offer_type_id == wanted[1]]
        return Answer(200, [wire.offer_summary(offer, self._world.clock.now()) for offer in found])

    def draft(self, call: Call) -> Answer:
        return self._content(call, "draft")

    def slot(self, call: Call) -> Answer:
        """Draft, Preview, Production in any case: OSA sends slot/preview [I]."""
        slots: dict[str, SlotName] = {"draft": "draft", "preview": "preview", "production": "production"}
        slot = slots.get(call.path_params["slot"].lower())
        if slot is None:
            raise Refusal(400, "BadRequest", f"The slot '{call.path_params['slot']}' is not valid.")
        return self._content(call, slot)

    def version(self, call: Call) -> Answer:
        text = call.path_params["version"]
        if not text.isdigit():
            raise Refusal(400, "BadRequest", f"The version '{text}' is not valid.")
        offer, content = self._world.version(*_names(call), int(text))
        return Answer(200, wire.offer_body(offer, content, self._world.clock.now()))

    def put(self, call: Call) -> Answer:
        body = _json(call)
        if not body.get("offerTypeId"):
            # AZPC's fixture [O]
            raise Refusal(400, "BadRequest", "The argument: 'OfferTypeId' cannot be null or empty.")
        definition = body.get("definition", {})
        if not isinstance(definition, dict):
            raise Refusal(400, "BadRequest", "The argument: 'Definition' is not valid.")
        offer, created = self._world.put_offer(
            *_names(call),
            offer_type_id=str(body["offerTypeId"]),
            definition=definition,
            if_match=wire.stamp_of_etag(call.headers.get("if-match")),
        )
        answer = wire.offer_body(offer, offer.draft, self._world.clock.now())
        return Answer(201 if created else 200, answer, (("Etag", wire.etag(offer.stamp)),))

    def publishers(self, call: Call) -> Answer:
        token = _token(call)
        may = self._simulation.tokens.may_use
        seen = [p for p in self._world.publishers.values() if not p.forbidden and may(token, p.id)]
        return Answer(200, [wire.publisher(p) for p in seen])

    def offer_types(self, call: Call) -> Answer:  # noqa: ARG002
        return Answer(200, [{"id": name, "displayText": name} for name in _OFFER_TYPES])

    # -- What every endpoint does.

    def _guarded(self, handler: Handler) -> Handler:
        def answer(call: Call) -> Answer:
            with self._simulation.lock:
                try:
                    self._check(call)
                    answered = handler(call)
                except Refusal as refused:
                    challenge = (("WWW-Authenticate", "Bearer"),) if refused.status == 401 else ()
                    answered = Answer(refused.status, wire.error(refused.code, refused.message), challenge)
                self._simulation.save()
            headers = (*_SERVER_HEADERS, ("X-Ms-Correlation-Request-Id", str(uuid.uuid4())))
            return Answer(answered.status, answered.body, headers + answered.headers)

        return answer

    def _check(self, call: Call) -> None:
        """The api-version first, then the token, then whether it may use the publisher."""
        allowed = [wire.API_VERSION, *(["2016-08-01-preview"] if "/offertypes" in call.path.lower() else [])]
        given = call.query.get("api-version", [])
        if len(given) != 1 or given[0] not in allowed:
            # The documented text; its sample lists the old version only [D considerations].
            listed = ", ".join(allowed)
            raise Refusal(400, "InvalidAPIVersion", f"Invalid api version. Allowed values are [{listed}]")
        if call.method == "POST" and "content-length" not in call.headers and "transfer-encoding" not in call.headers:
            raise Refusal(
                411, "LengthRequired", "HTTP Error 411. The request must be chunked or have a content length."
            )
        token = _token(call)
        if not self._simulation.tokens.accepts(token, _AUDIENCE):
            raise Refusal(401, "Unauthorized", "The access token is missing, invalid or expired.")
        publisher_id = call.path_params.get("publisher") or call.path_params.get("dollar_id", "").partition("$")[0]
        if not publisher_id:
            return
        publisher = self._world.publishers.get(publisher_id)
        forbidden = publisher is not None and publisher.forbidden
        if forbidden or not self._simulation.tokens.may_use(token, publisher_id):
            # azure-docs#35403 and AZPC's fixture [O]
            raise Refusal(403, "Forbidden", "User does not have the required permissions")
        offer_id = (
            call.path_params.get("offer") or call.path_params.get("dollar_id", "").partition("$")[2].partition("$")[0]
        )
        offer = self._world.offers.get(f"{publisher_id}/{offer_id}")
        if offer is not None and "cloudPartnerPortal" not in offer.apis:
            # Only what was integrated before Partner Center is known here [D-new]; that it is a 404 is a guess [G].
            raise Refusal(404, "NotFound", f"Offer ID '{offer_id}' was not found for Publisher ID '{publisher_id}'.")

    def _accepted(self, call: Call, operation: Operation, code: int | None = None) -> Answer:
        """Accepted: an empty body [I OSA], and a header that names the operation."""
        offer = self._world.offers[f"{operation.publisher_id}/{operation.offer_id}"]
        headers = wire.location_headers(offer, operation, call.base_url)
        return Answer(code or offer.behaviour.accept_code, None, tuple(headers))

    def _content(self, call: Call, slot: SlotName) -> Answer:
        offer, content = self._world.slot(*_names(call), slot)
        tagged = slot == "draft" and offer.behaviour.etag_on_get
        headers = (("Etag", wire.etag(offer.stamp)),) if tagged else ()
        return Answer(200, wire.offer_body(offer, content, self._world.clock.now()), headers)

    def _emails(self, call: Call) -> str | None:
        metadata = _json(call).get("metadata")
        emails = metadata.get("notification-emails") if isinstance(metadata, dict) else None
        return emails if isinstance(emails, str) else None


def _names(call: Call) -> tuple[str, str]:
    return call.path_params["publisher"], call.path_params["offer"]


def _token(call: Call) -> str:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _json(call: Call) -> dict[str, Any]:
    try:
        return call.json_object()
    except ValueError as e:
        raise Refusal(400, "BadRequest", "The request body is not valid JSON.") from e

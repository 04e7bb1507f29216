"""The control address, `/_control`: what a test or a person does behind the portal's back. JSON, no sign-in.

`GET /_control` lists every route with one line of help, which is the handler's docstring. Times are seconds
since 1970 UTC. A wrong request is answered 400 with `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from simulator import wire
from simulator.behaviour import Behaviour, explain
from simulator.entra import Job
from simulator.faults import Fault
from simulator.http_terms import Answer, Call, Handler
from simulator.scenario import OfferSpec, ScenarioError
from simulator.simulation import Simulation
from simulator.world import Offer, Operation, Refusal

ROOT = "/_control"
_OFFER = ROOT + "/offers/{publisher}/{offer}"
_OPERATION = ROOT + "/operations/{operation}"
_FAULTS = TypeAdapter(list[Fault])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _OfferBody(_Body):
    preview: int | None = 1
    production: int | None = None
    api: str | list[str] = "cloudPartnerPortal"
    product_id: str | None = None
    offer_type: str | None = None
    definition: dict[str, Any] | None = None
    behaviour: dict[str, Any] = Field(default_factory=dict)


class _PreviewBody(_Body):
    version: int | None = None
    definition: dict[str, Any] | None = None


class _StepsBody(_Body):
    steps: int = Field(default=1, ge=1)


class _FailBody(_Body):
    message: str | None = None


class _ClockBody(_Body):
    now: float | None = None
    frozen: bool | None = None


class _AdvanceBody(_Body):
    seconds: float = Field(ge=0)


class _TokensBody(_Body):
    restricted: bool


class _TokenBody(_Body):
    token: str = Field(min_length=1)
    publishers: list[str] | None = None
    expires_in: float | None = None
    audience: str | None = None


class _PublisherBody(_Body):
    name: str = ""
    forbidden: bool = False


class _EntraBody(_Body):
    lifetime: float | None = Field(default=None, gt=0)
    refuse_next: list[int] = Field(default_factory=list)


class _FaultsBody(_Body):
    faults: list[Fault]
    seed: int = 0


class Control:
    """The handlers, over one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._s = simulation

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        table: dict[str, dict[str, Handler]] = {
            ROOT: {"GET": self.index},
            ROOT + "/state": {"GET": self.state},
            ROOT + "/reset": {"POST": self.reset},
            ROOT + "/publishers/{publisher}": {"PUT": self.put_publisher},
            ROOT + "/offers": {"GET": self.offers},
            _OFFER: {"GET": self.offer, "PUT": self.put_offer, "DELETE": self.delete_offer},
            _OFFER + "/behaviour": {
                "GET": self.behaviour,
                "PUT": self.put_behaviour,
                "PATCH": self.patch_behaviour,
            },
            _OFFER + "/preview": {"POST": self.publish_preview},
            _OFFER + "/golive": {"POST": self.golive_by_hand},
            _OFFER + "/operations": {"GET": self.operations},
            _OPERATION: {"GET": self.operation},
            _OPERATION + "/advance": {"POST": self.advance_operation},
            _OPERATION + "/finish": {"POST": self.finish_operation},
            _OPERATION + "/fail": {"POST": self.fail_operation},
            _OPERATION + "/cancel": {"POST": self.cancel_operation},
            ROOT + "/requests": {"GET": self.requests, "DELETE": self.forget_requests},
            ROOT + "/requests/count": {"GET": self.count_requests},
            ROOT + "/faults": {
                "GET": self.faults,
                "PUT": self.put_faults,
                "POST": self.add_fault,
                "DELETE": self.clear_faults,
            },
            ROOT + "/faults/log": {"GET": self.fault_log},
            ROOT + "/faults/{fault}": {"DELETE": self.remove_fault},
            ROOT + "/clock": {"GET": self.clock, "PUT": self.put_clock},
            ROOT + "/clock/advance": {"POST": self.advance_clock},
            ROOT + "/tokens": {"GET": self.tokens, "PUT": self.put_tokens, "POST": self.add_token},
            ROOT + "/tokens/revoke": {"POST": self.revoke_token},
            ROOT + "/tokens/expire": {"POST": self.expire_token},
            ROOT + "/entra": {"GET": self.entra, "PATCH": self.patch_entra},
            ROOT + "/entra/applications/{client}": {"PUT": self.put_application},
            ROOT + "/entra/applications/{client}/revoke": {"POST": self.revoke_issued},
            ROOT + "/entra/jobs/{token}": {"PUT": self.put_job},
        }
        return {
            path + slash: {method: self._answering(handler) for method, handler in methods.items()}
            for path, methods in table.items()
            for slash in ("", "/")
        }

    def _answering(self, handler: Handler) -> Handler:
        def answer(call: Call) -> Answer:
            with self._s.lock:
                try:
                    answered = handler(call)
                except Refusal as e:
                    answered = Answer(e.status, wire.error(e.code, e.message))
                except ValidationError as e:
                    answered = Answer(400, wire.error("BadRequest", explain(e)))
                except (ScenarioError, ValueError) as e:
                    answered = Answer(400, wire.error("BadRequest", str(e)))
                self._s.save()
            return answered

        answer.__doc__ = inspect.getdoc(handler)
        return answer

    # -- The whole

    def index(self, call: Call) -> Answer:  # noqa: ARG002
        """This list."""
        listed = [
            {"method": method, "path": path, "does": inspect.getdoc(handler)}
            for path, methods in self.routes().items()
            if not path.endswith("/")
            for method, handler in methods.items()
        ]
        return Answer(200, listed)

    def state(self, call: Call) -> Answer:  # noqa: ARG002
        """The whole truth: publishers, offers, slots, operations, accepted go-lives."""
        for offer in list(self._s.world.offers.values()):
            self._s.world.offer(offer.publisher_id, offer.offer_id)
        return Answer(200, self._s.world.to_json())

    def reset(self, call: Call) -> Answer:  # noqa: ARG002
        """Back to the scenario, as at a first start; requests, faults and operations are forgotten."""
        self._s.reset()
        return Answer(204)

    # -- Offers

    def put_publisher(self, call: Call) -> Answer:
        """Add or change a publisher: {name, forbidden}."""
        body = _PublisherBody.model_validate(_json(call))
        added = self._s.world.add_publisher(call.path_params["publisher"], name=body.name, forbidden=body.forbidden)
        return Answer(200, asdict(added))

    def offers(self, call: Call) -> Answer:  # noqa: ARG002
        """Every offer with its slots, behaviour and operations."""
        offers = list(self._s.world.offers.values())
        return Answer(200, [self._offer_json(self._s.world.offer(o.publisher_id, o.offer_id)) for o in offers])

    def offer(self, call: Call) -> Answer:
        """One offer with its slots, behaviour, operations and the count of accepted go-lives."""
        return Answer(200, self._offer_json(self._s.world.offer(*_names(call))))

    def put_offer(self, call: Call) -> Answer:
        """Make or replace an offer: {api, preview, production, offer_type, definition, product_id, behaviour}."""
        body = _OfferBody.model_validate(_json(call))
        spec = OfferSpec(offer="/".join(_names(call)), **body.model_dump())
        offer = self._s.world.add_offer(
            *spec.names,
            preview=spec.preview,
            production=spec.production,
            behaviour=self._s.world.defaults.changed(spec.behaviour),
            offer_type_id=spec.offer_type,
            definition=spec.definition,
            apis=spec.api,
            product_id=spec.product_id,
        )
        return Answer(200, self._offer_json(offer))

    def delete_offer(self, call: Call) -> Answer:
        """Remove an offer, as if it had never been."""
        self._s.world.remove_offer(*_names(call))
        return Answer(204)

    def behaviour(self, call: Call) -> Answer:
        """How an offer behaves."""
        return Answer(200, self._s.world.offer(*_names(call)).behaviour.model_dump())

    def put_behaviour(self, call: Call) -> Answer:
        """Set an offer's behaviour: the defaults, with these changes."""
        return self._set_behaviour(call, self._s.world.defaults)

    def patch_behaviour(self, call: Call) -> Answer:
        """Change an offer's behaviour: only the keys given. Running operations keep theirs."""
        return self._set_behaviour(call, self._s.world.offer(*_names(call)).behaviour)

    def publish_preview(self, call: Call) -> Answer:
        """Put a new version in preview, at once: {version, definition}; the next number by default."""
        body = _PreviewBody.model_validate(_json(call))
        content = self._s.world.put_in_preview(*_names(call), version=body.version, definition=body.definition)
        return Answer(200, asdict(content))

    def golive_by_hand(self, call: Call) -> Answer:
        """Start a go-live as a person does in the portal; it is not counted as accepted from the API."""
        return self._operation_answer(self._s.world.golive(*_names(call), by="portal"))

    # -- Operations

    def operations(self, call: Call) -> Answer:
        """An offer's operations, oldest first, cancels too."""
        offer = self._s.world.offer(*_names(call))
        return Answer(200, [self._operation_json(operation) for operation in offer.operations])

    def operation(self, call: Call) -> Answer:
        """One operation, without counting as a poll."""
        return self._operation_answer(self._s.world.find_operation(call.path_params["operation"])[1])

    def advance_operation(self, call: Call) -> Answer:
        """Let a running operation pass {steps} more steps, whatever its mode."""
        body = _StepsBody.model_validate(_json(call))
        return self._operation_answer(self._s.world.advance(call.path_params["operation"], body.steps))

    def finish_operation(self, call: Call) -> Answer:
        """Let a running operation succeed now."""
        return self._operation_answer(self._s.world.end(call.path_params["operation"], "succeeded"))

    def fail_operation(self, call: Call) -> Answer:
        """Let a running operation fail now: {message}, HTML."""
        body = _FailBody.model_validate(_json(call))
        return self._operation_answer(self._s.world.end(call.path_params["operation"], "failed", body.message))

    def cancel_operation(self, call: Call) -> Answer:
        """Let a running operation end as canceled now, a go-live too."""
        return self._operation_answer(self._s.world.end(call.path_params["operation"], "canceled"))

    # -- Requests

    def requests(self, call: Call) -> Answer:
        """The recorded requests, oldest first: ?method=&path=glob&status=&after=number&limit=newest."""
        found = self._s.recorder.find(**_filters(call))
        limit = int(call.one("limit") or 0)
        return Answer(200, [asdict(one) for one in found[-limit:]])

    def count_requests(self, call: Call) -> Answer:
        """How many recorded requests fit: ?method=POST&path=*/golive&status=202&after=number."""
        return Answer(200, {"count": self._s.recorder.count(**_filters(call)), "total": self._s.recorder.total})

    def forget_requests(self, call: Call) -> Answer:  # noqa: ARG002
        """Forget the recorded requests; their numbers go on."""
        self._s.recorder.clear()
        return Answer(204)

    # -- Faults

    def faults(self, call: Call) -> Answer:  # noqa: ARG002
        """The faults that are set."""
        return Answer(200, [fault.model_dump() for fault in self._s.faults.faults])

    def put_faults(self, call: Call) -> Answer:
        """Set these faults and no others, counted from the start: {faults: [...], seed}."""
        body = _FaultsBody.model_validate(_json(call, ignore=("fired",)))
        self._s.faults.replace(body.faults, seed=body.seed)
        return self.faults(call)

    def add_fault(self, call: Call) -> Answer:
        """Add a fault: {kind, offer, method, path, nth, probability, count, seed, when, ...}."""
        return Answer(201, self._s.faults.add(Fault.model_validate(_json(call))).model_dump())

    def clear_faults(self, call: Call) -> Answer:  # noqa: ARG002
        """No faults any more, and an empty log."""
        self._s.faults.replace([])
        return Answer(204)

    def remove_fault(self, call: Call) -> Answer:
        """Remove one fault by its id."""
        if not self._s.faults.remove(call.path_params["fault"]):
            raise Refusal(404, "NotFound", f"There is no fault '{call.path_params['fault']}'.")
        return Answer(204)

    def fault_log(self, call: Call) -> Answer:  # noqa: ARG002
        """What struck, with the seeds; the answer, PUT to /_control/faults, replays it."""
        return Answer(200, self._s.faults.as_json())

    # -- Time

    def clock(self, call: Call) -> Answer:  # noqa: ARG002
        """The simulator's time."""
        clock = self._s.clock
        return Answer(200, {"now": clock.now(), "utc": wire.zulu(clock.now()), "frozen": clock.frozen})

    def put_clock(self, call: Call) -> Answer:
        """Set the time, let it stand still or run: {now, frozen}."""
        body = _ClockBody.model_validate(_json(call))
        clock = self._s.clock
        if body.now is not None:
            clock.set(body.now)
        if body.frozen is not None:
            if body.frozen:
                clock.freeze()
            else:
                clock.run_on()
        return self.clock(call)

    def advance_clock(self, call: Call) -> Answer:
        """Move time ahead by {seconds}."""
        self._s.clock.advance(_AdvanceBody.model_validate(_json(call)).seconds)
        return self.clock(call)

    # -- Tokens

    def tokens(self, call: Call) -> Answer:  # noqa: ARG002
        """Which tokens are accepted; restricted: only those."""
        tokens = self._s.tokens
        return Answer(200, {"restricted": tokens.restricted, "tokens": [asdict(token) for token in tokens.known]})

    def put_tokens(self, call: Call) -> Answer:
        """Accept only known tokens, or any: {restricted}."""
        self._s.tokens.restricted = _TokensBody.model_validate(_json(call)).restricted
        return self.tokens(call)

    def add_token(self, call: Call) -> Answer:
        """Accept a token: {token, publishers, expires_in, audience}."""
        body = _TokenBody.model_validate(_json(call))
        until = None if body.expires_in is None else self._s.clock.now() + body.expires_in
        publishers = None if body.publishers is None else tuple(body.publishers)
        self._s.tokens.add(body.token, publishers=publishers, expires_at=until, audience=body.audience)
        return self.tokens(call)

    def revoke_token(self, call: Call) -> Answer:
        """Accept a token no more: {token}."""
        self._s.tokens.revoke(_TokenBody.model_validate(_json(call)).token)
        return self.tokens(call)

    def expire_token(self, call: Call) -> Answer:
        """Let a token expire, in {expires_in} seconds or now: {token, expires_in}."""
        body = _TokenBody.model_validate(_json(call))
        self._s.tokens.expire(body.token, self._s.clock.now() + (body.expires_in or 0.0))
        return self.tokens(call)

    # -- Entra

    def entra(self, call: Call) -> Answer:  # noqa: ARG002
        """The tenant, its applications and how many tokens each was given; no secret."""
        entra = self._s.entra
        owners = [owner for owner, _ in entra.issued]
        applications = {
            client: {**application.model_dump(exclude={"secrets"}), "issued": owners.count(client)}
            for client, application in entra.applications.items()
        }
        return Answer(200, {"tenant": entra.tenant, "lifetime": entra.lifetime, "applications": applications})

    def patch_entra(self, call: Call) -> Answer:
        """Change how long tokens live, in seconds, or refuse the next with AADSTS codes: {lifetime, refuse_next}."""
        body = _EntraBody.model_validate(_json(call))
        self._s.entra.refuse_next(*body.refuse_next)
        if body.lifetime is not None:
            self._s.entra.lifetime = body.lifetime
        return self.entra(call)

    def put_application(self, call: Call) -> Answer:
        """Add or replace an application: {secrets: {value: until}, certificates, federated, publishers, managed}."""
        self._s.entra.add(call.path_params["client"], **_json(call))
        return self.entra(call)

    def revoke_issued(self, call: Call) -> Answer:
        """Accept the tokens issued to an application so far no more."""
        self._s.entra.revoke(call.path_params["client"])
        return self.entra(call)

    def put_job(self, call: Call) -> Answer:
        """Let a pipeline's job ask for federated tokens with this request token: {issuer, subject, connection}."""
        self._s.entra.jobs[call.path_params["token"]] = Job.model_validate(_json(call))
        return self.entra(call)

    # -- Shapes

    def _set_behaviour(self, call: Call, base: Behaviour) -> Answer:
        behaviour = base.changed(_json(call))
        self._s.world.set_behaviour(*_names(call), behaviour)
        return Answer(200, behaviour.model_dump())

    def _offer_json(self, offer: Offer) -> dict[str, Any]:
        data = asdict(offer)
        return {
            "publisher": offer.publisher_id,
            "offer": offer.offer_id,
            "api": list(offer.apis),
            "product_id": offer.product_id,
            "offer_type": offer.offer_type_id,
            "draft": data["draft"],
            "preview": data["preview"],
            "production": data["production"],
            "etag": wire.etag(offer.stamp),
            "accepted_golives": self._s.world.accepted_golives(offer.publisher_id, offer.offer_id),
            "running": None if offer.running is None else offer.running.id,
            "behaviour": offer.behaviour.model_dump(),
            "operations": [self._operation_json(operation) for operation in offer.operations],
            "jobs": [self._operation_json(job) for job in offer.jobs],
        }

    def _operation_answer(self, operation: Operation) -> Answer:
        return Answer(200, self._operation_json(operation))

    def _operation_json(self, operation: Operation) -> dict[str, Any]:
        return {
            "id": operation.id,
            "kind": operation.kind,
            "offer": f"{operation.publisher_id}/{operation.offer_id}",
            "version": operation.content.version,
            "by": operation.by,
            "status": operation.ending or "running",
            "accepted_at": operation.accepted_at,
            "ended_at": operation.ended_at,
            "failure": operation.failure,
            "polls": operation.polls,
            "position": operation.position(self._s.clock.now()),
            "steps": operation.path_length,
        }


def _names(call: Call) -> tuple[str, str]:
    return call.path_params["publisher"], call.path_params["offer"]


def _json(call: Call, ignore: tuple[str, ...] = ()) -> dict[str, Any]:
    return {key: value for key, value in call.json_object().items() if key not in ignore}


def _filters(call: Call) -> dict[str, Any]:
    status, after = call.one("status"), call.one("after")
    return {
        "method": call.one("method"),
        "path": call.one("path"),
        "status": None if status is None else int(status),
        "after": int(after or 0),
    }

"""Whatever the switches, the three APIs stay true: histories made up by Hypothesis, over every combination of unknowns.

No call breaks, the count of go-lives is that of the operations begun through an API, one operation runs at a time, and
what the lists say in the end is what is true.
"""

from __future__ import annotations

import json
import types
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from simulator import InMemory, OfferSpec, Scenario, Simulation, SimulatorClock
from simulator.behaviour import Behaviour, PartnerCenter, ProductIngestion
from simulator.http_terms import Answer
from simulator.world import Api, Offer
from tests.simulator.publisher_client import NOW
from tests.simulator.siblings import SCHEMA, VERSION

APIS: tuple[Api, ...] = ("cloudPartnerPortal", "productIngestion", "partnerCenter")
INGESTION, CENTER, PORTAL = "/rp/product-ingestion", "/v1.0/ingestion", "/api/publishers/contoso/offers/vm"
NO_SWITCH = ("location_host",)


def switches(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Any values for the switches of a model that have but a few."""
    found: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) if get_origin(field.annotation) in (Union, types.UnionType) else ()
        for kind in kinds or (field.annotation,):
            if get_origin(kind) is Literal:
                found[name] = st.sampled_from(get_args(kind))
            elif kind is bool:
                found[name] = st.booleans()
    found.pop("accept_code", None)  # shared by all: 200 or 202
    return st.fixed_dictionaries({}, optional=found)


def behaviours() -> st.SearchStrategy[dict[str, Any]]:
    mode = st.sampled_from(["at once", "by time", "by polls", "held"])
    progress = st.fixed_dictionaries(
        {"mode": mode, "ends": st.sampled_from(["succeeded", "succeeded", "failed", "canceled"])},
        optional={"fails_at": st.sampled_from(["displaycertify", "live"])},
    )
    more = st.fixed_dictionaries(
        {},
        optional={
            "listing_lag_seconds": st.sampled_from([0.0, 5.0]),
            "listing_lag_reads": st.integers(0, 2),
            "fresh_404_reads": st.integers(0, 2),
            "not_started_reads": st.integers(0, 2),
        },
    )
    siblings = st.fixed_dictionaries(
        {
            "golive": progress,
            "publish": progress,
            "edit": progress,
            "product_ingestion": switches(ProductIngestion),
            "partner_center": switches(PartnerCenter),
        }
    )
    return st.tuples(switches(Behaviour), more, siblings).map(lambda parts: {**parts[0], **parts[1], **parts[2]})


ACTIONS = [
    "go live by the portal", "go live by ingestion", "go live by the center", "publish by the portal",
    "publish by ingestion", "publish by the center", "edit", "delete", "cancel", "finish", "time", "by hand",
]  # fmt: skip


class History:
    def __init__(self, behaviour: dict[str, Any]) -> None:
        self.now = NOW
        spec = OfferSpec(offer="contoso/vm", api=APIS, preview=7, production=6, behaviour=behaviour)
        self.simulation = Simulation(Scenario(offers=[spec]), clock=SimulatorClock(real=lambda: self.now))
        self.memory = InMemory(self.simulation)
        self.jobs: list[str] = []

    @property
    def offer(self) -> Offer:
        return self.simulation.world.offer("contoso", "vm")

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        answer = self.memory.ask(method, path, token="t", body=b"" if body is None else json.dumps(body).encode())
        assert answer.status < 500, answer
        assert answer.text is not None or answer.body is None or json.loads(answer.content) == answer.body
        return answer

    def configure(self, **resource: Any) -> None:
        product = f"product/{self.offer.product_id}"
        body = {"$schema": f"{SCHEMA}/configure/{VERSION}", "resources": [{"product": product, **resource}]}
        answer = self.ask("POST", f"{INGESTION}/configure?$version={VERSION}", body)
        if isinstance(answer.body, dict) and answer.status in (200, 202):
            self.jobs.append(str(answer.body.get("jobId") or answer.body["jobID"]))

    def act(self, action: str) -> None:
        offer, world = self.offer, self.simulation.world
        guid, newest = offer.product_id, offer.newest
        number = newest.version if newest is not None else 1
        submission = f"{SCHEMA}/submission/{VERSION}"
        center = f"{CENTER}/products/{guid}/submissions"
        running = offer.running
        if action == "go live by the portal":
            self.ask("POST", f"{PORTAL}/golive?api-version=2017-10-31")
        elif action == "go live by ingestion":
            live = {"target": {"targetType": "live"}, "id": f"submission/{guid}/{number}"}
            self.configure(**{"$schema": submission, **live})
        elif action == "go live by the center":
            self.ask("POST", f"{center}/{number}/promote")
        elif action == "publish by the portal":
            self.ask("POST", f"{PORTAL}/publish?api-version=2017-10-31", {"metadata": {"notification-emails": "a@b"}})
        elif action == "publish by ingestion":
            self.configure(**{"$schema": submission, "target": {"targetType": "preview"}})
        elif action == "publish by the center":
            scope = [{"type": "Scope", "value": "preview"}]
            self.ask("POST", center, {"resourceType": "SubmissionCreationRequest", "targets": scope})
        elif action == "edit":
            self.configure(**{"$schema": f"{SCHEMA}/listing/{VERSION}", "title": "Another"})
        elif action == "delete":
            self.ask("DELETE", f"{center}/{offer.last_version}")
        elif action == "cancel" and self.jobs:
            self.ask("POST", f"{INGESTION}/configure/{self.jobs[-1]}/cancel")
        elif action == "finish" and running is not None:
            world.end(running.id, "succeeded")
        elif action == "by hand" and running is None:
            world.put_in_preview("contoso", "vm")
        self.now += 7.0 if action == "time" else 1.0

    def read(self) -> None:
        guid, version = self.offer.product_id, self.offer.last_version
        for path in ("", "/status", "/submissions", "/slot/preview", "/slot/production"):
            self.ask("GET", f"{PORTAL}{path}?api-version=2017-10-31")
        for path in (f"submission/{guid}", f"submission/{guid}/{version}", f"resource-tree/product/{guid}"):
            self.ask("GET", f"{INGESTION}/{path}?$version={VERSION}")
        for job in self.jobs[-2:]:
            self.ask("GET", f"{INGESTION}/configure/{job}/status")
            self.ask("GET", f"{INGESTION}/configure/{job}")
        for path in ("", *(f"/{version}{verb}" for verb in ("", "/workflowdetails", "/validations", "/reports"))):
            self.ask("GET", f"{CENTER}/products/{guid}/submissions{path}")

    def check(self) -> None:
        offer = self.offer
        begun = [o for o in offer.operations if o.kind == "golive" and o.by == "api"]
        assert self.simulation.world.accepted_golives("contoso", "vm") == len(begun)
        running = [o for o in offer.submissions if o.ended_at is None and o.awaiting_signoff_since is None]
        assert len(running) <= 1

    def check_lists(self) -> None:
        """Once nothing lags behind any more: what is live and what runs is listed, as itself."""
        b = self.offer.behaviour
        self.now += 100.0  # what goes by time has ended by then, and so, after some polls, what goes by them
        for _ in range(4 + b.listing_lag_reads):
            self.now += b.listing_lag_seconds + 1.0
            listed = self.ask("GET", f"{INGESTION}/submission/{self.offer.product_id}?$version={VERSION}").body
            center = self.ask("GET", f"{CENTER}/products/{self.offer.product_id}/submissions").body
        assert isinstance(listed, dict)
        assert isinstance(center, dict)
        offer = self.offer
        lives = {
            (one["id"].rpartition("/")[2], one["result"].lower())
            for one in listed["value"]
            if one["target"]["targetType"] == "live"
        }
        newest = next((o for o in reversed(offer.operations) if o.kind == "golive"), None)
        if newest is not None and newest.ended_at is None:
            assert (str(newest.number), "pending") in lives
        elif offer.production is not None and (newest is None or newest.ending == "succeeded"):
            assert (str(offer.production.version), "succeeded") in lives
            assert not {result for _, result in lives} - {"succeeded"}
        running = offer.running
        if running is not None and running.kind == "golive":
            [state] = [one["substate"] for one in center["value"] if one["id"] == str(running.content.version)]
            assert state == b.partner_center.publishing_substate


@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(behaviour=behaviours(), actions=st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_whatever_the_switches_the_apis_stay_true(behaviour: dict[str, Any], actions: list[str]) -> None:
    history = History(behaviour)
    for action in actions:
        history.act(action)
        history.read()
        history.check()
    history.check_lists()
    text = json.dumps(history.simulation.world.to_json())
    history.simulation.world.load_json(json.loads(text))
    assert json.dumps(history.simulation.world.to_json()) == text
    history.read()
    history.check_lists()

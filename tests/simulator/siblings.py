"""A publisher's client of the portal's successors, without sockets: one offer, contoso/vm, at a standing clock."""

from __future__ import annotations

import json
from typing import Any

from simulator import InMemory, Simulation
from simulator.behaviour import Behaviour
from simulator.http_terms import Answer
from simulator.world import Api, Offer
from tests.simulator.publisher_client import NOW

SCHEMA = "https://schema.mp.microsoft.com/schema"
VERSION = "2022-03-01-preview2"


class Sibling:
    """`base`: of its addresses. `offer`: contoso/vm, made by `add`."""

    base: str
    api: Api

    def __init__(self) -> None:
        self.simulation = Simulation()
        self.simulation.clock.freeze(NOW)
        self.world, self.clock = self.simulation.world, self.simulation.clock
        self.memory = InMemory(self.simulation)
        self.offer: Offer

    def add(
        self,
        *,
        preview: int | None = 7,
        production: int | None = 6,
        apis: tuple[Api, ...] | None = None,
        offer_type: str | None = None,
        publisher: str = "contoso",
        name: str = "vm",
        **behaviour: Any,
    ) -> Offer:
        """An offer whose go-live is held, unless told otherwise."""
        self.offer = self.world.add_offer(
            publisher,
            name,
            preview=preview,
            production=production,
            behaviour=Behaviour().changed({"mode": "held", **behaviour}),
            offer_type_id=offer_type,
            apis=apis or (self.api,),
        )
        return self.offer

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "t",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.memory.ask(method, self.base + path, body=sent, token=token, headers=headers)

    def get(self, path: str) -> Any:
        """The JSON of a 200."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.body

    @property
    def accepted(self) -> int:
        return self.world.accepted_golives("contoso", "vm")

    def running(self) -> str:
        """The id of the operation that runs."""
        operation = self.offer.running
        assert operation is not None
        return operation.id


class Ingestion(Sibling):
    """Of Graph's product ingestion."""

    base = "/rp/product-ingestion"
    api: Api = "productIngestion"

    @property
    def guid(self) -> str:
        return self.offer.product_id

    def configure(self, *resources: dict[str, Any], schema: str = f"{SCHEMA}/configure/{VERSION}") -> Answer:
        body = {"$schema": schema, "resources": list(resources)}
        return self.ask("POST", f"/configure?$version={VERSION}", body)

    def submission(self, target: str, number: int | None = None, **more: Any) -> dict[str, Any]:
        """The resource that asks for a push."""
        body: dict[str, Any] = {
            "$schema": f"{SCHEMA}/submission/{VERSION}",
            "product": f"product/{self.guid}",
            "target": {"targetType": target},
        }
        if number is not None:
            body["id"] = f"submission/{self.guid}/{number}"
        return body | more

    def go_live(self, number: int = 7) -> str:
        """The job of an accepted go-live."""
        answer = self.configure(self.submission("live", number))
        assert answer.status == 202, answer
        assert isinstance(answer.body, dict)
        return str(answer.body["jobId"])

    def job(self, job: str) -> Any:
        return self.get(f"/configure/{job}/status")

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/submission/{self.guid}{query}")["value"]
        return found

    def entries(self) -> list[str]:
        """The submissions listed, in short: `live 7 running`."""
        return [
            " ".join([one["target"]["targetType"], one["id"].rpartition("/")[2], one.get("result", "-")])
            for one in self.listed()
        ]


class Center(Sibling):
    """Of Partner Center's ingestion API."""

    base = "/v1.0/ingestion"
    api: Api = "partnerCenter"

    @property
    def product(self) -> str:
        return f"/products/{self.offer.product_id}"

    def of(self, number: int, verb: str = "") -> str:
        return f"{self.product}/submissions/{number}{verb}"

    def promote(self, number: int = 7) -> Answer:
        return self.ask("POST", self.of(number, "/promote"))

    def submission(self, number: int = 7) -> Any:
        return self.get(self.of(number))

    def state(self, number: int = 7) -> str:
        one = self.submission(number)
        return f"{one['state']} {one['substate']}"

    def listed(self) -> list[str]:
        """In short: `7 Published ReadyToPublish`."""
        found = self.get(f"{self.product}/submissions")["value"]
        return [f"{one['id']} {one['state']} {one['substate']}" for one in found]

"""What the three APIs share: one truth, one count of go-lives, one control address, the same faults, the same file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Fault, InMemory, OfferSpec, Scenario, ScenarioError, Simulation, Simulator, SimulatorClock, World
from simulator.addresses import offer_of
from simulator.behaviour import is_switch
from simulator.scenario import load, parse, parse_offer
from simulator.world import Api
from tests.simulator.publisher_client import NOW, Client
from tests.simulator.siblings import SCHEMA, VERSION

INGESTION = "/rp/product-ingestion"
CENTER = "/v1.0/ingestion"
PORTAL = "/api/publishers/contoso/offers/vm"
TRACE = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-00")  # new in every answer
GUID = "0b5b0f3e-2f5f-4c55-9a0e-6f0f5b8f7a11"


def configure(guid: str, number: int = 7) -> dict[str, Any]:
    submission = {
        "$schema": f"{SCHEMA}/submission/{VERSION}",
        "id": f"submission/{guid}/{number}",
        "product": f"product/{guid}",
        "target": {"targetType": "live"},
    }
    return {"$schema": f"{SCHEMA}/configure/{VERSION}", "resources": [submission]}


def go_live(client: Client, api: str, guid: str, **more: Any) -> requests.Response:
    if api == "productIngestion":
        return client.ask("POST", f"{INGESTION}/configure", query={}, json=configure(guid), **more)
    if api == "partnerCenter":
        return client.ask("POST", f"{CENTER}/products/{guid}/submissions/7/promote", query={}, **more)
    return client.post("/golive", **more)


def watch(client: Client, api: str, guid: str, operation: str) -> requests.Response:
    if api == "productIngestion":
        return client.ask("GET", f"{INGESTION}/configure/{operation}/status", query={})
    if api == "partnerCenter":
        return client.ask("GET", f"{CENTER}/products/{guid}/submissions/7", query={})
    return client.get(f"/operations/{operation}")


APIS: tuple[Api, ...] = ("cloudPartnerPortal", "productIngestion", "partnerCenter")
each_api = pytest.mark.parametrize("api", APIS)


@each_api
class TestOverHttp:
    def test_a_go_live_is_counted_held_and_finished_by_the_control_address(
        self, simulator: Simulator, client: Client, api: Any
    ) -> None:
        offer = simulator.add_offer("contoso", "vm", preview=7, production=6, api=api, mode="held")
        assert go_live(client, api, offer.product_id).ok
        truth = client.control("GET", "/offers/contoso/vm").json()
        assert (truth["accepted_golives"], truth["api"], truth["product_id"]) == (1, [api], offer.product_id)
        before = watch(client, api, offer.product_id, truth["running"])
        assert before.status_code == 200
        finished = client.control("POST", f"/operations/{truth['running']}/finish").json()
        assert (finished["kind"], finished["status"]) == ("golive", "succeeded")
        after = watch(client, api, offer.product_id, truth["running"])
        assert after.json() != before.json()
        assert client.control("GET", "/offers/contoso/vm").json()["production"]["version"] == 7

    def test_one_begun_by_hand_is_seen_and_not_counted(self, simulator: Simulator, client: Client, api: Any) -> None:
        offer = simulator.add_offer("contoso", "vm", preview=7, api=api, mode="held", refuses_by="answer")
        client.control("POST", "/offers/contoso/vm/golive")
        assert go_live(client, api, offer.product_id).status_code == 409
        assert simulator.world.accepted_golives("contoso", "vm") == 0

    def test_a_new_preview_by_the_control_address(self, simulator: Simulator, client: Client, api: Any) -> None:
        simulator.add_offer("contoso", "vm", preview=2**60 + 1, api=api)
        assert client.control("POST", "/offers/contoso/vm/preview", {}).json()["version"] == 2**60 + 2

    @pytest.mark.parametrize("kind", ["error", "reset_peer", "truncated"])
    def test_a_fault_of_an_offer_strikes_its_go_live_alone(
        self, simulator: Simulator, client: Client, api: Any, kind: str
    ) -> None:
        """Each API names an offer in its own way; the answer is lost, and the go-live is not."""
        other = simulator.add_offer("contoso", "other", preview=7, api=api, mode="held")
        offer = simulator.add_offer("contoso", "vm", preview=7, api=api, mode="held")
        fault = Fault(kind=kind, offer="contoso/vm", method="POST", when="after", count=1)  # type: ignore[arg-type]
        with simulator.simulation.lock:
            simulator.faults.replace([fault])
        if api != "cloudPartnerPortal":
            assert go_live(client, api, other.product_id).ok
        try:
            assert go_live(client, api, offer.product_id).status_code == (500 if kind == "error" else 202)
        except requests.RequestException:
            assert kind != "error"
        assert simulator.world.accepted_golives("contoso", "vm") == 1
        assert [fired.match for fired in simulator.faults.log] == [1]

    def test_in_memory_it_says_what_it_says_over_http(self, simulator: Simulator, client: Client, api: Any) -> None:
        offer = simulator.add_offer("contoso", "vm", preview=7, production=6, api=api, mode="held", error_form="text")
        memory = InMemory(simulator.simulation)
        guid = offer.product_id
        paths = {
            "cloudPartnerPortal": [PORTAL + "/slot/preview?api-version=2017-10-31", PORTAL + "/nothing"],
            "productIngestion": [f"{INGESTION}/submission/{guid}", f"{INGESTION}/submission/x"],
            "partnerCenter": [f"{CENTER}/products/{guid}/submissions", f"{CENTER}/products/{guid}/submissions/9"],
        }[api]
        for path in paths:
            answer = memory.ask("GET", simulator.url + path, token="t")
            over_http = client.ask("GET", path, query={})
            assert answer.status == over_http.status_code
            assert TRACE.sub(b"", answer.content) == TRACE.sub(b"", over_http.content)

    def test_everything_is_kept_over_a_restart(self, tmp_path: Path, api: Any) -> None:
        spec = OfferSpec(offer="contoso/vm", api=api, preview=7, production=6, behaviour={"mode": "held"})
        state = tmp_path / "state.json"
        before = Simulation(Scenario(offers=[spec]), state)
        guid = before.world.offers["contoso/vm"].product_id
        with Simulator(simulation=before) as first:
            assert go_live(Client(first), api, guid).ok
            operation = first.world.offer("contoso", "vm").running
            assert operation is not None
        with Simulator(simulation=Simulation(Scenario(offers=[spec]), state)) as second:
            again = watch(Client(second), api, guid, operation.id)
            assert (again.status_code, second.world.accepted_golives("contoso", "vm")) == (200, 1)
            second.world.end(operation.id, "succeeded")
            assert "7" in watch(Client(second), api, guid, operation.id).text


class TestOffersOfSeveralApis:
    @pytest.fixture
    def memory(self) -> InMemory:
        spec = OfferSpec(offer="contoso/vm", api=APIS, preview=7, production=6, behaviour={"mode": "at once"})
        simulation = Simulation(Scenario(offers=[spec]))
        simulation.clock.freeze(NOW)
        return InMemory(simulation)

    def test_what_one_took_live_is_live_in_all(self, memory: InMemory) -> None:
        """One stack can move an offer from one API to the next: the truth is the same."""
        guid = memory.simulation.world.offers["contoso/vm"].product_id
        body = json.dumps(configure(guid)).encode()
        assert memory.ask("POST", f"{INGESTION}/configure", body=body, token="t").status == 202
        slot = memory.ask("GET", f"{PORTAL}/slot/production?api-version=2017-10-31", token="t").body
        center = memory.ask("GET", f"{CENTER}/products/{guid}/submissions", token="t").body
        assert isinstance(slot, dict)
        assert isinstance(center, dict)
        assert slot["version"] == 7
        assert [(one["id"], one["substate"]) for one in center["value"]] == [("7", "InStore")]

    def test_the_portal_does_not_know_what_others_publish(self, memory: InMemory) -> None:
        """Section 0 [D]: new products use the newer APIs; a 404 is a guess [G]."""
        memory.simulation.world.add_offer("contoso", "vm", apis=("productIngestion",))
        for path in (PORTAL, PORTAL + "/status", "/api/operations/contoso$vm$1$preview"):
            assert memory.ask("GET", path + "?api-version=2017-10-31", token="t").status == 404
        listed = memory.ask("GET", "/api/publishers/contoso/offers?api-version=2017-10-31", token="t")
        assert listed.body == []


class TestSetting:
    def test_an_offer_of_the_command_line(self) -> None:
        spec = parse_offer(f"contoso/vm:api=productIngestion+partnerCenter,product_id={GUID},refuses_by=answer")
        assert (spec.api, spec.product_id) == (("productIngestion", "partnerCenter"), GUID)
        assert spec.behaviour == {"refuses_by": "answer"}
        assert Scenario().behaviour_of(spec).product_ingestion.refuses_by == "answer"

    @pytest.mark.parametrize(
        "text", ["contoso/vm:api=graph", "contoso/vm:product_id=7", "contoso/vm:product_ingestion.mood=bad"]
    )
    def test_a_wrong_one_is_an_error(self, text: str) -> None:
        with pytest.raises(ScenarioError):
            Scenario().behaviour_of(parse_offer(text))

    @pytest.mark.parametrize("api", ["partnerCenter", ["partnerCenter"]])
    def test_an_offer_of_a_scenario(self, tmp_path: Path, api: Any) -> None:
        path = tmp_path / "scenario.yaml"
        behaviour = {"partner_center": {"promote_unready": 400}, "workflow_entries": 3, "seconds": 9}
        path.write_text(json.dumps({"offers": [{"offer": "contoso/app", "api": api, "behaviour": behaviour}]}))
        simulation = Simulation(load(path))
        offer = simulation.world.offers["contoso/app"]
        assert offer.apis == ("partnerCenter",)
        assert offer.offer_type_id == "microsoft-azure-applications"
        b = offer.behaviour
        assert (b.partner_center.promote_unready, b.partner_center.workflow_entries, b.golive.seconds) == (400, 3, 9)

    def test_a_group_is_merged_and_not_replaced(self) -> None:
        scenario = parse({"defaults": {"job_id_name": "jobID"}})
        spec = OfferSpec(offer="a/b", behaviour={"product_ingestion": {"words": "pascal"}})
        p = scenario.behaviour_of(spec).product_ingestion
        assert (p.job_id_name, p.words) == ("jobID", "pascal")

    def test_by_the_control_address(self, client: Client) -> None:
        body = {"api": ["productIngestion", "partnerCenter"], "offer_type": "AzureContainer", "product_id": GUID}
        made = client.control("PUT", "/offers/contoso/vm", body).json()
        assert (made["api"], made["product_id"]) == (["productIngestion", "partnerCenter"], GUID)
        found = client.ask("GET", f"{INGESTION}/product?externalId=vm", query={}).json()["value"]
        assert [(one["id"], one["type"]) for one in found] == [(f"product/{GUID}", "azureContainer")]
        assert client.control("PUT", "/offers/contoso/vm", {"api": "graph"}).status_code == 400
        assert client.control("PATCH", "/offers/contoso/vm/behaviour", {"live_entries": "three"}).status_code == 400

    def test_submissions_numbers_only_grow(self, simulator: Simulator, client: Client) -> None:
        """2.4, 3.4: the newest is told by its number."""
        simulator.add_offer("contoso", "vm", preview=7, api="productIngestion")
        assert client.control("POST", "/offers/contoso/vm/preview", {"version": 7}).status_code == 400

    def test_a_token_for_one_api(self, simulator: Simulator, client: Client) -> None:
        """2.1, 3.1 [D]: each API's tokens are for its own audience."""
        client.control("POST", "/tokens", {"token": "graph's", "audience": "https://graph.microsoft.com"})
        paths = {f"{INGESTION}/product": 200, f"{CENTER}/products": 401, "/api/publishers?api-version=2017-10-31": 401}
        for path, status in paths.items():
            assert client.ask("GET", path, query={}, token="graph's").status_code == status

    @pytest.mark.parametrize(
        ("resource", "path"),
        [
            ("https://graph.microsoft.com/", f"{INGESTION}/product"),
            ("https://api.partner.microsoft.com", f"{CENTER}/products"),
        ],
    )
    @pytest.mark.parametrize("form", ["v1", "v2"])
    def test_tokens_of_the_token_endpoint(
        self, simulator: Simulator, client: Client, resource: str, path: str, form: str
    ) -> None:
        """2.1, 3.1 [D private-offers-api, O suse]: both forms, and the v1 sample's slash at the end."""
        simulator.entra.add("an-app", secrets={"s3cr3t": None})
        body = {"grant_type": "client_credentials", "client_id": "an-app", "client_secret": "s3cr3t"}
        tenant = simulator.entra.tenant
        if form == "v1":
            url, more = f"/{tenant}/oauth2/token", {"resource": resource}
        else:
            url, more = f"/{tenant}/oauth2/v2.0/token", {"scope": resource.rstrip("/") + "/.default"}
        answer = client.session.post(simulator.url + url, data={**body, **more}, timeout=5)
        token = answer.json()["access_token"]
        assert client.ask("GET", path, query={}, token=token).status_code == 200


class TestDocuments:
    ROOT = Path(__file__).parents[2]

    def test_the_readmes_scenario_is_one(self, tmp_path: Path) -> None:
        text = (self.ROOT / "simulator/README.md").read_text(encoding="utf-8")
        path = tmp_path / "scenario.yaml"
        path.write_text(text.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
        assert len(load(path).offers) == 3

    def test_the_readmes_offers_are_some(self) -> None:
        text = (self.ROOT / "simulator/README.md").read_text(encoding="utf-8")
        offers = re.findall(r"--offer (\S+)", text)
        assert {spec.api for spec in map(parse_offer, offers)} == {(api,) for api in APIS}

    def test_the_example_has_an_offer_of_each_api(self) -> None:
        scenario = load(self.ROOT / "examples/local-scenario.yaml")
        assert {spec.api for spec in scenario.offers} == {(api,) for api in APIS}

    def test_the_table_of_unknowns_names_switches(self) -> None:
        """docs/successor-apis.md, section 4."""
        text = (self.ROOT / "docs/successor-apis.md").read_text(encoding="utf-8")
        table = text.partition("## 4.")[2].partition("## 5.")[0]
        named = set(re.findall(r"`(\w+)`", table))
        assert named
        assert all(is_switch(name) for name in named)


class TestAddresses:
    @pytest.fixture
    def world(self) -> World:
        world = World(SimulatorClock(frozen_at=NOW))
        world.add_offer("contoso", "vm", preview=7, apis=("productIngestion", "partnerCenter"), product_id=GUID)
        return world

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            (PORTAL + "/golive", ""),
            ("/api/operations/contoso$vm$7$preview", ""),
            (f"{INGESTION}/submission/{GUID}", ""),
            (f"{INGESTION}/resource-tree/product/{GUID.upper()}", "targetType=draft"),
            (f"{INGESTION}/product", "$version=x&externalId=vm"),
            (f"{CENTER}/products", "%24filter=externalIDs%2FAny(i%3Ai%2Ftype+eq+'AzureOfferId'+and+i%2Fvalue+eq+'vm')"),
            (f"{CENTER}/products/{GUID}/submissions/7/promote", ""),
        ],
    )
    def test_an_offer_is_known_by_what_an_address_names(self, world: World, path: str, query: str) -> None:
        assert offer_of(world, path, query) == "contoso/vm"

    def test_by_a_job_and_by_a_payload(self, world: World) -> None:
        job = world.golive("contoso", "vm").id
        assert offer_of(world, f"{INGESTION}/configure/{job}/status") == "contoso/vm"
        body = json.dumps(configure(GUID)).encode()
        assert offer_of(world, f"{INGESTION}/configure", "", body) == "contoso/vm"

    @pytest.mark.parametrize("path", ["/", f"{INGESTION}/configure", f"{INGESTION}/submission/{GUID[::-1]}"])
    def test_or_not_at_all(self, world: World, path: str) -> None:
        assert offer_of(world, path) is None

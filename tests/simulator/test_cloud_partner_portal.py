"""The API as a publisher's client meets it over HTTP. Each test names the fact that it checks."""

from __future__ import annotations

import re
import socket

import pytest

from simulator import Simulator
from tests.simulator.publisher_client import NOW, Client

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture(autouse=True)
def _offer(simulator: Simulator) -> None:
    simulator.add_offer("contoso", "vm", preview=7, production=6, mode="held")


class TestAcceptance:
    def test_an_accepted_golive_is_202_with_an_empty_body(self, client: Client) -> None:
        """ORIG/go-live [D-old]: 202; the body is empty [I OSA]."""
        answer = client.post("/golive")
        assert (answer.status_code, answer.content) == (202, b"")
        assert answer.headers["Content-Length"] == "0"

    def test_its_location_is_relative_and_carries_the_api_version(self, client: Client) -> None:
        """NEW/go-live [D-new], MASH and SUSE [I]: Location, a relative path with api-version."""
        location = client.post("/golive").headers["Location"]
        assert re.fullmatch(client.offer + rf"/operations/{GUID}\?api-version=2017-10-31", location)

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b'{"metadata":{}}', b'{"metadata":{"notification-emails":"a@b,c@d"}}']
    )
    def test_every_body_that_clients_send_is_accepted(self, client: Client, body: bytes) -> None:
        """portal-api 2.1: no body, an empty one, or metadata: all accepted in practice [I]."""
        assert client.post("/golive", data=body).status_code == 202

    def test_a_malformed_body_is_400(self, client: Client) -> None:
        """ORIG/go-live [D-old]: 400 malformed, more in the body."""
        answer = client.post("/golive", data=b"{'metadata':")
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]

    def test_no_such_offer_or_publisher_is_404(self, client: Client) -> None:
        """ORIG/go-live [D-old]: 404 no such entity."""
        for offer in ("contoso/offers/other", "other/offers/vm"):
            answer = client.ask("POST", f"/api/publishers/{offer}/golive")
            assert answer.status_code == 404
            assert set(answer.json()["error"]) == {"code", "message"}

    def test_a_post_without_a_content_length_is_411(self, simulator: Simulator) -> None:
        """portal-api 2.1: IIS answers 411 [G]."""
        host, port = simulator.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            path = "/api/publishers/contoso/offers/vm/golive?api-version=2017-10-31"
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\r\n".encode())
            assert sock.recv(1000).startswith(b"HTTP/1.1 411")
        assert simulator.world.accepted_golives("contoso", "vm") == 0

    def test_a_cancel_is_202_with_a_location_whatever_runs(self, client: Client) -> None:
        """OSA [O]: 202 whether or not there was anything to cancel."""
        answer = client.post("/cancel")
        assert answer.status_code == 202
        assert client.follow(answer)["status"] == "completed"


class TestLocationForms:
    @pytest.mark.parametrize(
        ("switch", "names"),
        [
            ("Location", {"location"}),
            ("operation-location", {"operation-location"}),
            ("both", {"location", "operation-location"}),
            ("none", set()),
        ],
    )
    def test_the_header(self, client: Client, simulator: Simulator, switch: str, names: set[str]) -> None:
        """portal-api 2.1: ORIG says Operation-Location, NEW says Location."""
        simulator.add_offer("contoso", "vm", location_header=switch)
        headers = {name.lower() for name in client.post("/golive").headers}
        assert headers & {"location", "operation-location"} == names

    def test_absolute_without_the_api_version(self, client: Client, simulator: Simulator) -> None:
        """ORIG/go-live [D-old]: an absolute URL without api-version."""
        simulator.add_offer("contoso", "vm", location_form="absolute", location_api_version=False)
        location = client.post("/golive").headers["Location"]
        assert re.fullmatch(re.escape(simulator.url + client.offer) + f"/operations/{GUID}", location)

    def test_the_dollar_form_can_be_read(self, client: Client, simulator: Simulator) -> None:
        """NEW/go-live [D-new]: non-migrated offers have /api/operations/{publisher}${offer}${n}${slot}."""
        simulator.add_offer("contoso", "vm", preview=7, mode="held", location_id="dollar")
        answer = client.post("/golive")
        assert answer.headers["Location"] == "/api/operations/contoso$vm$7$preview?api-version=2017-10-31"
        assert client.follow(answer)["status"] == "running"

    def test_a_hostile_portal_names_another_host(self, client: Client, simulator: Simulator) -> None:
        simulator.add_offer("contoso", "vm", location_host="https://attacker.example")
        assert client.post("/golive").headers["Location"].startswith("https://attacker.example/api/")

    def test_200_can_stand_for_202(self, client: Client, simulator: Simulator) -> None:
        """MASH's tests mock it so [I]."""
        simulator.add_offer("contoso", "vm", accept_code=200)
        assert client.post("/golive").status_code == 200


class TestGroundRules:
    @pytest.mark.parametrize("query", [{}, {"api-version": "2099-01-01"}, {"api-version": ""}])
    def test_the_api_version_is_checked_before_anything(self, client: Client, query: dict[str, str]) -> None:
        """considerations [D]: an unknown api-version is 400 InvalidAPIVersion; a missing one the same [G]."""
        answer = client.ask("GET", "/api/publishers/none/offers/none", token=None, query=query)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "InvalidAPIVersion"

    def test_two_api_versions_are_none(self, client: Client) -> None:
        answer = client.get("?api-version=2017-10-31&api-version=2017-10-31")
        assert answer.json()["error"]["code"] == "InvalidAPIVersion"

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic dDp0"}])
    def test_without_a_bearer_token_401(self, client: Client, headers: dict[str, str]) -> None:
        """considerations [D]: no Authorization is 401."""
        answer = client.post("/golive", token=None, headers=headers)
        assert answer.status_code == 401
        assert client.simulator.world.accepted_golives("contoso", "vm") == 0

    def test_a_restricted_portal_takes_known_tokens_only(self, client: Client, simulator: Simulator) -> None:
        simulator.tokens.restricted = True
        simulator.tokens.add("good", expires_at=NOW + 60)
        assert client.get(token="bad").status_code == 401
        assert client.get(token="good").status_code == 200
        simulator.clock.advance(60)
        assert client.get(token="good").status_code == 401

    def test_a_token_without_rights_is_403_with_the_observed_text(
        self, client: Client, simulator: Simulator
    ) -> None:
        """azure-docs#35403, AZPC [O]."""
        simulator.tokens.add("fabrikam's", publishers=("fabrikam",))
        answer = client.post("/golive", token="fabrikam's")
        expected = {"code": "Forbidden", "message": "User does not have the required permissions"}
        assert (answer.status_code, answer.json()) == (403, {"error": expected})

    def test_the_headers_are_those_of_the_service(self, client: Client) -> None:
        """PUB's readme [O]."""
        headers = client.get().headers
        assert headers["Server"] == "Microsoft-IIS/10.0"
        assert headers["Transfer-Encoding"] == "chunked"
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert re.fullmatch(GUID, headers["X-Ms-Correlation-Request-Id"])

    def test_each_answer_has_its_own_correlation_id(self, client: Client) -> None:
        ids = {client.get().headers["X-Ms-Correlation-Request-Id"] for _ in range(2)}
        assert len(ids) == 2

    def test_an_unknown_path_is_404_and_never_a_redirect(self, client: Client) -> None:
        assert client.ask("GET", "/api/nonsense/").status_code == 404


class TestOperations:
    def test_an_operation_is_an_object_with_the_documented_members(self, client: Client) -> None:
        """retrieve-operations [D]; an object, not the docs' array [O/I]."""
        operation = client.follow(client.post("/golive"))
        assert operation["status"] == "running"
        assert set(operation) == {
            "status",
            "messages",
            "publishingVersion",
            "offerVersion",
            "cancellationRequestState",
            "steps",
            "previewLinks",
            "liveLinks",
            "notificationEmails",
        }

    def test_it_has_the_documented_steps(self, client: Client) -> None:
        """retrieve-operations, sample [D]: six steps; the signoff has no estimate."""
        steps = client.follow(client.post("/golive"))["steps"]
        assert [step["id"] for step in steps] == [
            "displaydummycertify",
            "displaycertify",
            "displayprovision",
            "displaypackage",
            "publisher-signoff",
            "live",
        ]
        assert "estimatedTimeFrame" not in steps[4]
        assert [step["status"] for step in steps] == ["inProgress"] + ["notStarted"] * 5

    def test_its_times_have_seven_digits(self, client: Client) -> None:
        """retrieve-operations [D]: ISO 8601, UTC, 6 to 7 digits."""
        step = client.follow(client.post("/golive"))["steps"][0]
        assert step["messages"][0]["timestamp"] == "2020-09-13T12:26:40.0000000Z"

    def test_steps_advance_with_time(self, client: Client, simulator: Simulator) -> None:
        simulator.add_offer("contoso", "vm", mode="by time", seconds=60)
        accepted = client.post("/golive")
        simulator.clock.advance(25)
        steps = client.follow(accepted)["steps"]
        seen = [(step["status"], step["progressPercentage"]) for step in steps[:4]]
        assert seen == [("complete", 100), ("complete", 100), ("inProgress", 50), ("notStarted", 0)]
        simulator.clock.advance(35)
        assert client.follow(accepted)["status"] == "completed"

    def test_a_blocked_step_stands_in_a_running_operation(self, client: Client, simulator: Simulator) -> None:
        """retrieve-operations, sample [D]: certification blocked, with an error, status running."""
        simulator.add_offer("contoso", "vm", mode="held", blocked_at="displaydummycertify")
        operation = client.follow(client.post("/golive"))
        assert (operation["status"], operation["steps"][0]["status"]) == ("running", "blocked")
        assert operation["steps"][0]["messages"][0]["level"] == "error"

    def test_a_failed_operation_says_why_in_html(self, client: Client, simulator: Simulator) -> None:
        """retrieve-operations [D]: messageHtml, level error."""
        simulator.add_offer("contoso", "vm", mode="at once", ends="failed")
        operation = client.follow(client.post("/golive"))
        assert operation["status"] == "failed"
        assert operation["messages"][0]["level"] == "error"
        assert "<li>" in operation["messages"][0]["messageHtml"]
        assert [step["status"] for step in operation["steps"]][:3] == ["complete", "failed", "notStarted"]

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_it_is_read_with_or_without_a_trailing_slash(self, client: Client, slash: str) -> None:
        """PUB adds a slash [I]."""
        path = client.post("/golive").headers["Location"].partition("?")[0]
        assert client.ask("GET", path + slash).status_code == 200

    def test_an_unknown_operation_is_404(self, client: Client) -> None:
        assert client.get("/operations/56615b67-2185-49fe-80d2-c4ddf77bb2e8").status_code == 404
        assert client.ask("GET", "/api/operations/contoso$vm$9$preview").status_code == 404

    @pytest.mark.parametrize("word", ["completed", "complete", "succeeded", "COMPLETED", "Suc ceeded"])
    def test_the_word_for_success(self, client: Client, simulator: Simulator, word: str) -> None:
        """portal-api section 4: completed [D], complete [I MASH], succeeded [D status]."""
        simulator.add_offer("contoso", "vm", mode="at once", word_succeeded=word)
        assert client.follow(client.post("/golive"))["status"] == word

    def test_it_can_come_as_an_array_of_one(self, client: Client, simulator: Simulator) -> None:
        """retrieve-operations, sample [D]."""
        simulator.add_offer("contoso", "vm", operation_shape="array")
        assert len(client.follow(client.post("/golive"))) == 1

    def test_it_can_begin_as_not_started(self, client: Client, simulator: Simulator) -> None:
        """retrieve-operations [D]: not started, with a space."""
        simulator.add_offer("contoso", "vm", mode="held", not_started_reads=1)
        accepted = client.post("/golive")
        assert [client.follow(accepted)["status"] for _ in range(2)] == ["not started", "running"]

    def test_unknown_members_can_be_added(self, client: Client, simulator: Simulator) -> None:
        simulator.add_offer("contoso", "vm", extra_fields=True)
        assert "x-future" in client.follow(client.post("/golive"))


class TestSubmissions:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_an_item_has_the_documented_members(self, client: Client, slash: str) -> None:
        """retrieve-operations [D]: GET submissions/, the shape of the sample."""
        operation_id = client.post("/golive").headers["Location"].partition("?")[0].rpartition("/")[2]
        (item,) = client.get("/submissions" + slash).json()
        assert item == {
            "id": operation_id,
            "offerId": "vm",
            "offerVersion": 7,
            "offerTypeId": "microsoft-azure-virtualmachines",
            "publisherId": "contoso",
            "submissionType": "goLive",
            "submissionState": "running",
            "publishingVersion": 7,
            "slot": "production",
            "version": item["version"],
            "definition": {"metadata": {"emails": ""}},
            "changedTime": "2020-09-13T12:26:40.0000000Z",
        }
        assert item["version"] > 2**53

    @pytest.mark.parametrize("name", ["status", "submissionState"])
    def test_both_filters_work(self, client: Client, name: str) -> None:
        """ORIG and OSA: status; PUB: submissionState."""
        client.post("/golive")
        counts = [
            len(client.get(f"/submissions/?api-version=2017-10-31&{name}={w}").json())
            for w in ("running", "failed")
        ]
        assert counts == [1, 0]

    def test_the_words_of_a_golive_are_the_offers_own(self, client: Client, simulator: Simulator) -> None:
        """portal-api 3.1: submissionType and slot of a golive are unknown [G]."""
        simulator.add_offer("contoso", "vm", submission_type_golive="GoLive", slot_golive="live")
        client.post("/golive")
        (item,) = client.get("/submissions/").json()
        assert (item["submissionType"], item["slot"]) == ("GoLive", "live")

    def test_a_publish_carries_its_mails(self, client: Client) -> None:
        """ORIG/publish-offer [D]: notification-emails in, definition.metadata.emails out."""
        client.post("/publish", json={"metadata": {"notification-emails": "jdoe@contoso.com"}})
        (item,) = client.get("/submissions/").json()
        assert item["definition"] == {"metadata": {"emails": "jdoe@contoso.com"}}
        assert (item["submissionType"], item["slot"]) == ("publish", "staging")


class TestOffers:
    def test_the_publishers(self, client: Client) -> None:
        """PUB's readme [O]."""
        (publisher,) = client.ask("GET", "/api/publishers").json()
        assert (publisher["id"], publisher["definition"]["sellerId"]) == ("contoso", 1234567)

    def test_the_offers_and_their_filter(self, client: Client) -> None:
        """retrieve-offers [D]; AZPC's $filter [O]."""
        found = client.ask("GET", "/api/publishers/contoso/offers").json()
        assert [offer["id"] for offer in found] == ["vm"]
        query = {"api-version": "2017-10-31", "$filter": "offerTypeId eq 'other'"}
        assert client.ask("GET", "/api/publishers/contoso/offers", query=query).json() == []

    @pytest.mark.parametrize(("slot", "version"), [("Draft", 7), ("preview", 7), ("PRODUCTION", 6)])
    def test_slots_in_any_case(self, client: Client, slot: str, version: int) -> None:
        """retrieve-specific-offer [D]; OSA sends lower case [I]."""
        assert client.get(f"/slot/{slot}").json()["version"] == version

    def test_an_empty_slot_is_404_with_the_observed_text(self, client: Client, simulator: Simulator) -> None:
        """OSA PR #8188 [O]."""
        simulator.add_offer("contoso", "vm", preview=None)
        answer = client.get("/slot/preview")
        assert answer.status_code == 404
        text = "There is no Staging slot deployed for Offer ID 'vm', Publisher ID 'contoso'"
        assert answer.json()["error"]["message"] == text

    def test_a_slot_that_does_not_exist_is_400(self, client: Client) -> None:
        assert client.get("/slot/attic").status_code == 400

    def test_versions(self, client: Client) -> None:
        """retrieve-specific-offer [D]."""
        assert client.get("/versions/6").json()["version"] == 6
        assert [client.get(f"/versions/{v}").status_code for v in ("5", "x")] == [404, 400]

    def test_an_etag_in_the_documented_form_and_not_in_the_body(self, client: Client) -> None:
        """concurrency-control [D]; devigned/pub#22 [O]."""
        answer = client.get()
        assert answer.headers["Etag"] == "W/\"datetime'2020-09-13T12%3A26%3A40.0000000Z'\""
        assert "eTag" not in answer.json()

    def test_the_etag_can_be_missing_on_get(self, client: Client, simulator: Simulator) -> None:
        """DEB [I]."""
        simulator.add_offer("contoso", "vm", etag_on_get=False)
        assert "Etag" not in client.get().headers

    def test_a_put_needs_the_right_if_match(self, client: Client) -> None:
        """devigned/pub#22 [O]: 409 without; concurrency-control [D]: 412 on a mismatch, * wins."""
        body = {"offerTypeId": "t", "definition": {"displayText": "new"}}

        def put(headers: dict[str, str]) -> int:
            return int(client.ask("PUT", client.offer, json=body, headers=headers).status_code)

        etag = client.get().headers["Etag"]
        assert put({}) == 409
        assert put({"If-Match": etag}) == 200
        assert put({"If-Match": etag}) == 412
        assert put({"If-Match": "*"}) == 200
        assert client.get().json()["definition"] == {"displayText": "new"}

    def test_a_put_of_a_new_offer_is_201(self, client: Client) -> None:
        """creating-offer [D]."""
        path = "/api/publishers/contoso/offers/new"
        answer = client.ask("PUT", path, json={"offerTypeId": "t", "definition": {}})
        assert answer.status_code == 201
        assert answer.json()["status"] == "neverPublished"
        assert client.ask("GET", path + "/slot/preview").status_code == 404

    def test_a_put_without_an_offer_type_is_400_with_the_observed_text(self, client: Client) -> None:
        """AZPC's fixture [O]."""
        answer = client.ask("PUT", client.offer, json={}, headers={"If-Match": "*"})
        text = "The argument: 'OfferTypeId' cannot be null or empty."
        assert answer.json() == {"error": {"code": "BadRequest", "message": text}}

    def test_a_migrated_offer(self, client: Client, simulator: Simulator) -> None:
        """AZPC [O]: changedTime with three digits and no zone; NEW/overview [D]: no notificationEmails."""
        simulator.add_offer("contoso", "vm", migrated=True)
        offer = client.get().json()
        assert (offer["pcMigrationStatus"], offer["changedTime"]) == ("migrated", "2020-09-13T12:26:40.000")
        assert "notificationEmails" not in client.follow(client.post("/golive"))


class TestStatus:
    def test_an_offer_with_a_new_preview_runs_and_waits_for_its_publisher(self, client: Client) -> None:
        """SUSE [O]: running, and the signoff waitingForPublisherReview."""
        status = client.get("/status").json()
        signoff = next(step for step in status["steps"] if step["id"] == "publisher-signoff")
        assert (status["status"], signoff["status"]) == ("running", "waitingForPublisherReview")

    def test_after_the_golive_it_has_succeeded(self, client: Client, simulator: Simulator) -> None:
        """retrieve-offer-status [D]: succeeded."""
        simulator.add_offer("contoso", "vm", mode="at once")
        client.post("/golive")
        assert client.get("/status").json()["status"] == "succeeded"
        assert client.get("/slot/production").json()["version"] == 1

    def test_a_publish_that_awaits_the_signoff_stays_running(
        self, client: Client, simulator: Simulator
    ) -> None:
        """SUSE [O]."""
        simulator.add_offer(
            "contoso", "vm", publish_awaits_signoff=True, signoff_step_name="publisher-signoff"
        )
        operation = client.follow(client.post("/publish"))
        assert operation["status"] == "running"
        step = next(step for step in operation["steps"] if step["stepName"] == "publisher-signoff")
        assert step["status"] == "waitingForPublisherReview"


class TestConflict:
    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_a_second_golive_while_one_runs(self, client: Client, simulator: Simulator, status: int) -> None:
        """portal-api section 6: refused; the code is not known [G]."""
        simulator.add_offer("contoso", "vm", mode="held", conflict=status)
        client.post("/golive")
        assert client.post("/golive").status_code == status
        assert client.post("/publish").status_code == status

    def test_it_can_answer_202_and_name_the_same_operation(
        self, client: Client, simulator: Simulator
    ) -> None:
        simulator.add_offer("contoso", "vm", mode="held", conflict=202)
        assert len({client.post("/golive").headers["Location"] for _ in range(2)}) == 1

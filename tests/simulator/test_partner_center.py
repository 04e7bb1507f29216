"""Partner Center's ingestion API as a client meets it. Each test names the fact that it checks (successor-apis.md)."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from simulator.http_terms import Answer
from tests.simulator.siblings import Center

NUMBER = 1152921505695125040  # of bcch's help: beyond 2**53


@pytest.fixture
def api() -> Center:
    return Center()


def by_offer_id(name: str) -> str:
    return "/products?$filter=" + quote(f"externalIDs/Any(i:i/type eq 'AzureOfferId' and i/value eq '{name}')")


def message(answer: Answer) -> str:
    assert isinstance(answer.body, dict)
    assert answer.body["statusCode"] == answer.status
    return str(answer.body["message"])


class TestFindingAnOffer:
    def test_by_its_offer_id(self, api: Center) -> None:
        """3.2 [O cassette, azext]."""
        offer = api.add()
        assert api.get(by_offer_id("vm")) == {
            "value": [
                {
                    "resourceType": "AzureApplication",
                    "name": "vm",
                    "externalIDs": [{"type": "AzureOfferId", "value": "vm"}],
                    "isModularPublishing": True,
                    "id": offer.product_id,
                }
            ]
        }
        assert api.get(by_offer_id("other")) == {"value": []}

    @pytest.mark.parametrize(
        "given",
        [
            "ExternalIDs/Any(i:i/Type eq 'AzureOfferId' and i/Value eq 'vm')",
            "externalIDs/any(i: i/type eq 'AzureOfferID' and i/value eq 'vm')",
            "ResourceType eq 'AzureApplication'",
            "resourceType eq 'AzureApplication' and externalIDs/Any(i:i/type eq 'AzureOfferId' and i/value eq 'vm')",
        ],
    )
    def test_names_in_any_casing(self, api: Center, given: str) -> None:
        """3.2 [O azpc]; by type [D swagger]."""
        api.add()
        assert len(api.get("/products?$filter=" + quote(given))["value"]) == 1

    def test_a_filter_that_nobody_understands_is_400(self, api: Center) -> None:
        assert api.ask("GET", "/products?$filter=name").status == 400
        assert api.ask("GET", by_offer_id("vm") + quote(" and name")).status == 400

    @pytest.mark.parametrize("name", ["AzureOfferId", "AzureOfferID"])
    def test_the_answers_casing(self, api: Center, name: str) -> None:
        """Section 5.9 [O, D swagger]."""
        api.add(offer_id_name=name)
        assert api.get(by_offer_id("vm"))["value"][0]["externalIDs"][0]["type"] == name

    def test_pages_are_small_and_irregular_and_their_links_relative_to_the_host(self, api: Center) -> None:
        """3.2 [O cassette]: 1 or 4 items; v1.0/ingestion/products?$skipToken=..."""
        for number in range(7):
            api.add(name=f"offer-{number}", page_sizes=[1, 4])
        link, sizes, names = "/products", [], []
        while link:
            body = api.get(link)
            sizes.append(len(body["value"]))
            names += [one["name"] for one in body["value"]]
            assert "nextLink" not in body or body["nextLink"].startswith("v1.0/ingestion/products?$skipToken=")
            link = body.get("nextLink", "").removeprefix("v1.0/ingestion")
        assert (sizes, names) == ([1, 4, 1, 1], [f"offer-{number}" for number in range(7)])

    def test_the_last_link_may_lead_nowhere(self, api: Center) -> None:
        """3.2 [O bcch#3151]."""
        api.add(last_next_link_404=True)
        body = api.get("/products")
        assert api.ask("GET", body["nextLink"].removeprefix("v1.0/ingestion")).status == 404

    def test_the_link_as_the_swagger_calls_it(self, api: Center) -> None:
        """3.2 [D swagger]."""
        api.add(page_sizes=[1], next_link_name="@odata.nextLink")
        assert "@odata.nextLink" in api.get(f"{api.product}/submissions")

    def test_a_machine_can_be_read_here_and_not_promoted(self, api: Center) -> None:
        """3.2 [O azext]; how a promote is refused is a guess [G]."""
        api.add(apis=("productIngestion",))
        assert api.get(by_offer_id("vm"))["value"][0]["resourceType"] == "AzureThirdPartyVirtualMachine"
        assert api.state() == "Published ReadyToPublish"
        refused = api.promote()
        assert (refused.status, api.accepted) == (400, 0)
        assert "AzureThirdPartyVirtualMachine" in message(refused)

    def test_what_only_the_portal_publishes_is_not_here(self, api: Center) -> None:
        """Section 0 [D]: new products are not known to the portal; the other way round is a guess [G]."""
        api.add(apis=("cloudPartnerPortal",))
        assert api.get(by_offer_id("vm")) == {"value": []}
        assert api.ask("GET", api.product).status == 404


class TestSigningIn:
    @pytest.mark.parametrize("token", [None, "of another API"])
    def test_a_token_must_be_for_this_api(self, api: Center, token: str | None) -> None:
        """3.1 [D]: https://api.partner.microsoft.com."""
        api.simulation.tokens.add("of another API", audience="https://graph.microsoft.com")
        assert api.ask("GET", "/products", token=token).status == 401

    def test_a_publisher_that_the_token_may_not_use(self, api: Center) -> None:
        """3.6 [D]: 403."""
        api.add()
        api.simulation.tokens.add("fabrikam's", publishers=("fabrikam",))
        assert api.ask("GET", api.product, token="fabrikam's").status == 403

    def test_every_answer_carries_a_request_id(self, api: Center) -> None:
        """3.1 [O cassette]."""
        assert "request-id" in dict(api.ask("GET", "/products").headers)
        assert "request-id" in dict(api.ask("GET", "/products/x").headers)


class TestSubmissions:
    def test_one(self, api: Center) -> None:
        """3.5 [D + O bcch help]."""
        api.add(preview=NUMBER, production=None)
        body = api.submission(NUMBER)
        assert body["id"] == str(NUMBER)
        assert (body["resourceType"], body["state"], body["substate"]) == ("Submission", "Published", "ReadyToPublish")
        assert body["publishedTimeInUtc"].startswith("20")
        assert (body["releaseNumber"], body["friendlyName"]) == (1, "Submission 1")
        assert body["pendingUpdateInfo"] == {"updateType": "Create", "status": "Completed"}
        assert body["targets"] == [{"type": "Scope", "value": "Preview"}]

    @pytest.mark.parametrize(("since", "year"), [("preview", "2020"), ("live", "1601")])
    def test_when_it_was_published(self, api: Center, since: str, year: str) -> None:
        """3.5 [O]: 1601 stands for never; two previews of a published run have their times [O bcch]."""
        api.add(preview=NUMBER, production=None, published_from=since)
        assert api.submission(NUMBER)["publishedTimeInUtc"].startswith(year)

    def test_ids_need_not_grow_from_release_to_release(self, api: Center) -> None:
        """Of two releases of a published run the later has the smaller id [O bcch]."""
        api.add(preview=3, production=8)
        assert [api.submission(number)["releaseNumber"] for number in (8, 3)] == [1, 2]

    @pytest.mark.parametrize(
        ("order", "listed"),
        [
            ("newest", ["7 Published ReadyToPublish", "6 Published InStore"]),
            ("oldest", ["6 Published InStore", "7 Published ReadyToPublish"]),
        ],
    )
    def test_the_list_in_either_order(self, api: Center, order: str, listed: list[str]) -> None:
        """3.4 [O]: azpc takes the first, bcch the last."""
        api.add(listing_order=order)
        assert api.listed() == listed

    def test_a_zero_of_an_untouched_product(self, api: Center) -> None:
        """3.4 [O ALOps#654]."""
        api.add(preview=None, production=None, submission_zero=True)
        assert api.listed() == ["0 InProgress InDraft"]

    @pytest.mark.parametrize(
        ("switch", "older"),
        [
            ("none", []),
            ("as they were", ["8 Published ReadyToPublish", "6 Published InStore"]),
            ("archived", ["8 Archived ReadyToPublish", "6 Archived InStore"]),
        ],
    )
    def test_older_ones(self, api: Center, switch: str, older: list[str]) -> None:
        """Not known [G]; Archived is a word of xbox's [O]."""
        api.add(older_submissions=switch, mode="at once")
        api.promote()
        api.world.put_in_preview("contoso", "vm")
        api.world.put_in_preview("contoso", "vm")
        assert api.listed() == ["9 Published ReadyToPublish", *older[:1], "7 Published InStore", *older[1:]]

    @pytest.mark.parametrize("path", ["/submissions/99", "/submissions/x", "/submissions/99/validations", "/nothing"])
    def test_what_is_not_there_is_404(self, api: Center, path: str) -> None:
        api.add()
        assert api.ask("GET", api.product + path).status == 404


class TestGoingLive:
    def test_a_promote_is_200_with_the_push(self, api: Center) -> None:
        """3.4 [D swagger]: WorkflowDetail; the body may be empty or {} [O bcch]."""
        api.add()
        answer = api.ask("POST", api.of(7, "/promote"), {})
        assert answer.status == 200
        assert isinstance(answer.body, dict)
        assert (answer.body["type"], answer.body["targetEnvironment"]) == ("Push", "Live")
        assert (answer.body["state"], api.accepted) == ("InProgress", 1)

    def test_or_with_nothing(self, api: Center) -> None:
        api.add(promote_body="empty")
        answer = api.promote()
        assert (answer.status, answer.content) == (200, b"")

    @pytest.mark.parametrize("substate", ["Publishing", "Published"])
    def test_from_publishing_to_in_store(self, api: Center, substate: str) -> None:
        """3.5: the words while it goes live are a guess [G], InStore is live [D]."""
        api.add(mode="by time", seconds=60, publishing_substate=substate)
        api.promote()
        api.clock.advance(59)
        assert api.state() == f"Published {substate}"
        assert api.submission()["pendingUpdateInfo"] == {"updateType": "Promote", "status": "Running"}
        api.clock.advance(1)
        assert api.state() == "Published InStore"
        assert api.submission()["publishedTimeInUtc"] == "2020-09-13T12:27:40.0000000Z"
        assert api.listed() == ["7 Published InStore"]

    def test_polls_count(self, api: Center) -> None:
        api.add(mode="by polls", polls=2)
        api.promote()
        assert [api.state() for _ in range(2)] == ["Published Publishing", "Published InStore"]

    @pytest.mark.parametrize("status", [400, 409])
    def test_only_what_is_ready_can_be_promoted(self, api: Center, status: int) -> None:
        """3.4 [O bcch]: Published and ReadyToPublish; with what code it is refused is not known [G]."""
        api.add(mode="at once", promote_unready=status)
        api.promote()
        refused = api.promote()
        assert (refused.status, api.accepted) == (status, 1)
        assert message(refused) == "Submission 7 is not ready to publish: Published, InStore."

    def test_or_what_is_live_goes_live_again(self, api: Center) -> None:
        api.add(mode="at once", promote_unready=200)
        assert [api.promote().status, api.promote().status] == [200, 200]
        assert api.accepted == 2

    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_a_second_one_while_it_runs(self, api: Center, status: int) -> None:
        """3.4 [D bcch help]: once promoted you cannot re-submit; the code is not known [G]."""
        api.add(conflict=status)
        api.promote()
        refused = api.promote()
        assert (refused.status, message(refused)) == (status, "An In Progress submission already exists")
        assert api.ask("DELETE", api.of(7)).status == 400
        assert api.accepted == 1

    def test_or_answered_with_the_push_that_runs(self, api: Center) -> None:
        api.add(conflict=202)
        assert api.promote().body == api.promote().body
        assert api.accepted == 1

    def test_an_older_preview_is_refused(self, api: Center) -> None:
        """2.8 [O, of the other API]."""
        api.add()
        api.world.put_in_preview("contoso", "vm")
        assert message(api.promote(7)) == "The submission cannot be pushed to as its not the latest"
        assert api.promote(8).status == 200

    def test_a_malformed_body_is_400(self, api: Center) -> None:
        api.add()
        assert api.ask("POST", api.of(7, "/promote"), b"{").status == 400
        assert api.accepted == 0

    def test_a_list_that_lags_behind(self, api: Center) -> None:
        """Section 5: neither the beginning nor the end is seen at once; the submission itself is."""
        api.add(mode="by time", seconds=60, listing_lag_seconds=10)
        api.promote()
        api.clock.advance(9)
        assert api.listed() == ["7 Published ReadyToPublish", "6 Published InStore"]
        assert api.state() == "Published Publishing"
        api.clock.advance(2)
        assert api.listed()[0] == "7 Published Publishing"
        api.clock.advance(55)
        assert api.state() == "Published InStore"
        assert api.listed() == ["7 Published Publishing", "6 Published InStore"]
        api.clock.advance(5)
        assert api.listed() == ["7 Published InStore"]


class TestFailures:
    @pytest.mark.parametrize("state", ["InProgress", "Published"])
    def test_a_go_live_that_fails(self, api: Center, state: str) -> None:
        """3.5: FailedInCertification [D]; the state beside it is the table's [O] or a guess [G]."""
        api.add(mode="at once", ends="failed", failed_state=state)
        api.promote()
        assert api.state() == f"{state} FailedInCertification"
        pending = api.submission()["pendingUpdateInfo"]
        assert (pending["updateType"], pending["status"]) == ("Promote", "Failed")
        assert pending["failureReason"].startswith("Certification failed")
        assert api.promote().status == 409

    def test_one_that_fails_elsewhere(self, api: Center) -> None:
        """3.5 [D]: Failed."""
        api.add(mode="at once", ends="failed", fails_at="live")
        api.promote()
        assert api.state() == "InProgress Failed"

    def test_one_may_be_ready_once_more(self, api: Center) -> None:
        """Not known [G]."""
        api.add(mode="at once", ends="failed", after_failed_promote="ready")
        api.promote()
        assert api.state() == "Published ReadyToPublish"
        assert api.promote().status == 200

    def test_one_that_was_cancelled(self, api: Center) -> None:
        """3.5: Cancelled is xbox's word [O]."""
        api.add(mode="at once", ends="canceled")
        api.promote()
        assert api.state() == "InProgress Cancelled"

    def test_the_validations_say_why(self, api: Center) -> None:
        """3.5 [D + O]: errorCode, severity, message, resource."""
        api.add(mode="at once", ends="failed")
        assert api.get(api.of(7, "/validations")) == {"value": []}
        api.promote()
        first = api.get(api.of(7, "/validations"))["value"][0]
        assert first.keys() == {"errorCode", "severity", "message", "resource"}
        assert (first["severity"], "<" in first["message"]) == ("Error", False)

    @pytest.mark.parametrize(
        ("ends", "fails_at", "status"),
        [("failed", "displaycertify", "Failed"), ("failed", "live", "Unknown"), ("succeeded", "live", "Passed")],
    )
    def test_the_certifications_report(self, api: Center, ends: str, fails_at: str, status: str) -> None:
        """3.5 [D]."""
        api.add(mode="at once", ends=ends, fails_at=fails_at)
        assert api.get(api.of(7, "/reports")) == {"value": []}
        api.promote()
        [report] = api.get(api.of(7, "/reports"))["value"]
        assert (report["status"], report["fileUri"][:8]) == (status, "https://")

    def test_a_report_is_pending_while_it_runs(self, api: Center) -> None:
        api.add()
        api.promote()
        assert api.get(api.of(7, "/reports"))["value"][0]["status"] == "Pending"


class TestWorkflow:
    def steps(self, api: Center, entry: int = 1) -> list[tuple[str, str]]:
        detail = api.get(api.of(7, "/workflowdetails"))["value"][entry]
        return [(step["name"], step["state"]) for step in detail["workflowSteps"]]

    def test_two_pushes_in_five_steps(self, api: Center) -> None:
        """3.5 [D + O bcch]: the steps' names; the signoff is of the preview, and has passed when that is ready."""
        api.add()
        first, second = api.get(api.of(7, "/workflowdetails"))["value"]
        assert [one["targetEnvironment"] for one in (first, second)] == ["Preview", "Live"]
        assert [one["state"] for one in (first, second)] == ["Success", "NotStarted"]
        names = ["Automated validation", "Preview Creation", "Publisher Signoff"]
        assert self.steps(api, 0) == [(name, "Success") for name in names]
        assert self.steps(api) == [("Certification", "NotStarted"), ("Publish", "NotStarted")]

    def test_its_steps_pass(self, api: Center) -> None:
        api.add()
        api.promote()
        seen = []
        for _ in range(2):
            seen.append([state for _, state in self.steps(api)])
            api.world.advance(api.offer.submissions[-1].id, 3)
        assert seen == [["InProgress", "NotStarted"], ["Success", "InProgress"]]
        api.world.advance(api.offer.submissions[-1].id, 9)
        assert {state for _, state in self.steps(api)} == {"Success"}

    def test_a_step_fails(self, api: Center) -> None:
        """3.5 [O bcch]: anything else than the three words is a failure."""
        api.add(mode="at once", ends="failed")
        api.promote()
        assert self.steps(api)[0] == ("Certification", "Failed")

    def test_what_has_not_begun_is_dated_to_the_year_1(self, api: Center) -> None:
        """3.5 [O bcch]."""
        api.add()
        live = api.get(api.of(7, "/workflowdetails"))["value"][1]
        for one in (live, *live["workflowSteps"]):
            assert one["startDateTimeInUtc"] == one["completeDateTimeInUtc"] == "0001-01-01T00:00:00"

    @pytest.mark.parametrize("count", [0, 1, 2, 3])
    def test_how_many_there_are_is_not_promised(self, api: Center, count: int) -> None:
        """3.5 [O bcch]: it gives up on another count than two."""
        api.add(workflow_entries=count)
        assert len(api.get(api.of(7, "/workflowdetails"))["value"]) == count

    def test_its_times_have_no_zone(self, api: Center) -> None:
        """3.5 [O bcch help]."""
        api.add(mode="at once")
        api.promote()
        detail = api.get(api.of(7, "/workflowdetails"))["value"][1]
        assert detail["startDateTimeInUtc"] == detail["completeDateTimeInUtc"] == "2020-09-13T12:26:40.0000000"

    def test_a_submissions_time_may_have_none_either(self, api: Center) -> None:
        api.add(mode="at once", published_time="no zone")
        api.promote()
        assert api.submission()["publishedTimeInUtc"] == "2020-09-13T12:26:40.0000000"


class TestPublishing:
    BODY: dict[str, Any] = {  # noqa: RUF012
        "resourceType": "SubmissionCreationRequest",
        "targets": [{"type": "Scope", "value": "preview"}],
        "resources": [{"type": "Package", "value": "x"}],
    }

    @pytest.mark.parametrize("code", [201, 202])
    def test_a_submission_is_created(self, api: Center, code: int) -> None:
        """3.3 [D]: 201; 202 by one reporter [O azure-docs#93203]."""
        api.add(publish={"mode": "held"}, submission_code=code)
        answer = api.ask("POST", f"{api.product}/submissions", self.BODY)
        assert answer.status == code
        assert isinstance(answer.body, dict)
        assert (answer.body["id"], answer.body["substate"]) == ("8", "InDraft")
        assert api.state(8) == "InProgress Submitted"
        api.world.end(api.running(), "succeeded")
        assert api.state(8) == "Published ReadyToPublish"
        assert api.listed() == ["8 Published ReadyToPublish", "6 Published InStore"]

    @pytest.mark.parametrize(
        "change", [{"resourceType": "x"}, {"targets": []}, {"targets": [{"type": "Scope", "value": "live"}]}]
    )
    def test_another_request_is_400(self, api: Center, change: dict[str, Any]) -> None:
        api.add()
        assert api.ask("POST", f"{api.product}/submissions", {**self.BODY, **change}).status == 400

    def test_one_without_the_resellers_module_fails_where_that_is_needed(self, api: Center) -> None:
        """3.3 [O azure-docs#93203]."""
        api.add(publish={"mode": "held"}, reseller_needed=True)
        api.ask("POST", f"{api.product}/submissions", self.BODY)
        assert api.state(8).startswith("InProgress Failed")
        [error] = api.get(api.of(8, "/validations"))["value"]
        assert (error["errorCode"], error["message"]) == ("Resell-20007", "ResellerConfiguration module is missing..")

    @pytest.mark.parametrize(("switch", "listed"), [("gone", []), ("cancelled", ["8 InProgress Cancelled"])])
    def test_what_is_in_progress_is_deleted(self, api: Center, switch: str, listed: list[str]) -> None:
        """3.5 [D]: 204; what is left of it is not known [G]."""
        api.add(publish={"mode": "held"}, deleted_submission=switch)
        api.ask("POST", f"{api.product}/submissions", self.BODY)
        assert api.ask("DELETE", api.of(8)).status == 204
        assert api.listed() == [*listed, "7 Published ReadyToPublish", "6 Published InStore"]
        assert api.ask("GET", api.of(8)).status == (404 if switch == "gone" else 200)

    @pytest.mark.parametrize("status", [400, 409])
    def test_and_nothing_else(self, api: Center, status: int) -> None:
        """3.5 [D]: "only inprogress Submission can be deleted"; the code is not said [G]."""
        api.add(delete_refused=status)
        assert api.ask("DELETE", api.of(7)).status == status

    def test_a_product_is_made_and_deleted(self, api: Center) -> None:
        """[D swagger]: 201, 204; 409 for a name that is taken."""
        api.world.add_publisher("contoso")
        ids = [{"type": "AzureOfferID", "value": "new-app"}]
        body = {"resourceType": "AzureApplication", "name": "new-app", "externalIDs": ids}
        made = api.ask("POST", "/products", body)
        assert (made.status, api.ask("POST", "/products", body).status) == (201, 409)
        assert isinstance(made.body, dict)
        assert api.get(f"/products/{made.body['id']}/submissions") == {"value": []}
        assert api.ask("DELETE", f"/products/{made.body['id']}").status == 204
        assert api.get(by_offer_id("new-app")) == {"value": []}
        api.add()
        assert api.ask("DELETE", api.product).status == 409
        assert api.ask("POST", "/products", {"resourceType": "AzureApplication"}).status == 400

    def test_the_modules_drafts(self, api: Center) -> None:
        """3.3 [D]: currentDraftInstanceID, and a variantID for the plan's; a reseller's is no GUID [O azext]."""
        api.add()
        found = api.get(f"{api.product}/branches/getByModule(module=Package)")["value"]
        assert [("variantID" in one, len(one["currentDraftInstanceID"])) for one in found] == [(False, 36), (True, 36)]
        assert api.get(f"{api.product}/variants")["value"][0]["id"] == found[1]["variantID"]
        [reseller] = api.get(f"{api.product}/branches/getByModule(module=ResellerConfiguration)")["value"]
        assert reseller["currentDraftInstanceID"] == f"{api.offer.product_id}-ResellerInstance"
        assert api.get(f"{api.product}/branches/getByModule(module=package)")["value"] == found  # [O clients]
        assert api.ask("GET", f"{api.product}/branches/getByModule(module=Nonsense)").status == 400

    def test_a_draft_is_changed_with_its_entity_tag(self, api: Center) -> None:
        """3.6 [O]."""
        api.add()
        [known] = api.get(f"{api.product}/packageConfigurations/getByInstanceID(instanceID=x)")["value"]
        path = f"{api.product}/packageconfigurations/{known['id']}"  # as a pipeline spells it [O]
        changed = {**known, "packageReferences": [{"type": "AzureApplicationPackage", "value": "p"}]}
        assert api.ask("PUT", path, changed).status == 412
        assert api.ask("PUT", path, changed, headers={"If-Match": known["@odata.etag"]}).status == 200
        [after] = api.get(f"{api.product}/packageConfigurations/getByInstanceID(instanceID=x)")["value"]
        assert after["packageReferences"] == changed["packageReferences"]
        assert api.ask("GET", f"{api.product}/nonsense/getByInstanceID(instanceID=x)").status == 404


class TestWeather:
    def test_a_header_that_is_suddenly_demanded(self, api: Center) -> None:
        """3.6 [O AL-Go#2278]: a sentence around JSON, which is no JSON."""
        api.add(required_header="x-ms-publisherId")
        for path in (api.product, api.of(7), by_offer_id("vm")):
            refused = api.ask("GET", path)
            assert (refused.status, refused.body) == (400, None)
            assert refused.text is not None
            start = 'Bad Request "Microsoft.Ingestion.Shared.WebApi.Client.ErrorHandler.RestClientException: '
            assert refused.text.startswith(start)
            inside = re.search(r"ResponseContent=(\{.*\})", refused.text)
            assert inside is not None
            expected = ["PublisherId is a required header, and must be a positive number."]
            assert json.loads(inside[1])["errors"] == {"x-ms-publisherId": expected}
            assert api.ask("GET", path, headers={"x-ms-publisherId": "1"}).status == 200

    def test_any_error_in_that_form(self, api: Center) -> None:
        api.add(error_form="text", mode="at once")
        api.promote()
        refused = api.promote()
        assert refused.status == 409
        assert refused.text is not None
        assert refused.text.startswith('Conflict "Microsoft.Ingestion')
        assert "is not ready to publish" in refused.text

    def test_status_calls_are_404_for_a_while(self, api: Center) -> None:
        """3.6 [O]: June 2026; the list went on."""
        api.add(status_404_after=60, status_404_seconds=60)
        api.promote()
        found = []
        for _ in range(3):
            found.append([api.ask("GET", api.of(7, verb)).status for verb in ("", "/workflowdetails")])
            assert api.listed()[0] == "7 Published Publishing"
            api.clock.advance(60)
        assert found == [[200, 200], [404, 404], [200, 200]]

    def test_a_promoted_submission_may_be_unknown_at_first(self, api: Center) -> None:
        api.add(fresh_404_reads=1)
        api.promote()
        assert [api.ask("GET", api.of(7)).status for _ in range(2)] == [404, 200]

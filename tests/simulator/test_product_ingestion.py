"""Graph's product ingestion as a client meets it. Each test names the fact that it checks (docs/successor-apis.md)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simulator.http_terms import Answer
from tests.simulator.siblings import SCHEMA, VERSION, Ingestion


@pytest.fixture
def api() -> Ingestion:
    return Ingestion()


def message(answer: Answer) -> str:
    assert isinstance(answer.body, dict)
    return str(answer.body["error"]["message"])


class TestFindingAnOffer:
    def test_by_its_external_id(self, api: Ingestion) -> None:
        """2.2 [O suse, MS sample]: a list of one; the durable id is product/<guid>."""
        api.add()
        found = api.get(f"/product?externalId=vm&$version={VERSION}")["value"]
        assert found == [
            {
                "$schema": f"{SCHEMA}/product/{VERSION}",
                "id": f"product/{api.guid}",
                "identity": {"externalId": "vm"},
                "type": "azureVirtualMachine",
                "alias": "vm",
            }
        ]

    def test_one_that_is_not_there_is_an_empty_list(self, api: Ingestion) -> None:
        """2.2 [O]: no 404."""
        assert api.get("/product?externalId=nothing") == {"value": []}

    @pytest.mark.parametrize("name", ["externalId", "externalID", "externalid"])
    def test_clients_write_the_parameter_in_three_ways(self, api: Ingestion, name: str) -> None:
        """2.2: externalID [D 2023], externalId [O], externalid [O suse]."""
        api.add()
        assert len(api.get(f"/product?{name}=vm")["value"]) == 1

    @pytest.mark.parametrize("name", ["externalId", "externalID"])
    def test_the_answer_may_write_it_as_the_old_docs_do(self, api: Ingestion, name: str) -> None:
        """Section 5.9 [D 2023]."""
        api.add(external_id_name=name)
        assert api.get("/product?externalId=vm")["value"][0]["identity"] == {name: "vm"}

    def test_a_listing_comes_in_pages(self, api: Ingestion) -> None:
        """2.2 [D]: type, $maxpagesize, continuationToken; follow @nextLink."""
        for number in range(5):
            api.add(name=f"offer-{number}")
        api.add(name="elsewhere", offer_type="softwareAsAService")
        names, link, pages = [], "/product?type=azureVirtualMachine&$maxpagesize=2", 0
        while link:
            body = api.get(link)
            names += [one["identity"]["externalId"] for one in body["value"]]
            link, pages = body.get("@nextLink", "").partition(api.base)[2], pages + 1
        assert (names, pages) == ([f"offer-{number}" for number in range(5)], 3)

    @pytest.mark.parametrize(("form", "start"), [("absolute", "https://"), ("relative", "/rp/product-ingestion/")])
    def test_the_next_link(self, api: Ingestion, form: str, start: str) -> None:
        """Not known [G]: its form."""
        api.add(page_size=1, next_link=form)
        link = api.get(f"/submission/{api.guid}?$version={VERSION}")["@nextLink"]
        assert link.startswith(start)
        assert f"$version={VERSION}" in link

    def test_its_plans(self, api: Ingestion) -> None:
        """GET /plan?product=<durable id>, with or without externalId: a list [D, O two pipelines]."""
        api.add()
        [plan] = api.get(f"/plan?product=product/{api.guid}&$version={VERSION}")["value"]
        assert re.fullmatch(f"plan/{api.guid}/[0-9a-f-]{{36}}", plan["id"])
        assert plan["identity"] == {"externalId": "contoso"}
        assert api.get(f"/plan?product=product/{api.guid}&externalId=contoso")["value"][0]["id"] == plan["id"]
        assert api.get(f"/plan?product=product/{api.guid}&externalId=other") == {"value": []}
        assert api.ask("GET", "/plan").status == 404

    def test_a_new_image_is_added_to_the_configuration_that_stands(self, api: Ingestion) -> None:
        """2.2 [D]: product and plan by externalId; a resource that is there is changed, and no second one made."""
        api.add()
        [plan] = api.get(f"/plan?product=product/{api.guid}")["value"]
        path = f"/virtual-machine-plan-technical-configuration/{api.guid}/{plan['id'].split('/')[2]}"
        assert api.get(path)["vmImageVersions"] == []
        edit = {
            "$schema": f"{SCHEMA}/virtual-machine-plan-technical-configuration/2022-03-01-preview3",
            "product": {"externalId": "vm"},
            "plan": {"externalId": "contoso"},
            "vmImageVersions": [{"versionNumber": "1.0.0", "vmImages": []}],
        }
        assert api.configure(edit).status == 202
        assert [one["versionNumber"] for one in api.get(path)["vmImageVersions"]] == ["1.0.0"]

    def test_what_only_the_portal_publishes_is_not_here(self, api: Ingestion) -> None:
        """Section 0 [D]: the APIs share no offer that was not moved to Partner Center [G]."""
        api.add(apis=("cloudPartnerPortal",))
        assert api.get("/product?externalId=vm") == {"value": []}
        assert api.ask("GET", f"/submission/{api.guid}").status == 404

    def test_an_application_is_found_and_then_refused(self, api: Ingestion) -> None:
        """Section 0 [O lansa]: its type is in the enum, and its resource tree is refused."""
        api.add(apis=("partnerCenter",))
        assert api.get("/product?externalId=vm")["value"][0]["type"] == "azureApplication"
        for path in (f"/resource-tree/product/{api.guid}?targetType=draft", f"/submission/{api.guid}"):
            refused = api.ask("GET", path)
            assert (refused.status, message(refused)) == (400, "Type AzureApplication is not supported")

    def test_a_machine_that_is_published_elsewhere_cannot_be_pushed(self, api: Ingestion) -> None:
        api.add(apis=("partnerCenter",), offer_type="azureVirtualMachine")
        assert api.configure(api.submission("live", 7)).status == 400
        assert api.accepted == 0


class TestSigningIn:
    @pytest.mark.parametrize("token", [None, "", "of another API"])
    def test_a_token_must_be_for_graph(self, api: Ingestion, token: str | None) -> None:
        """2.1 [D]: https://graph.microsoft.com."""
        api.add()
        api.simulation.tokens.add("of another API", audience="https://api.partner.microsoft.com")
        refused = api.ask("GET", "/product", token=token)
        assert refused.status == 401
        assert ("WWW-Authenticate", "Bearer") in refused.headers

    def test_a_publisher_that_the_token_may_not_use(self, api: Ingestion) -> None:
        """2.1 [D]: the role in Partner Center is what counts; 403 [G], and no find."""
        api.add()
        api.simulation.tokens.add("fabrikam's", publishers=("fabrikam",), audience="https://graph.microsoft.com")
        assert api.ask("GET", "/product?externalId=vm", token="fabrikam's").body == {"value": []}
        assert api.ask("GET", f"/submission/{api.guid}", token="fabrikam's").status == 403

    def test_a_token_that_runs_out_in_a_wait(self, api: Ingestion) -> None:
        """Section 5.1: 60 minutes [D]."""
        api.add()
        api.simulation.tokens.add("t", expires_at=api.clock.now() + 3600)
        job = api.go_live()
        api.clock.advance(3600)
        assert api.ask("GET", f"/configure/{job}/status").status == 401


class TestVersions:
    def test_the_version_may_be_left_out(self, api: Ingestion) -> None:
        """2.3: "required for all calls" [D], and running clients send none [O]."""
        api.add()
        assert api.ask("GET", f"/submission/{api.guid}").status == 200
        api.add(version_required=True)
        assert api.ask("GET", f"/submission/{api.guid}").status == 400
        assert api.ask("GET", f"/submission/{api.guid}?$version={VERSION}").status == 200

    @pytest.mark.parametrize(
        ("ceiling", "shown"),
        [("2022-03-01-preview2", "preview2"), ("2022-03-01-preview6", "preview2"), ("2022-07-01", "preview7")],
    )
    def test_it_is_a_ceiling(self, api: Ingestion, ceiling: str, shown: str) -> None:
        """2.3 [D]: each resource comes in its newest version below it."""
        api.add()
        draft = api.listed(f"?$version={ceiling}")[0]
        assert draft["$schema"] == f"{SCHEMA}/submission/2022-03-01-{shown}"

    def test_an_unknown_version_is_400(self, api: Ingestion) -> None:
        api.add()
        assert api.ask("GET", f"/submission/{api.guid}?$version=latest").status == 400

    def test_answers_may_still_name_the_old_host(self, api: Ingestion) -> None:
        """2.10 [O]."""
        api.add(schema_host="https://product-ingestion.azureedge.net")
        assert api.listed()[0]["$schema"].startswith("https://product-ingestion.azureedge.net/schema/submission/")

    def test_payloads_may_not(self, api: Ingestion) -> None:
        """2.8 [O partnercenter-cli-extension#235]."""
        api.add()
        old = "https://product-ingestion.azureedge.net/schema/configure/2022-03-01-preview2"
        refused = api.configure(api.submission("live", 7), schema=old)
        assert (refused.status, message(refused)) == (400, f"Schema {old} could not be accessed")

    def test_preview7_demands_sources(self, api: Ingestion) -> None:
        """2.5 [O cloudpub 956d629]."""
        api.add()
        schema = f"{SCHEMA}/submission/2022-03-01-preview7"
        refused = api.configure(api.submission("live", 7, **{"$schema": schema}))
        assert refused.status == 400
        assert message(refused) == (
            f'Schema validation failed for schema {schema}: Required properties ["sources"] were not present'
        )
        sources = [{"module": "plans", "branch": "main"}]
        assert api.configure(api.submission("live", 7, **{"$schema": schema}, sources=sources)).status == 202

    def test_a_deprecated_schema_is_400(self, api: Ingestion) -> None:
        """2.8 [O cloudpub 38cfe27]."""
        api.add(deprecated_versions=[VERSION])
        assert message(api.configure(api.submission("live", 7))) == f'"{VERSION}" is a deprecated schema'


class TestSubmissions:
    def test_the_list(self, api: Ingestion) -> None:
        """2.7 [D sample]: the draft without status, result and date; preview and live, completed."""
        api.add(listing_order="oldest")
        assert api.entries() == ["draft 0 -", "live 6 succeeded", "preview 7 succeeded"]
        draft, live, _ = api.listed()
        assert not draft.keys() & {"status", "result", "created"}
        assert (live["status"], live["lifecycleState"]) == ("completed", "generallyAvailable")
        assert live["product"] == f"product/{api.guid}"

    @pytest.mark.parametrize(("target", "expected"), [("draft", ["0"]), ("preview", ["7"]), ("live", ["6"])])
    def test_one_target(self, api: Ingestion, target: str, expected: list[str]) -> None:
        """2.3 [D]: ?targetType=."""
        api.add()
        assert [one["id"].rpartition("/")[2] for one in api.listed(f"?targetType={target}")] == expected

    @pytest.mark.parametrize("path", ["/submission/{}", "/resource-tree/product/{}"])
    def test_a_quoted_target_is_400(self, api: Ingestion, path: str) -> None:
        """2.3 [O dstarr]: the docs quote it, the API rejects that."""
        api.add()
        assert api.ask("GET", path.format(api.guid) + "?targetType='preview'").status == 400

    def test_the_order_is_not_promised(self, api: Ingestion) -> None:
        api.add(listing_order="newest")
        api.clock.advance(10)
        api.go_live()
        assert api.entries()[1] == "live 7 pending"
        api.add(listing_order="oldest", draft_listed=False)
        api.clock.advance(10)
        api.go_live()
        assert api.entries()[-1] == "live 7 pending"

    def test_one_by_its_id(self, api: Ingestion) -> None:
        """2.3 [O azext]."""
        api.add()
        assert api.get(f"/submission/{api.guid}/7")["target"] == {"targetType": "preview"}
        assert api.get(f"/submission/{api.guid}/0")["target"] == {"targetType": "draft"}
        assert api.ask("GET", f"/submission/{api.guid}/99").status == 404

    def test_two_live_entries_while_a_go_live_runs(self, api: Ingestion) -> None:
        """2.7 [O suse]: the old one, completed, and the new one."""
        api.add()
        api.go_live()
        assert sorted(api.entries()) == ["draft 0 -", "live 6 succeeded", "live 7 pending", "preview 7 succeeded"]
        running = next(one for one in api.listed() if one.get("status") == "running")
        assert running["id"] == f"submission/{api.guid}/7"

    def test_or_the_new_one_alone(self, api: Ingestion) -> None:
        api.add(live_entries="newest")
        api.go_live()
        assert sorted(api.entries()) == ["draft 0 -", "live 7 pending", "preview 7 succeeded"]

    def test_or_without_the_preview_that_it_takes(self, api: Ingestion) -> None:
        """2.7 [I suse]: its reading of a running go-live needs that."""
        api.add(preview_listed_while_live_runs=False)
        api.go_live()
        assert sorted(api.entries()) == ["draft 0 -", "live 6 succeeded", "live 7 pending"]

    @pytest.mark.parametrize(
        ("after", "entries"),
        [
            ("kept", ["draft 0 -", "live 7 succeeded", "preview 7 succeeded"]),  # [I cloudpub]
            ("dropped", ["draft 0 -", "live 7 succeeded"]),  # [I suse]
        ],
    )
    def test_after_a_go_live(self, api: Ingestion, after: str, entries: list[str]) -> None:
        """2.5 [D]: it replaces what was live and represents both; whether the preview's entry stays is not known."""
        api.add(mode="at once", preview_after_golive=after)
        api.go_live()
        assert sorted(api.entries()) == entries

    def test_the_live_submission_may_have_a_number_of_its_own(self, api: Ingestion) -> None:
        """Not known [G]; the docs' "promoted submission" has the preview's."""
        api.add(golive_bumps_version=True)
        api.go_live()
        assert "live 8 pending" in api.entries()
        api.world.end(api.running(), "succeeded")
        assert sorted(api.entries()) == ["draft 0 -", "live 8 succeeded", "preview 7 succeeded"]
        assert api.world.put_in_preview("contoso", "vm").version == 9

    @pytest.mark.parametrize(("switch", "day"), [("own", "14"), ("preview's", "13")])
    def test_a_live_entrys_date(self, api: Ingestion, switch: str, day: str) -> None:
        """Not known [G]: when it was pushed live, or when the preview was made."""
        api.add(mode="at once", live_created=switch)
        api.clock.advance(86_400)
        api.go_live()
        live = api.listed("?targetType=live")[0]
        assert live["created"] == f"2020-09-{day}T12:26:40.0000000Z"

    def test_a_failed_go_live_stands_beside_what_is_live(self, api: Ingestion) -> None:
        """2.7 [O suse]: two live entries, the new one failed."""
        api.add(mode="at once", ends="failed")
        api.go_live()
        assert sorted(api.entries()) == ["draft 0 -", "live 6 succeeded", "live 7 failed", "preview 7 succeeded"]
        api.add(mode="at once", ends="failed", failed_entry="dropped")
        api.go_live()
        assert sorted(api.entries()) == ["draft 0 -", "live 6 succeeded", "preview 7 succeeded"]

    @pytest.mark.parametrize(
        ("switch", "shown"), [("failed", ["live 7 failed"]), ("cancelled", ["live 7 cancelled"]), ("dropped", [])]
    )
    def test_a_cancelled_one(self, api: Ingestion, switch: str, shown: list[str]) -> None:
        """2.7 [D schema]: no result is called cancelled."""
        api.add(mode="at once", ends="canceled", canceled_entry=switch)
        api.go_live()
        assert [entry for entry in api.entries() if entry.startswith("live 7")] == shown

    def test_a_list_that_lags_behind(self, api: Ingestion) -> None:
        """Section 5.2: neither the beginning nor the end is seen at once."""
        api.add(mode="by time", seconds=60, listing_lag_seconds=10)
        before = api.entries()
        job = api.go_live()
        api.clock.advance(9)
        assert api.entries() == before
        api.clock.advance(1)
        assert "live 7 pending" in api.entries()
        api.clock.advance(55)
        assert api.job(job)["jobStatus"] == "completed"
        assert {"live 7 pending", "live 6 succeeded"} <= set(api.entries())
        api.clock.advance(5)
        assert sorted(api.entries()) == ["draft 0 -", "live 7 succeeded", "preview 7 succeeded"]

    def test_a_list_that_lags_behind_shows_the_preview_that_is_gone_by_now(self, api: Ingestion) -> None:
        api.add(mode="by time", seconds=5, listing_lag_seconds=10, preview_after_golive="dropped")
        api.go_live()
        api.clock.advance(12)
        assert sorted(api.entries()) == ["draft 0 -", "live 6 succeeded", "live 7 pending", "preview 7 succeeded"]
        api.clock.advance(5)
        assert sorted(api.entries()) == ["draft 0 -", "live 7 succeeded"]

    def test_a_list_is_in_pages_too(self, api: Ingestion) -> None:
        """2.3 [D]: $maxpagesize."""
        api.add()
        body = api.get(f"/submission/{api.guid}?$maxpagesize=2")
        rest = api.get(body["@nextLink"].partition(api.base)[2])
        assert (len(body["value"]), len(rest["value"])) == (2, 1)
        assert "@nextLink" not in rest


class TestGoingLive:
    def test_it_is_202_with_a_job(self, api: Ingestion) -> None:
        """2.5 [D]: notStarted or running, pending; jobEnd is a placeholder; 7 digits."""
        api.add()
        answer = api.configure(api.submission("live", 7))
        assert answer.status == 202
        assert isinstance(answer.body, dict)
        job = answer.body.pop("jobId")
        assert answer.body == {
            "$schema": f"{SCHEMA}/configure-status/{VERSION}",
            "jobStatus": "notStarted",
            "jobResult": "pending",
            "jobStart": "2020-09-13T12:26:40.0000000Z",
            "jobEnd": "0001-01-01T00:00:00",
            "resourceUri": f"https://product-ingestion.mp.microsoft.com/configure/{job}",
            "errors": [],
        }
        assert {name for name, _ in answer.headers} >= {"MS-RequestId", "MS-CorrelationId"}
        assert api.accepted == 1

    def test_from_running_to_its_end(self, api: Ingestion) -> None:
        """2.6 [D]: notStarted, running, completed; the job lasts as long as the publish [O cloudpub]."""
        api.add(mode="by time", seconds=3600, not_started_reads=1)
        job = api.go_live()
        words = []
        for _ in range(3):
            body = api.job(job)
            words.append((body["jobStatus"], body["jobResult"]))
            api.clock.advance(1800)
        assert words == [("notStarted", "pending"), ("running", "pending"), ("completed", "succeeded")]
        assert api.job(job)["jobEnd"] == "2020-09-13T13:26:40.0000000Z"
        assert api.offer.production is not None
        assert api.offer.production.version == 7

    def test_a_job_that_needs_no_time_is_accepted_first(self, api: Ingestion) -> None:
        api.add(mode="at once", accepted_word="running")
        answer = api.configure(api.submission("live", 7))
        assert isinstance(answer.body, dict)
        assert answer.body["jobStatus"] == "running"
        assert api.job(answer.body["jobId"])["jobStatus"] == "completed"

    def test_polls_of_the_list_count_too(self, api: Ingestion) -> None:
        """2.6 [G]: a job whose id was lost is watched by the list alone."""
        api.add(mode="by polls", polls=3)
        job = api.go_live()
        assert "live 7 pending" in api.entries()
        assert api.get(f"/submission/{api.guid}/7")["status"] == "running"
        assert api.job(job)["jobStatus"] == "completed"

    @pytest.mark.parametrize(("switch", "status"), [("reject", 400), ("accept", 202)])
    def test_without_an_id(self, api: Ingestion, switch: str, status: int) -> None:
        """2.5: the docs demand it [D], Microsoft's sample leaves it out; what the service does is not known."""
        api.add(golive_without_id=switch)
        assert api.configure(api.submission("live")).status == status
        assert api.accepted == (status == 202)

    def test_an_id_of_null_is_not_absent(self, api: Ingestion) -> None:
        """2.4 [O azext]."""
        api.add(golive_without_id="accept")
        assert api.configure(api.submission("live", id=None)).status == 400

    @pytest.mark.parametrize("number", [6, 5])
    def test_a_stale_id(self, api: Ingestion, number: int) -> None:
        """2.8 [O cloudpub 6028eef]: not the latest; by a job or by the answer is not known [G]."""
        api.add()
        api.offer.history.setdefault(5, api.offer.draft)
        job = api.job(api.go_live(number))
        assert (job["jobStatus"], job["jobResult"]) == ("completed", "failed")
        [error] = job["errors"]
        assert (error["code"], error["message"]) == (
            "conflict",
            "The submission cannot be pushed to as its not the latest",
        )
        assert api.accepted == 0
        api.world.set_behaviour("contoso", "vm", api.offer.behaviour.changed({"refuses_by": "answer"}))
        assert api.configure(api.submission("live", number)).status == 409

    def test_an_unknown_id_is_404(self, api: Ingestion) -> None:
        """2.8 [D]."""
        api.add()
        assert api.configure(api.submission("live", 99)).status == 404

    @pytest.mark.parametrize("foreign", ["submission/11111111-1111-1111-1111-111111111111/7", "nonsense", "product/x"])
    def test_an_id_of_another_product_is_refused(self, api: Ingestion, foreign: str) -> None:
        api.add()
        assert api.configure(api.submission("live", id=foreign)).status in (400, 404)
        assert api.accepted == 0

    @pytest.mark.parametrize("code", ["conflict", "Conflict", "invalidState"])
    def test_a_second_one_while_it_runs(self, api: Ingestion, code: str) -> None:
        """2.8 [O cloudpub 6028eef]: an In Progress submission; its code is not recorded [G], capital in samples [D]."""
        api.add(refusal_code=code)
        first = api.go_live()
        refused = api.job(api.go_live())
        assert refused["errors"][0]["message"] == "An In Progress submission already exists"
        assert (refused["errors"][0]["code"], refused["jobResult"]) == (code, "failed")
        assert (api.job(first)["jobStatus"], api.accepted) == ("running", 1)

    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_or_refused_by_the_answer(self, api: Ingestion, status: int) -> None:
        api.add(refuses_by="answer", conflict=status)
        api.go_live()
        refused = api.configure(api.submission("live", 7))
        assert (refused.status, message(refused)) == (status, "An In Progress submission already exists")

    def test_or_answered_with_the_job_that_runs(self, api: Ingestion) -> None:
        api.add(conflict=202)
        first = api.go_live()
        assert api.go_live() == first
        assert api.accepted == 1

    @pytest.mark.parametrize("status", [202, 400, 409])
    def test_what_is_live_already(self, api: Ingestion, status: int) -> None:
        """Not known [G]."""
        api.add(mode="at once", golive_unchanged=status)
        api.go_live()
        assert api.configure(api.submission("live", 7)).status == status

    def test_what_is_live_already_goes_live_again_when_its_preview_was_dropped(self, api: Ingestion) -> None:
        """2.5 [D]: the live submission represents both."""
        api.add(mode="at once", preview_after_golive="dropped")
        api.go_live()
        api.go_live()
        assert (api.accepted, sorted(api.entries())) == (2, ["draft 0 -", "live 7 succeeded"])

    def test_nothing_else_goes_live_directly(self, api: Ingestion) -> None:
        """2.5 [D]: no modular publish to live."""
        api.add()
        listing = {"$schema": f"{SCHEMA}/listing/{VERSION}", "product": f"product/{api.guid}", "title": "New"}
        assert api.configure(listing, api.submission("live", 7)).status == 400

    def test_an_offer_is_deprecated_through_the_same_resource(self, api: Ingestion) -> None:
        """2.7 [D]: lifecycleState deprecated, target live, the live submission's id."""
        api.add()
        job = api.configure(api.submission("live", 6, lifecycleState="deprecated")).body
        assert isinstance(job, dict)
        assert api.job(job["jobId"])["jobResult"] == "succeeded"
        assert api.listed("?targetType=live")[0]["lifecycleState"] == "deprecated"
        assert api.accepted == 0

    @pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"$schema": 5}'])
    def test_what_is_no_configure_payload_is_400(self, api: Ingestion, body: bytes) -> None:
        api.add()
        assert api.ask("POST", "/configure", body).status == 400

    def test_a_payload_must_be_about_one_product(self, api: Ingestion) -> None:
        api.add(name="other")
        other = api.submission("live", 7)
        api.add()
        assert api.configure(other, api.submission("live", 7)).status == 400
        nobody = {**api.submission("live"), "product": {"externalId": "nothing"}}
        assert api.configure(nobody).status == 400

    def test_a_product_may_be_named_by_its_external_id(self, api: Ingestion) -> None:
        """2.2 [D]; exactly {"externalId"} [O lansa]."""
        api.add(golive_without_id="accept")
        named = api.submission("live")
        assert api.configure({**named, "product": {"externalId": "vm"}}).status == 202
        assert api.configure({**named, "product": {"externalID": "vm"}}).status == 400


class TestJobs:
    @pytest.mark.parametrize(
        ("switches", "expected"),
        [
            ({"job_id_name": "jobID"}, {"jobID", "jobStatus"}),
            ({}, {"jobId", "jobStatus"}),
        ],
    )
    def test_the_ids_casing(self, api: Ingestion, switches: dict[str, Any], expected: set[str]) -> None:
        """2.6: jobID in the docs of 2023 [D], jobId on the wire [O]."""
        api.add(**switches)
        answer = api.configure(api.submission("live", 7))
        assert isinstance(answer.body, dict)
        assert answer.body.keys() >= expected

    def test_words_in_pascal_case(self, api: Ingestion) -> None:
        """2.6 [D]: the private offers' table."""
        api.add(mode="at once", words="pascal")
        body = api.job(api.go_live())
        assert (body["jobStatus"], body["jobResult"]) == ("Completed", "Succeeded")

    @pytest.mark.parametrize(
        ("form", "pattern", "end"),
        [
            ("zone", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", "0001-01-01T00:00:00"),
            ("no zone", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", "0001-01-01T00:00:00"),
            ("date", r"\d{4}-\d\d-\d\d", "0001-01-01"),
        ],
    )
    def test_dates(self, api: Ingestion, form: str, pattern: str, end: str) -> None:
        """2.6 [D]: seven digits, sometimes no zone, sometimes the day alone."""
        api.add(dates=form)
        body = api.job(api.go_live())
        assert re.fullmatch(pattern, body["jobStart"])
        assert body["jobEnd"] == end

    def test_an_end_that_is_none(self, api: Ingestion) -> None:
        """2.6 [D]: one running sample carries a real-looking jobEnd."""
        api.add(job_end_while_running="a time")
        body = api.job(api.go_live())
        assert (body["jobStatus"], body["jobEnd"][:4]) == ("running", "2020")

    def test_an_unknown_job_is_404(self, api: Ingestion) -> None:
        """2.8 [D]."""
        api.add()
        assert api.ask("GET", "/configure/nothing/status").status == 404

    def test_the_detail_of_a_job(self, api: Ingestion) -> None:
        """2.3 [D]: fails before the end; then the resources touched."""
        api.add()
        job = api.go_live()
        assert api.ask("GET", f"/configure/{job}").status == 400
        api.world.end(job, "succeeded")
        body = api.get(f"/configure/{job}")
        assert body["$schema"].startswith(f"{SCHEMA}/configure-detail/")
        assert [one["id"] for one in body["resources"]] == [f"submission/{api.guid}/7"]
        assert "validations" not in body["resources"][0]

    def test_a_resource_that_was_taken_may_carry_warnings(self, api: Ingestion) -> None:
        """2.8 [D schema]."""
        api.add(mode="at once", warnings=True)
        body = api.get(f"/configure/{api.go_live()}")
        assert body["resources"][0]["validations"][0]["level"] == "warning"

    @pytest.mark.parametrize("status", [404, 200])
    def test_the_detail_of_a_failed_job(self, api: Ingestion, status: int) -> None:
        """2.3 [O lansa]: 404."""
        api.add(mode="at once", ends="failed", failed_detail=status)
        assert api.ask("GET", f"/configure/{api.go_live()}").status == status

    def test_a_fresh_job_may_be_unknown_for_a_while(self, api: Ingestion) -> None:
        """Section 5.6."""
        api.add(fresh_404_reads=2)
        job = api.go_live()
        assert [api.ask("GET", f"/configure/{job}/status").status for _ in range(3)] == [404, 404, 200]

    def test_a_job_may_be_gone_for_a_while_in_the_middle(self, api: Ingestion) -> None:
        """3.6 [O, of the other API]: the weather of 2026."""
        api.add(job_404_after=100, job_404_seconds=50)
        job = api.go_live()
        found = []
        for _ in range(4):
            found.append(api.ask("GET", f"/configure/{job}/status").status)
            api.clock.advance(50)
        assert found == [200, 200, 404, 200]

    def test_a_job_may_be_forgotten(self, api: Ingestion) -> None:
        """Not known [G]: how long jobs are kept."""
        api.add(mode="at once", job_forgotten_after=60)
        job = api.go_live()
        assert api.job(job)["jobStatus"] == "completed"
        api.clock.advance(60)
        assert api.ask("GET", f"/configure/{job}/status").status == 404
        assert "live 7 succeeded" in api.entries()

    def test_no_more_than_one_status_request_a_minute(self, api: Ingestion) -> None:
        """2.6 [D, private offers]: 429 with Retry-After is generic [D graph]."""
        api.add(job_min_interval=60)
        job = api.go_live()
        assert api.ask("GET", f"/configure/{job}/status").status == 200
        api.clock.advance(20)
        refused = api.ask("GET", f"/configure/{job}/status")
        assert refused.status == 429
        assert ("Retry-After", "40") in refused.headers
        api.clock.advance(40)
        assert api.ask("GET", f"/configure/{job}/status").status == 200

    def test_cancelling_a_go_live_is_refused(self, api: Ingestion) -> None:
        """2.9 [D]: "may be rejected if far enough along"."""
        api.add()
        job = api.go_live()
        assert api.ask("POST", f"/configure/{job}/cancel").status == 400
        assert api.job(job)["jobStatus"] == "running"

    def test_or_it_ends_as_cancelled(self, api: Ingestion) -> None:
        """2.3 [D]: 200, completed and cancelled; a second time 400."""
        api.add(cancel_golive="effective")
        job = api.go_live()
        answer = api.ask("POST", f"/configure/{job}/cancel")
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["jobStatus"], answer.body["jobResult"]) == (200, "completed", "cancelled")
        assert answer.body["errors"][0]["details"][0]["code"] == "operationCanceled"
        again = api.ask("POST", f"/configure/{job}/cancel")
        assert (again.status, message(again)) == (400, "Cannot cancel job, job has already completed.")


class TestFailures:
    def errors(self, api: Ingestion, **behaviour: Any) -> list[Any]:
        api.add(mode="at once", ends="failed", **behaviour)
        body = api.job(api.go_live())
        assert (body["jobStatus"], body["jobResult"]) == ("completed", "failed")
        found: list[Any] = body["errors"]
        return found

    def test_of_the_certification(self, api: Ingestion) -> None:
        """2.8 [O Red Hat's fixture]: three levels."""
        [outer] = self.errors(api)
        assert (outer["code"], outer["message"]) == ("internalServerError", "Operation failed")
        assert outer["resourceId"] == f"submission/{api.guid}/7"
        [middle] = outer["details"]
        assert (middle["code"], middle["message"]) == ("invalidState", "Certification")
        [inner] = middle["details"]
        assert (inner["code"], inner["message"]) == ("invalidState", "Issues found during Certification.")

    def test_flat(self, api: Ingestion) -> None:
        """2.8 [D]: items without details."""
        assert self.errors(api, failure_shape="flat") == [
            {"code": "internalServerError", "message": "Operation failed"}
        ]

    def test_with_a_capital(self, api: Ingestion) -> None:
        """2.8 [D]: samples also show "Conflict"."""
        [error] = self.errors(api, failure_shape="conflict")
        assert (error["code"], "details" in error) == ("Conflict", False)

    def test_with_a_code_that_nobody_knows(self, api: Ingestion) -> None:
        """Section 5.4."""
        [error] = self.errors(api, failure_shape="unknown")
        assert error["code"] == "unheardOf"

    def test_without_any_error(self, api: Ingestion) -> None:
        assert self.errors(api, failure_shape="none") == []

    @pytest.mark.parametrize("shape", ["certification", "flat", "conflict", "unknown"])
    def test_in_somebodys_words(self, api: Ingestion, shape: str) -> None:
        errors = self.errors(api, failure_shape=shape, failure="The image is missing.")
        assert "The image is missing." in str(errors)


class TestPublishing:
    def test_to_preview(self, api: Ingestion) -> None:
        """2.4 [D]: without an id; the new preview overrides the old one."""
        api.add(publish={"mode": "held"})
        answer = api.configure(api.submission("preview"))
        assert answer.status == 202
        assert {"preview 8 pending", "preview 7 succeeded"} <= set(api.entries())
        api.world.end(api.running(), "succeeded")
        assert sorted(api.entries()) == ["draft 0 -", "live 6 succeeded", "preview 8 succeeded"]
        assert api.accepted == 0

    def test_with_the_drafts_id(self, api: Ingestion) -> None:
        """2.4 [O cloudpub]: the draft's entry sent back works too."""
        api.add()
        draft = api.listed()[0]
        pinned = f"{SCHEMA}/submission/{VERSION}"
        answer = api.configure({**draft, "$schema": pinned, "target": {"targetType": "preview"}})
        assert answer.status == 202
        assert "preview 8 succeeded" in api.entries()

    def test_a_preview_that_failed(self, api: Ingestion) -> None:
        """2.7 [O suse]: completed and failed."""
        api.add(publish={"mode": "at once", "ends": "failed"})
        api.configure(api.submission("preview"))
        assert {"preview 8 failed", "preview 7 succeeded"} <= set(api.entries())
        api.world.put_in_preview("contoso", "vm")
        assert "preview 8 failed" not in api.entries()

    def test_not_while_something_runs(self, api: Ingestion) -> None:
        """2.9 [O]: one at a time."""
        api.add(refuses_by="answer")
        api.go_live()
        assert api.configure(api.submission("preview")).status == 409

    def test_a_draft_is_edited_and_goes_live(self, api: Ingestion) -> None:
        """2.3 [D]: configure edits; the trees of the three targets follow."""
        api.add(mode="at once")
        tree = api.get(f"/resource-tree/product/{api.guid}?targetType=draft&$version={VERSION}")
        listing = next(one for one in tree["resources"] if "/schema/listing/" in one["$schema"])
        answer = api.configure({**listing, "title": "A better title"})
        assert isinstance(answer.body, dict)
        detail = api.get(f"/configure/{answer.body['jobId']}")
        assert [one["title"] for one in detail["resources"]] == ["A better title"]
        api.configure(api.submission("preview"))
        api.go_live(8)
        for target in ("draft", "preview", "live"):
            tree = api.get(f"/resource-tree/product/{api.guid}?targetType={target}")
            assert tree["target"] == {"targetType": target}
            assert "A better title" in str(tree)
        assert api.get("/" + listing["id"])["title"] == "A better title"

    def test_an_edit_that_fails_changes_nothing(self, api: Ingestion) -> None:
        """2.8 [O lansa]: "Invalid resource" on top, the reason inside."""
        api.add(edit={"ends": "failed"})
        listing = {"$schema": f"{SCHEMA}/listing/{VERSION}", "product": f"product/{api.guid}", "title": "X"}
        answer = api.configure(listing)
        assert isinstance(answer.body, dict)
        [error] = api.job(answer.body["jobId"])["errors"]
        assert (error["message"], error["details"][0]["code"]) == ("Invalid resource", "businessValidationError")

    def test_a_new_plan_is_referred_to_by_its_resource_name(self, api: Ingestion) -> None:
        """2.2 [D]."""
        api.add()
        plan = {
            "$schema": f"{SCHEMA}/plan/{VERSION}",
            "product": f"product/{api.guid}",
            "resourceName": "p",
            "identity": {"externalId": "second"},
            "alias": "second",
        }
        listing = {
            "$schema": f"{SCHEMA}/plan-listing/{VERSION}",
            "product": f"product/{api.guid}",
            "plan": {"resourceName": "p"},
            "name": "Second",
        }
        assert api.configure(plan, listing).status == 202
        tree = api.get(f"/resource-tree/product/{api.guid}?targetType=draft")
        made = next(one for one in tree["resources"] if one.get("identity") == {"externalId": "second"})
        assert made["id"].startswith(f"plan/{api.guid}/")
        assert next(one for one in tree["resources"] if one.get("name") == "Second")["plan"] == made["id"]

    def test_a_new_product_goes_from_nothing_to_live(self, api: Ingestion) -> None:
        """2.2, 2.3 [D]: a product resource without an id makes one."""
        api.world.add_publisher("contoso")
        identity = {"externalId": "new-saas"}
        made = {"$schema": f"{SCHEMA}/product/{VERSION}", "identity": identity, "type": "softwareAsAService"}
        answer = api.configure({**made, "resourceName": "it", "alias": "New"})
        assert answer.status == 202
        api.offer = api.world.offers["contoso/new-saas"]
        assert api.entries() == ["draft 0 -"]
        assert api.get("/product?externalId=new-saas")["value"][0]["id"] == f"product/{api.guid}"
        api.configure(api.submission("preview"))
        api.go_live(1)
        assert api.world.accepted_golives("contoso", "new-saas") == 1

    @pytest.mark.parametrize(
        ("change", "status"), [({"identity": {"externalId": "NO"}}, 400), ({"type": 5}, 400), ({"identity": None}, 400)]
    )
    def test_a_product_must_be_described(self, api: Ingestion, change: dict[str, Any], status: int) -> None:
        api.world.add_publisher("contoso")
        made = {"$schema": f"{SCHEMA}/product/{VERSION}", "identity": {"externalId": "new"}, "type": "azureContainer"}
        assert api.configure({**made, **change}).status == status
        assert not api.world.offers

    def test_a_stranger_makes_no_product(self, api: Ingestion) -> None:
        made = {"$schema": f"{SCHEMA}/product/{VERSION}", "identity": {"externalId": "new"}, "type": "azureContainer"}
        assert api.configure(made).status == 403

    def test_the_live_tree_of_what_was_never_live_is_400(self, api: Ingestion) -> None:
        """2.3 [O dstarr]."""
        api.add(production=None)
        assert api.ask("GET", f"/resource-tree/product/{api.guid}?targetType=live").status == 400
        assert api.ask("GET", f"/resource-tree/product/{api.guid}?targetType=preview").status == 200

    def test_a_trees_order_is_not_promised(self, api: Ingestion) -> None:
        """2.3 [O cloudpub]."""
        api.add()
        path = f"/resource-tree/product/{api.guid}?targetType=live"
        made = [one["id"] for one in api.get(path)["resources"][:-1]]
        api.add(resources_order="turned")
        assert [one["id"] for one in api.get(path)["resources"][:-1]] == made[::-1]

    def test_an_unknown_resource_is_404(self, api: Ingestion) -> None:
        """2.3."""
        api.add()
        assert api.ask("GET", f"/plan/{api.guid}/nothing").status == 404


def test_a_header_that_is_suddenly_demanded(api: Ingestion) -> None:
    """3.6 [O]: June 2026, at the other API; here a switch."""
    api.add(required_header="x-ms-publisherId")
    path = f"/submission/{api.guid}"
    assert api.ask("GET", path).status == 400
    assert api.ask("GET", path, headers={"X-MS-PublisherId": "42"}).status == 200

"""Every form of an answer that product ingestion and Partner Center are known for leads to the same end, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Forbidden,
    LaunchCanceled,
    LaunchFailed,
    LaunchRefused,
    OfferGoLiveError,
    Refused,
    Unauthorized,
    UnknownOffer,
    WrongApi,
)
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.publishing import OfferKey, Status
from providers.azure_marketplace.request import Action, Request
from providers.azure_marketplace.watching import Limits
from simulator import Simulator
from simulator.faults import Fault
from simulator.world import Api
from tests.unit.worlds import Told

VM = OfferKey("contoso", "vm")
INGESTION: Api = "productIngestion"
CENTER: Api = "partnerCenter"
SIBLINGS = pytest.mark.parametrize("api", [INGESTION, CENTER])
Rule = Callable[..., tuple[GoingLive, Clock]]


def take_live(
    rule: Rule, api: str, *, pin: str | None = None, limits: Limits | None = None, **environment: Any
) -> Launch:
    going_live, clock = rule(AZUREMARKETPLACE_API=api, limits=limits, **environment)
    return going_live.bring_about(Request(VM, pin), None, deadline=clock.monotonic() + 30)


def add(
    simulator: Simulator, api: Api, *, preview: int | None = 7, production: int | None = 6, **behaviour: Any
) -> None:
    settings = {"mode": "by polls", "polls": 3, **behaviour}
    simulator.add_offer("contoso", "vm", api=api, preview=preview, production=production, **settings)


def accepted(simulator: Simulator) -> int:
    return simulator.simulation.world.accepted_golives("contoso", "vm")


def strike(simulator: Simulator, **fault: Any) -> None:
    simulator.faults.add(Fault.model_validate(fault))


def posts(simulator: Simulator) -> int:
    return len(simulator.requests.find(method="POST"))


@pytest.mark.parametrize(
    "behaviour",
    [
        {"accept_code": 200},
        {"accepted_word": "running"},
        {"job_id_name": "jobID"},
        {"external_id_name": "externalID"},
        {"external_id_name": "externalid"},
        {"words": "pascal"},
        {"dates": "no zone"},
        {"dates": "date"},
        {"job_end_while_running": "a time"},
        {"schema_host": "https://product-ingestion.azureedge.net"},
        {"version_required": True},
        {"golive_without_id": "accept"},
        {"live_entries": "newest"},
        {"live_created": "preview's"},
        {"draft_listed": False},
        {"page_size": 1},
        {"page_size": 1, "next_link": "relative", "listing_order": "oldest"},
        {"not_started_reads": 2},
        {"fresh_404_reads": 2},
        {"preview_after_golive": "dropped"},
        {"golive_bumps_version": True},
        {"golive_bumps_version": True, "preview_after_golive": "dropped"},
        {"extra_fields": True},
    ],
    ids=str,
)
def test_every_way_in_which_product_ingestion_says_it(
    simulator: Simulator, rule: Rule, behaviour: dict[str, Any]
) -> None:
    add(simulator, INGESTION, **behaviour)
    launch = take_live(rule, INGESTION)
    assert launch.status is Status.SUCCEEDED
    assert launch.operation_id
    assert launch.live_version == ("8" if behaviour.get("golive_bumps_version") else "7")
    assert accepted(simulator) == 1
    assert take_live(rule, INGESTION).status is Status.SUCCEEDED
    assert accepted(simulator) == 1, "a stack that knows nothing of it finds it live"


@pytest.mark.parametrize(
    "behaviour",
    [
        {"promote_body": "empty"},
        {"publishing_substate": "Published"},
        {"publishing_substate": "ReadyToPublish"},
        {"submission_zero": True},
        {"submission_zero": True, "listing_order": "oldest", "older_submissions": "as they were"},
        {"older_submissions": "archived"},
        {"workflow_entries": 0},
        {"workflow_entries": 1},
        {"workflow_entries": 3},
        {"offer_id_name": "AzureOfferID"},
        {"next_link_name": "@odata.nextLink", "page_sizes": (1,)},
        {"page_sizes": (1, 4), "last_next_link_404": True, "older_submissions": "as they were"},
        {"dates": "no zone"},
        {"error_form": "text"},
        {"fresh_404_reads": 2},
        {"extra_fields": True},
    ],
    ids=str,
)
def test_every_way_in_which_partner_center_says_it(simulator: Simulator, rule: Rule, behaviour: dict[str, Any]) -> None:
    add(simulator, CENTER, **behaviour)
    limits = Limits(settle=0.5)  # or a link too many is looked at for half a minute
    launch = take_live(rule, CENTER, limits=limits)
    assert launch.status is Status.SUCCEEDED
    assert (launch.live_version, launch.preview_version) == ("7", "7")
    assert accepted(simulator) == 1
    assert take_live(rule, CENTER, limits=limits).status is Status.SUCCEEDED
    assert accepted(simulator) == 1, "a stack that knows nothing of it finds it live"


@SIBLINGS
def test_numbers_beyond_what_a_float_holds(simulator: Simulator, rule: Rule, api: Api) -> None:
    add(simulator, api, preview=1152921505696123457, production=1152921505696123456)
    assert take_live(rule, api, pin="1152921505696123457").live_version == "1152921505696123457"


@SIBLINGS
def test_what_is_live_is_not_taken_live_twice(simulator: Simulator, rule: Rule, told: Told, api: Api) -> None:
    add(simulator, api)
    launch = take_live(rule, api)
    going_live, clock = rule(AZUREMARKETPLACE_API=api)
    again = going_live.bring_about(Request(VM, changed=True, triggered=True), launch, deadline=clock.monotonic() + 30)
    assert again == launch
    assert accepted(simulator) == 1
    assert any("takes nothing live twice" in warning for warning in told.warnings)
    assert going_live.foresee(Request(VM, changed=True, triggered=True)).action is not Action.SUBMIT
    simulator.world.put_in_preview("contoso", "vm")
    third = going_live.bring_about(Request(VM, changed=True, triggered=True), launch, deadline=clock.monotonic() + 30)
    assert third.live_version == "8"
    assert accepted(simulator) == 2


@SIBLINGS
@pytest.mark.parametrize("pin", [None, "3"])
def test_numbers_that_do_not_grow(simulator: Simulator, rule: Rule, api: Api, pin: str | None) -> None:
    """Partner Center's were seen not to; product ingestion's look the same."""
    add(simulator, api, preview=3, production=8)
    launch = take_live(rule, api, pin=pin)
    assert (launch.status, launch.live_version, launch.confirmed_live_version) == (Status.SUCCEEDED, "3", "3")
    assert accepted(simulator) == 1


@SIBLINGS
def test_a_wrong_pin_and_nothing_in_preview_are_refused_before_anything_is_sent(
    simulator: Simulator, rule: Rule, api: Api
) -> None:
    add(simulator, api)
    with pytest.raises(LaunchRefused, match="pinned to version 9, but its preview holds version 7"):
        take_live(rule, api, pin="9")
    add(simulator, api, preview=None, production=None)
    with pytest.raises(LaunchRefused, match="nothing in preview"):
        take_live(rule, api)
    assert posts(simulator) == 0


@SIBLINGS
def test_a_preview_that_failed_takes_the_older_ones_place(simulator: Simulator, rule: Rule, api: Api) -> None:
    add(simulator, api, publish={"ends": "failed", "failure": "The icon is missing."})
    offer = simulator.world.offer("contoso", "vm")
    simulator.world.push_preview(offer)
    with pytest.raises(LaunchRefused) as told:
        take_live(rule, api)
    assert "version 7, is not its latest any more" in str(told.value)
    assert "version 8 failed" in str(told.value)
    assert ("The icon is missing." in str(told.value)) is (api == CENTER), "product ingestion tells no reason for that"
    assert posts(simulator) == 0


@SIBLINGS
def test_a_preview_that_is_being_made_is_said_so(simulator: Simulator, rule: Rule, api: Api) -> None:
    add(simulator, api, publish={"mode": "held"})
    simulator.world.push_preview(simulator.world.offer("contoso", "vm"))
    with pytest.raises(LaunchRefused, match="a publish to preview of version 8 is running"):
        take_live(rule, api)
    add(simulator, api, preview=None, production=None, publish={"mode": "held"})
    simulator.world.push_preview(simulator.world.offer("contoso", "vm"))
    with pytest.raises(LaunchRefused, match=r"nothing in preview.*a publish to preview of version 1 is running"):
        take_live(rule, api)
    assert posts(simulator) == 0


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (
            {},
            "Certification failed: Issues found during Certification (invalidState), in: Certification; Operation f",
        ),
        ({"failure_shape": "flat"}, "Operation failed (internalServerError)"),
        ({"failure_shape": "unknown"}, "Nobody knows (neverSeen), in: Something happened"),
        ({"failure_shape": "none"}, "failed (operation submission/"),
        ({"failed_entry": "dropped"}, "Certification failed: "),
    ],
    ids=str,
)
def test_failed_jobs_are_told_from_the_innermost_cause_outward(
    simulator: Simulator, rule: Rule, behaviour: dict[str, Any], words: str
) -> None:
    add(simulator, INGESTION, ends="failed", **behaviour)
    with pytest.raises(LaunchFailed) as told:
        take_live(rule, INGESTION)
    assert words in str(told.value)
    assert accepted(simulator) == 1


@SIBLINGS
@pytest.mark.parametrize("failed_state", ["InProgress", "Published"])
@pytest.mark.parametrize("after", ["failed", "ready"])
def test_a_failed_go_live_is_told_and_mended_as_the_api_allows(
    simulator: Simulator, rule: Rule, api: Api, failed_state: str, after: str
) -> None:
    add(simulator, api, ends="failed", failed_state=failed_state, after_failed_promote=after)
    with pytest.raises(LaunchFailed) as told:
        take_live(rule, api)
    launch = told.value.launch
    assert launch
    assert launch.status is Status.FAILED
    if api == CENTER:
        assert "Certification-10001: No virtual machine image was found for the plan contoso." in str(told.value)
        assert "Certification failed, says the report" in str(told.value)
    behaviour = simulator.world.offer("contoso", "vm").behaviour
    simulator.world.set_behaviour("contoso", "vm", behaviour.changed({"ends": "succeeded"}))
    going_live, clock = rule(AZUREMARKETPLACE_API=api)
    deadline = clock.monotonic() + 30
    if api == CENTER and after == "failed":
        with pytest.raises(LaunchRefused, match=r"a go-live of version 7 failed.*Certification"):
            going_live.bring_about(Request(VM), launch, deadline=deadline)
        simulator.world.put_in_preview("contoso", "vm")
    assert going_live.bring_about(Request(VM), launch, deadline=deadline).status is Status.SUCCEEDED
    assert accepted(simulator) == 2


@SIBLINGS
@pytest.mark.parametrize("after", ["failed", "ready"])
def test_a_cancelled_go_live_is_no_success(simulator: Simulator, rule: Rule, api: Api, after: str) -> None:
    add(simulator, api, ends="canceled", after_failed_promote=after)
    with pytest.raises(LaunchCanceled):
        take_live(rule, api)


@SIBLINGS
@pytest.mark.parametrize("kind", ["service_error", "bad_gateway", "internal_error", "truncated", "malformed", "reset"])
def test_bad_weather_on_reads_ends_no_wait(simulator: Simulator, rule: Rule, api: Api, kind: str) -> None:
    add(simulator, api, polls=4)
    strike(simulator, kind=kind, method="GET", nth=[1, 2, 4, 6, 8])
    assert take_live(rule, api).status is Status.SUCCEEDED
    assert accepted(simulator) == 1


@pytest.mark.parametrize(
    ("api", "weather"),
    [(INGESTION, {"job_404_seconds": 1.0}), (CENTER, {"status_404_seconds": 1.0})],
    ids=[INGESTION, CENTER],
)
@pytest.mark.parametrize("ends", ["succeeded", "failed"])
def test_a_run_of_404_on_status_calls_ends_no_wait_and_fails_no_launch(
    simulator: Simulator, rule: Rule, api: Api, weather: dict[str, Any], ends: str
) -> None:
    add(simulator, api, mode="by time", seconds=0.5, ends=ends, **weather)
    if ends == "succeeded":
        assert take_live(rule, api).status is Status.SUCCEEDED
    else:
        with pytest.raises(LaunchFailed):
            take_live(rule, api)
    assert accepted(simulator) == 1


@SIBLINGS
@pytest.mark.parametrize("kind", ["service_error", "bad_gateway", "reset", "truncated"])
def test_a_lost_answer_to_the_go_live_is_found_again(simulator: Simulator, rule: Rule, api: Api, kind: str) -> None:
    add(simulator, api, polls=2)
    strike(simulator, kind=kind, when="after", method="POST", nth=1)
    assert take_live(rule, api).status is Status.SUCCEEDED
    assert accepted(simulator) == 1


@SIBLINGS
def test_a_header_that_is_suddenly_demanded(simulator: Simulator, rule: Rule, told: Told, api: Api) -> None:
    add(simulator, api, required_header="x-ms-publisherId")
    with pytest.raises(Refused) as refused:
        take_live(rule, api)
    assert "PublisherId is a required header" in str(refused.value)
    assert "azuremarketplace:extraHeaders" in str(refused.value)
    assert posts(simulator) == 0
    headers = json.dumps({"x-ms-publisherId": "1234567"})
    assert take_live(rule, api, AZUREMARKETPLACE_EXTRA_HEADERS=headers).status is Status.SUCCEEDED


@SIBLINGS
def test_a_header_that_is_demanded_in_mid_wait_ends_no_wait(
    simulator: Simulator, rule: Rule, told: Told, api: Api
) -> None:
    add(simulator, api, mode="held")
    going_live, clock = rule(AZUREMARKETPLACE_API=api)
    launch = going_live.bring_about(Request(VM, wait=False), None, deadline=clock.monotonic() + 30)
    operation = simulator.world.offer("contoso", "vm").operations[-1]
    strike(simulator, kind="error", status=400, method="GET", count=12)
    simulator.world.end(operation.id, "succeeded")
    done = going_live.bring_about(Request(VM), launch, deadline=clock.monotonic() + 30)
    assert done.status is Status.SUCCEEDED
    assert any("400" in warning for warning in told.warnings)


@SIBLINGS
@pytest.mark.parametrize("refuses_by", ["job", "answer"])
@pytest.mark.parametrize("conflict", [202, 400, 409])
def test_a_go_live_that_somebody_began_just_before_is_adopted(
    simulator: Simulator, rule: Rule, api: Api, refuses_by: str, conflict: int
) -> None:
    add(simulator, api, mode="by time", seconds=0.6, refuses_by=refuses_by, conflict=conflict, listing_lag_seconds=0.3)
    simulator.world.golive("contoso", "vm", by="portal")
    launch = take_live(rule, api)
    assert launch.status is Status.SUCCEEDED
    assert launch.live_version == "7"
    assert accepted(simulator) == 0


@SIBLINGS
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(401, Unauthorized, "Sign in anew"), (403, Forbidden, "role Manager in Partner Center")],
)
def test_refusals_have_words_of_their_own(
    simulator: Simulator, rule: Rule, api: Api, status: int, kind: type[OfferGoLiveError], words: str
) -> None:
    add(simulator, api)
    strike(simulator, kind="error", status=status, method="POST")
    with pytest.raises(kind) as told:
        take_live(rule, api)
    assert words in str(told.value)
    assert accepted(simulator) == 0


@pytest.mark.parametrize(
    ("api", "offer_type", "right"),
    [
        (INGESTION, "azureApplication", CENTER),
        (INGESTION, "dynamics365BusinessCentral", CENTER),
        (INGESTION, "consultingService", "cloudPartnerPortal"),
        (CENTER, "AzureThirdPartyVirtualMachine", INGESTION),
        (CENTER, "AzureContainer", INGESTION),
    ],
)
def test_an_offer_of_a_type_that_belongs_elsewhere_names_the_api_to_choose(
    simulator: Simulator, rule: Rule, api: Api, offer_type: str, right: str
) -> None:
    simulator.add_offer("contoso", "vm", api=api, preview=7, offer_type=offer_type)
    with pytest.raises(WrongApi) as told:
        take_live(rule, api)
    assert f"Set api to {right}." in str(told.value)
    assert posts(simulator) == 0


@pytest.mark.parametrize(
    ("asked", "api", "offer_type", "named"),
    [
        ("cloudPartnerPortal", INGESTION, "softwareAsAService", INGESTION),
        ("cloudPartnerPortal", CENTER, "AzureApplication", CENTER),
        (INGESTION, "cloudPartnerPortal", "microsoft-azure-virtualmachines", "cloudPartnerPortal"),
        (CENTER, "cloudPartnerPortal", "microsoft-azure-managedservices", "cloudPartnerPortal"),
    ],
)
def test_an_offer_that_the_api_does_not_know_is_looked_for_in_the_others(
    simulator: Simulator, rule: Rule, asked: str, api: Api, offer_type: str, named: str
) -> None:
    simulator.add_offer("contoso", "vm", api=api, preview=7, offer_type=offer_type)
    with pytest.raises(UnknownOffer) as told:
        take_live(rule, asked)
    assert f"set api to {named}" in str(told.value)
    assert told.value.about == "api"
    assert posts(simulator) == 0


def test_an_offer_that_no_api_knows(simulator: Simulator, rule: Rule) -> None:
    with pytest.raises(UnknownOffer, match="Check publisher_id and offer_id"):
        take_live(rule, INGESTION)


def test_other_apis_are_not_asked_at_their_own_addresses_where_this_one_is_a_simulator(
    simulator: Simulator, rule: Rule
) -> None:
    nowhere: dict[str, Any] = {
        "AZUREMARKETPLACE_PRODUCT_INGESTION_ENDPOINT": "https://graph.microsoft.com/rp/product-ingestion",
        "AZUREMARKETPLACE_PARTNER_CENTER_ENDPOINT": "https://api.partner.microsoft.com/v1.0/ingestion",
    }
    with pytest.raises(UnknownOffer, match="Check publisher_id"):
        take_live(rule, "cloudPartnerPortal", **nowhere)


def test_a_job_is_asked_once_a_minute_at_most_unless_a_simulator_is_asked_oftener(
    simulator: Simulator, rule: Rule
) -> None:
    add(simulator, INGESTION, mode="by time", seconds=0.5, job_min_interval=0.2)
    assert (
        take_live(
            rule, INGESTION, AZUREMARKETPLACE_MIN_POLL_INTERVAL="0.25", AZUREMARKETPLACE_MAX_POLL_INTERVAL="1"
        ).status
        is Status.SUCCEEDED
    )
    asked = simulator.requests.find(path="*/status")
    assert 2 <= len(asked) <= 4
    assert all(each.status == 200 for each in asked)

"""The three publishing APIs in one stack on the real engine: the same resource, the same words, the same safety."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.conftest import Project
from tests.engine.portal import control, declare, golives, kill_everything, offer, posts
from tools.local import ENDPOINTS
from tools.simulator_process import Running

NewSimulator = Callable[..., Running]
Start = Callable[..., Running]
PORTAL, INGESTION, CENTER = APIS = ("cloudPartnerPortal", "productIngestion", "partnerCenter")
TYPES = {PORTAL: "microsoft-azure-virtualmachines", INGESTION: "azureVirtualMachine", CENTER: "AzureApplication"}


@pytest.fixture
def start(project: Project, new_simulator: NewSimulator) -> Start:
    """A simulator with these offers (`contoso/<name>`: what the scenario says of it), known to the project."""

    def started(**offers: dict[str, Any]) -> Running:
        listed = [{"offer": f"contoso/{name}", "preview": 7, "production": 6, **spec} for name, spec in offers.items()]
        scenario = {"defaults": {"seconds": 0.5}, "offers": listed}
        running = new_simulator(scenario=json.dumps(scenario))
        for name, path in ENDPOINTS.items():
            project.environment[f"AZUREMARKETPLACE_{name}"] = running.endpoint + path
        project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
        project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
        project.environment["AZUREMARKETPLACE_MAX_POLL_INTERVAL"] = "1"
        return running

    return started


def one_of_each(**spec: Any) -> dict[str, dict[str, Any]]:
    return {api: {"api": api, "offer_type": TYPES[api], **spec} for api in APIS}


def declared(**arguments: Any) -> dict[str, dict[str, Any]]:
    return {api: offer(api, api=api, **arguments) for api in APIS}


def outputs(project: Project, name: str) -> dict[str, Any]:
    return dict(project.resource(name)["outputs"])


def test_the_life_of_one_offer_of_each_api_in_one_stack(project: Project, start: Start) -> None:
    portal = start(**one_of_each(behaviour={"seconds": 2}))
    previewed = declare(project, **declared(triggers={"image": "1"})).preview()
    assert previewed.code == 0, previewed.text
    for api in APIS:
        assert any("preview holds version 7, version 6 is live" in said for said in previewed.messages(api))
    assert posts(portal) == 0, "a preview never writes"

    first = project.up()
    assert first.code == 0, first.text
    for api in APIS:
        done = outputs(project, api)
        assert (done["status"], done["live_version"], done["preview_version"]) == ("succeeded", "7", "7")
        assert done["operation_id"]
        assert project.resource(api)["id"] == f"contoso/{api}"
        assert len(golives(portal, f"contoso/{api}")) == 1
    assert any("/2" in said for said in first.messages(CENTER)), "its workflow's steps are told"

    control(portal, "DELETE", "/requests")
    again = project.up()
    assert again.changes == {"same": 4}, again.text
    assert control(portal, "GET", "/requests") == [], "unchanged resources send nothing"
    refreshed = project.refresh("--expect-no-changes")
    assert refreshed.code == 0, refreshed.text

    for api in APIS:
        control(portal, "POST", f"/offers/contoso/{api}/preview")
    triggered = declare(project, **declared(triggers={"image": "2"})).up()
    assert triggered.code == 0, triggered.text
    for api in APIS:
        assert triggered.steps(api) == ["update"]
        assert outputs(project, api)["live_version"] == "8"
        assert len(golives(portal, f"contoso/{api}")) == 2
    destroyed = project.destroy()
    assert destroyed.code == 0, destroyed.text
    assert posts(portal) == 3, "since the requests were forgotten"


def test_good_and_bad_offers_of_all_three_side_by_side(project: Project, start: Start) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "good": {},
        "failing": {"behaviour": {"ends": "failed"}},
        "canceled": {"behaviour": {"ends": "canceled"}},
        "empty": {"preview": None, "production": None},
        "pinned": {},
    }
    specs = {
        f"{kind}-{api}": {**spec, "api": api, "offer_type": TYPES[api]} for kind, spec in kinds.items() for api in APIS
    }
    specs["application"] = {"api": INGESTION, "offer_type": "azureApplication"}
    specs["machine"] = {"api": INGESTION, "offer_type": "azureVirtualMachine"}
    specs["saas"] = {"api": INGESTION, "offer_type": "softwareAsAService"}
    portal = start(**specs)
    offers = {f"{kind}-{api}": offer(f"{kind}-{api}", api=api) for kind in (*kinds, "missing") for api in APIS}
    for api in APIS:
        offers[f"pinned-{api}"]["offer_version"] = 9
    offers["application"] = offer("application", api=INGESTION)
    offers["machine"] = offer("machine", api=CENTER)
    offers["saas"] = offer("saas")
    declare(project, **offers).configure({"azuremarketplace:preflight": "off"})

    done = project.up("--continue-on-error")

    assert done.code != 0
    assert "Traceback" not in done.text
    told = {name: "\n".join(done.messages(name, "error")) for name in offers}
    for api in APIS:
        assert done.steps(f"good-{api}") == ["create"]
        assert f"The go-live of contoso/failing-{api} failed (operation " in told[f"failing-{api}"]
        assert "was cancelled" in told[f"canceled-{api}"]
        assert "has nothing in preview" in told[f"empty-{api}"]
        assert "pinned to version 9, but its preview holds version 7" in told[f"pinned-{api}"]
        assert f"There is no offer 'missing-{api}' of publisher 'contoso'" in told[f"missing-{api}"]
        for kind in ("empty", "pinned"):
            assert golives(portal, f"contoso/{kind}-{api}") == []
    assert "Certification failed: Issues found during Certification" in told[f"failing-{INGESTION}"]
    assert "No virtual machine image was found for the plan contoso." in told[f"failing-{CENTER}"]
    assert f"Set api to {CENTER}." in told["application"]
    assert f"Set api to {INGESTION}." in told["machine"]
    assert f"set api to {INGESTION}." in told["saas"]
    for name in ("application", "machine", "saas"):
        assert golives(portal, f"contoso/{name}") == []

    checked = declare(project, application=offers["application"]).configure({}).preview()
    assert checked.code != 0
    assert "Set api to partnerCenter." in checked.text, "a preview says so too"


@pytest.mark.parametrize("target", [INGESTION, CENTER])
def test_another_api_for_an_offer_that_is_live_as_wanted_submits_nothing(
    project: Project, start: Start, target: str
) -> None:
    """With a pin too, although the other API may count differently."""
    portal = start(vm={"api": list(APIS), "offer_type": "softwareAsAService" if target == CENTER else TYPES[PORTAL]})
    first = declare(project, vm=offer(offer_version=7)).up()
    assert first.code == 0, first.text
    assert posts(portal) == 1

    previewed = declare(project, vm=offer(offer_version=7, api=target)).preview()
    assert previewed.code == 0, previewed.text
    assert any("Another API is chosen" in said for said in previewed.messages("vm"))
    moved = project.up()
    assert moved.code == 0, moved.text
    assert moved.steps("vm") == ["update"]
    assert posts(portal) == 1, "it is live as wanted"
    assert outputs(project, "vm")["status"] == "succeeded"
    assert project.refresh("--expect-no-changes").code == 0
    assert project.up().changes == {"same": 2}

    control(portal, "POST", "/offers/contoso/vm/preview")
    onward = declare(project, vm=offer(offer_version=8, api=target)).up()
    assert onward.code == 0, onward.text
    assert outputs(project, "vm")["live_version"] == "8"
    assert posts(portal) == 2
    back = declare(project, vm=offer(offer_version=8)).up()
    assert back.code == 0, back.text
    assert posts(portal) == 2


def test_a_pin_that_the_other_api_counts_differently_submits_nothing_by_itself(project: Project, start: Start) -> None:
    portal = start(vm={"api": PORTAL, "preview": 3, "production": 3})
    first = declare(project, vm=offer(offer_version=3)).up()
    assert first.code == 0, first.text
    spec = {"api": INGESTION, "preview": 1152921505696123457, "production": 1152921505696123457}
    control(portal, "PUT", "/offers/contoso/vm", spec)
    moved = declare(project, vm=offer(offer_version=3, api=INGESTION)).up()
    assert moved.code == 0, moved.text
    assert any("counts differently" in said for said in moved.messages("vm"))
    assert outputs(project, "vm")["live_version"] == "1152921505696123457"
    assert project.refresh("--expect-no-changes").code == 0
    assert project.up().changes == {"same": 2}
    triggered = declare(project, vm=offer(offer_version=3, api=INGESTION, triggers={"a": 1})).up()
    assert triggered.code != 0
    assert "pinned to version 3, but its preview holds version 1152921505696123457" in triggered.text
    assert posts(portal) == 0


def test_an_api_that_does_not_take_it_is_refused_in_the_preview(project: Project, start: Start) -> None:
    portal = start(vm={"api": list(APIS), "offer_type": "microsoft-azure-virtualmachines"})
    assert declare(project, vm=offer()).up().code == 0
    previewed = declare(project, vm=offer(api=CENTER)).preview()
    assert previewed.code != 0
    assert f"Set api to {INGESTION}." in previewed.text
    assert posts(portal) == 1


def test_a_go_live_that_runs_is_not_left_behind_in_the_other_api(project: Project, start: Start) -> None:
    portal = start(vm={"api": list(APIS), "behaviour": {"mode": "held"}})
    assert declare(project, vm=offer(wait=False)).up().code == 0
    # Another API shows it too: it is one offer.
    moved = declare(project, vm=offer(wait=False, api=INGESTION)).up()
    assert moved.code == 0, moved.text
    assert outputs(project, "vm")["operation_id"].startswith("submission/")
    assert posts(portal) == 1
    # Where it does not, nothing is submitted beside it.
    control(portal, "PUT", "/offers/contoso/vm", {"api": list(APIS), "preview": 7, "production": 6})
    previewed = declare(project, vm=offer(api=PORTAL)).preview()
    assert previewed.code == 0, previewed.text
    assert "a go-live through another API had not ended when it was last read" in previewed.text
    assert "to be resumed" not in previewed.text
    refused = declare(project, vm=offer(api=PORTAL)).up()
    assert refused.code != 0
    assert "was not seen to end" in refused.text
    assert posts(portal) == 1


def test_without_waiting_interrupted_and_killed_runs_go_on(project: Project, start: Start) -> None:
    portal = start(**one_of_each(behaviour={"mode": "held"}))
    submitted = declare(project, **declared(wait=False)).up()
    assert submitted.code == 0, submitted.text
    assert [outputs(project, api)["status"] for api in APIS] == ["running"] * 3

    waiting = declare(project, **declared()).start("up", "--yes", "--skip-preview")
    waiting.wait_until(lambda: len(control(portal, "GET", "/requests?path=*/status")) > 2)
    time.sleep(1)
    waiting.interrupt()
    interrupted = waiting.wait()
    assert interrupted.code != 0
    assert "goes on" in interrupted.text

    killed = project.start("up", "--yes", "--skip-preview")
    seen = len(control(portal, "GET", "/requests?path=*/status"))
    killed.wait_until(lambda: len(control(portal, "GET", "/requests?path=*/status")) > seen)
    kill_everything(killed)
    project.cancel()
    for api in APIS:
        control(portal, "POST", f"/operations/{golives(portal, f'contoso/{api}')[0]['id']}/finish")
    done = project.up()
    assert done.code == 0, done.text
    assert [outputs(project, api)["status"] for api in APIS] == ["succeeded"] * 3
    assert [len(golives(portal, f"contoso/{api}")) for api in APIS] == [1, 1, 1]


def test_what_somebody_began_or_changed_by_hand_is_adopted_and_seen(project: Project, start: Start) -> None:
    portal = start(**one_of_each(behaviour={"seconds": 1.0}))
    for api in APIS:
        control(portal, "POST", f"/offers/contoso/{api}/golive")
    adopted = declare(project, **declared(offer_version=7)).up()
    assert adopted.code == 0, adopted.text
    assert posts(portal) == 0
    assert [outputs(project, api)["live_version"] for api in APIS] == ["7"] * 3

    for api in APIS:
        control(portal, "POST", f"/offers/contoso/{api}/preview")
        control(portal, "POST", f"/offers/contoso/{api}/golive")
        control(portal, "POST", f"/operations/{golives(portal, f'contoso/{api}')[-1]['id']}/finish")
    refreshed = project.refresh()
    assert refreshed.code == 0, refreshed.text
    assert [outputs(project, api)["live_version"] for api in APIS] == ["8"] * 3
    assert project.preview("--expect-no-changes").code != 0, "pinned to 7, and 8 is live: a difference"


def test_the_default_api_is_the_stacks(project: Project, start: Start) -> None:
    start(**one_of_each())
    project.configure({"azuremarketplace:api": CENTER})
    done = declare(project, center=offer(CENTER), ingestion=offer(INGESTION, api=INGESTION)).up()
    assert done.code == 0, done.text
    assert outputs(project, "center")["operation_id"].startswith("products/")

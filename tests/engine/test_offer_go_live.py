"""The resource on the real engine against the simulator: what a user meets, from the first `up` to `destroy`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Project
from tests.engine.portal import VM, control, declare, golives, offer, posts
from tools.simulator_process import Running

NewSimulator = Callable[..., Running]
OUTPUTS = {
    *("operation_id", "status", "live_version", "preview_version", "submitted_at", "finished_at"),
    *("live_links", "preview_links", "confirmed_live_version", "adopted"),
}


@pytest.fixture
def start(project: Project, new_simulator: NewSimulator) -> Callable[..., Running]:
    """A simulator with these offers (`contoso/<name>`: what the scenario says of it), known to the project."""

    def started(**offers: dict[str, object]) -> Running:
        listed = [{"offer": f"contoso/{name}", "preview": 7, **spec} for name, spec in offers.items()]
        portal = new_simulator(scenario=json.dumps({"defaults": {"seconds": 0.5}, "offers": listed}))
        project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
        project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
        project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
        return portal

    return started


def test_the_life_of_an_offer(project: Project, start: Callable[..., Running]) -> None:
    portal = start(vm={"production": 6, "behaviour": {"seconds": 3}})
    previewed = declare(project, vm=offer(triggers={"image": "1"})).preview()
    assert previewed.code == 0, previewed.text
    assert any("preview holds version 7, version 6 is live" in said for said in previewed.messages("vm"))
    assert posts(portal) == 0, "a preview never writes"

    first = project.up()
    assert first.code == 0, first.text
    state = project.resource("vm")
    assert state["id"] == VM
    assert state["type"] == "pulumi-python:dynamic/azuremarketplace:OfferGoLive"
    assert set(state["outputs"]) >= OUTPUTS
    assert (state["outputs"]["status"], state["outputs"]["live_version"]) == ("succeeded", "7")
    assert any("Certification" in said for said in first.messages("vm"))

    control(portal, "DELETE", "/requests")
    again = project.up()
    assert again.changes == {"same": 2}, again.text
    assert control(portal, "GET", "/requests") == [], "an unchanged resource sends nothing"

    refreshed = project.refresh("--expect-no-changes")
    assert refreshed.code == 0, refreshed.text
    assert project.preview("--expect-no-changes").code == 0

    renamed = declare(project, virtual_machine=offer(triggers={"image": "1"}, aliases=["vm"])).up()
    assert renamed.code == 0, renamed.text
    assert len(golives(portal)) == 1

    triggered = declare(project, virtual_machine=offer(triggers={"image": "2"}, aliases=["vm"])).up()
    assert triggered.code == 0, triggered.text
    assert triggered.steps("virtual_machine") == ["update"]
    assert len(golives(portal)) == 2

    other_name = declare(project, another=offer(triggers={"image": "2"})).up()
    assert other_name.code == 0, other_name.text
    assert len(golives(portal)) == 2, "another resource for the same offer finds it live"

    destroyed = project.destroy()
    assert destroyed.code == 0, destroyed.text
    assert any("stays live" in said for said in destroyed.messages("another"))
    assert control(portal, "GET", f"/offers/{VM}")["production"]["version"] == 7
    assert len(golives(portal)) == 2


def test_good_and_bad_offers_side_by_side(project: Project, start: Callable[..., Running]) -> None:
    portal = start(
        good={},
        failing={"behaviour": {"ends": "failed"}},
        canceled={"behaviour": {"ends": "canceled"}},
        empty={"preview": None},
        pinned={},
        conflicting={"behaviour": {"conflict": 422}},
        nameless={"behaviour": {"location_header": "none"}},
        hostile={"behaviour": {"location_host": "https://attacker.example", "location_form": "absolute"}},
    )
    control(portal, "PUT", "/publishers/fabrikam", {"name": "Fabrikam", "forbidden": True})
    faults = [{"kind": "error", "offer": "contoso/conflicting", "path": "*/golive", "method": "POST", "status": 409}]
    control(portal, "PUT", "/faults", {"faults": faults})
    names = ("good", "failing", "canceled", "empty", "conflicting", "nameless", "hostile")
    offers = {name: offer(name) for name in names}
    offers["pinned"] = offer("pinned", offer_version=8)
    offers["missing"] = offer("missing")
    offers["forbidden"] = {"publisher_id": "fabrikam", "offer_id": "vm"}
    declare(project, **offers).configure({"azuremarketplace:preflight": "off"})

    done = project.up("--continue-on-error")

    assert done.code != 0
    assert "Traceback" not in done.text
    assert done.steps("good") == ["create"]
    for name in ("nameless", "hostile"):
        assert done.steps(name) == ["create"], "an operation without an address of the portal's is found in the list"
    assert any("attacker.example" in warning for warning in done.messages("hostile", "warning"))
    told = {name: "\n".join(done.messages(name, "error")) for name in offers}
    for name, words in {
        "failing": ("go-live of contoso/failing failed", "No virtual machine image was found", "submits it again"),
        "canceled": ("was cancelled", "submits it again"),
        "empty": ("has nothing in preview", "Publish it to preview first"),
        "pinned": ("pinned to version 8", "preview holds version 7", "nothing was submitted"),
        "conflicting": ("409 Conflict). It says",),
        "missing": ("There is no offer 'missing' of publisher 'contoso'", "nothing was submitted"),
        "forbidden": ("403", "Correlation id", "User does not have the required permissions", "enterprise application"),
    }.items():
        for word in words:
            assert word in told[name], f"{name}: {word!r} is not in {told[name]!r}"
        assert told[name].count(words[0]) == 1, f"{name} is told more than once: {told[name]!r}"

    failing = project.resource("failing")
    assert failing["outputs"]["status"] == "failed"
    assert failing["initErrors"]

    control(portal, "PATCH", "/offers/contoso/failing/behaviour", {"ends": "succeeded"})
    declare(project, good=offer("good"), failing=offer("failing"), hostile=offer("hostile"))
    mended = project.up()
    assert mended.code == 0, mended.text
    assert len(golives(portal, "contoso/failing")) == 2
    assert len(golives(portal, "contoso/hostile")) == 1, "what was accepted is found again, and not sent again"
    assert project.resource("failing")["outputs"]["status"] == "succeeded"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "publisher": ({"publisher_id": ""}, "publisher_id must not be empty"),
    "dots": ({"offer_id": ".."}, "offer_id must be an id"),
    "slash": ({"offer_id": "a/b"}, "offer_id must be an id"),
    "version": ({"offer_version": "7.5"}, "offer_version must be a whole number"),
    "version_list": ({"offer_version": [7]}, "offer_version must be a whole number"),
    "huge": ({"offer_version": 2**53 + 1}, "too large for a number"),
    "triggers": ({"triggers": "x"}, "triggers must be a mapping"),
    "wait": ({"wait": "yes"}, "wait must be true or false"),
    "api": ({"api": "cpp"}, "api must be one of"),
}


def test_bad_inputs_are_named_in_the_users_words_before_anything_is_sent(
    project: Project, start: Callable[..., Running]
) -> None:
    portal = start(vm={})
    for bad, sentence in BAD.values():
        refused = declare(project, bad=offer(**bad) if "offer_id" not in bad else {**offer(), **bad}).preview()
        assert refused.code != 0, sentence
        assert sentence in refused.text, refused.text
        assert "Traceback" not in refused.text
    assert control(portal, "GET", "/requests") == []


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("endpoint", "http://example.com", "must begin with https://"),
        ("endpoint", "https://user@example.com", "must be an address"),
        ("minPollInterval", "0", "must be a number of seconds"),
        ("preflight", "maybe", "must be fail, warn or off"),
        ("resubmitFailed", "never", "must be true or false"),
        ("extraHeaders", "[]", "must be an object of headers"),
        ("api", "cpp", "must be one of"),
    ],
)
def test_bad_settings_are_named(project: Project, key: str, value: str, sentence: str) -> None:
    declare(project, vm=offer()).configure({f"azuremarketplace:{key}": value})
    for run in (project.preview, project.up):
        refused = run()
        assert refused.code != 0
        assert f"azuremarketplace:{key} {sentence}" in refused.text, refused.text
        assert "Traceback" not in refused.text


def test_nobody_waits_and_a_later_up_picks_the_result_up(project: Project, start: Callable[..., Running]) -> None:
    portal = start(vm={"behaviour": {"mode": "held"}})
    submitted = declare(project, vm=offer(wait=False)).up()
    assert submitted.code == 0, submitted.text
    assert project.resource("vm")["outputs"]["status"] == "running"

    hourly = project.up()
    assert hourly.code == 0, hourly.text
    assert project.resource("vm")["outputs"]["status"] == "running"

    control(portal, "POST", f"/operations/{golives(portal)[0]['id']}/finish")
    picked_up = project.up()
    assert picked_up.code == 0, picked_up.text
    assert project.resource("vm")["outputs"]["status"] == "succeeded"
    assert project.up().changes == {"same": 2}
    assert len(golives(portal)) == 1


def test_a_schedule_submits_nothing_again_that_has_failed(project: Project, start: Callable[..., Running]) -> None:
    portal = start(vm={"behaviour": {"mode": "by time", "ends": "failed", "seconds": 0}})
    assert declare(project, vm=offer()).up().code != 0

    project.environment["AZUREMARKETPLACE_RESUBMIT_FAILED"] = "false"
    foretold = project.preview()
    assert "It is not to be submitted again, since resubmitFailed is false" in foretold.text, foretold.text
    for _ in range(2):
        hourly = project.up()
        assert hourly.code != 0
        assert "The go-live of contoso/vm failed" in hourly.text, hourly.text
        assert "run `pulumi up` without resubmitFailed set to false" in hourly.text, hourly.text
        assert project.resource("vm")["outputs"]["status"] == "failed"
    assert len(golives(portal)) == 1

    del project.environment["AZUREMARKETPLACE_RESUBMIT_FAILED"]
    control(portal, "PATCH", f"/offers/{VM}/behaviour", {"ends": "succeeded"})
    by_hand = project.up()
    assert by_hand.code == 0, by_hand.text
    assert len(golives(portal)) == 2


def test_a_custom_timeout_ends_the_wait_and_the_next_up_resumes(
    project: Project, start: Callable[..., Running]
) -> None:
    portal = start(vm={"behaviour": {"mode": "held"}})
    late = declare(project, vm=offer(timeout="2s")).up()
    assert late.code != 0
    assert "The time for contoso/vm is up" in late.text
    assert "Traceback" not in late.text
    assert project.resource("vm")["outputs"]["status"] == "running"

    control(portal, "POST", f"/operations/{golives(portal)[0]['id']}/finish")
    resumed = project.up()
    assert resumed.code == 0, resumed.text
    assert len(golives(portal)) == 1


def test_an_older_go_live_does_not_answer_a_request_whose_wait_for_it_was_cut_short(
    project: Project, start: Callable[..., Running]
) -> None:
    portal = start(vm={"behaviour": {"mode": "held"}})
    assert declare(project, vm=offer(offer_version=7, wait=False)).up().code == 0
    control(portal, "POST", f"/offers/{VM}/preview", {"version": 8})
    cut_short = declare(project, vm=offer(offer_version=8, timeout="2s")).up()
    assert "The time for contoso/vm is up" in cut_short.text
    assert project.resource("vm")["outputs"]["adopted"] is True

    control(portal, "POST", f"/operations/{golives(portal)[0]['id']}/finish")
    control(portal, "PATCH", f"/offers/{VM}/behaviour", {"mode": "by time"})
    resumed = project.up()

    assert resumed.code == 0, resumed.text
    assert project.resource("vm")["outputs"]["live_version"] == "8"
    assert project.resource("vm")["outputs"]["adopted"] is False
    assert len(golives(portal)) == 2
    assert project.up().changes == {"same": 2}


@pytest.mark.parametrize(
    "recorded", sorted(Path(__file__).with_name("states").glob("*.json")), ids=lambda path: path.stem
)
def test_recorded_state_of_every_release_previews_without_change(
    project: Project, start: Callable[..., Running], recorded: Path
) -> None:
    """The first of a series: one file for each release, never changed afterwards."""
    portal = start(vm={})
    state = json.loads(recorded.read_text())
    declare(project, **state["offers"])
    imported = project.folder / "recorded.json"
    imported.write_text(json.dumps(state["export"]))
    assert project.start("stack", "import", "--file", str(imported), events=False).wait().code == 0

    previewed = project.preview("--expect-no-changes")

    assert previewed.code == 0, previewed.text
    assert posts(portal) == 0


def test_a_request_that_hangs_does_not_outlast_the_custom_timeout_by_much(
    project: Project, start: Callable[..., Running]
) -> None:
    portal = start(vm={"behaviour": {"mode": "held"}})
    hangs = {"kind": "timeout", "offer": "contoso/vm", "path": "*/operations/*", "method": "GET"}
    control(portal, "PUT", "/faults", {"faults": [hangs]})
    began = time.monotonic()
    late = declare(project, vm=offer(timeout="6s")).up()
    assert late.code != 0
    assert "The time for contoso/vm is up" in late.text, late.text
    assert time.monotonic() - began < 90, "one request may take two minutes by default"
    assert project.resource("vm")["outputs"]["status"] == "running"

"""What a preview tells, what it refuses, when it only warns; and what a refresh and a drift alarm see. Real engine."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.engine.conftest import Project, Result
from tests.engine.portal import VM, control, declare, golives, offer, posts
from tools.simulator_process import Running

NewSimulator = Callable[..., Running]
Start = Callable[..., Running]


@pytest.fixture
def start(project: Project, new_simulator: NewSimulator) -> Start:
    """A simulator with these offers (`contoso/<name>`), whose go-lives end at once or when the scenario says."""

    def started(**offers: dict[str, object]) -> Running:
        listed = [{"offer": f"contoso/{name}", "preview": 7, **spec} for name, spec in offers.items()]
        portal = new_simulator(scenario=json.dumps({"defaults": {"mode": "at once"}, "offers": listed}))
        project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
        project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
        project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
        return portal

    return started


@contextmanager
def asking_nothing(portal: Running) -> Iterator[None]:
    control(portal, "DELETE", "/requests")
    yield
    assert control(portal, "GET", "/requests") == []


def told(result: Result, name: str, *words: str, severity: str = "") -> None:
    """That the resource's own row, or what stands under it, has these words."""
    said = "\n".join(result.messages(name, severity))
    for word in words:
        assert word in said, f"{word!r} is not in what was said of {name}: {said!r}\n{result.text}"
    assert "Traceback" not in result.text


def by_hand(portal: Running, name: str, version: int) -> None:
    """A person publishes a version in the portal and presses the button."""
    control(portal, "POST", f"/offers/{name}/preview", {"version": version})
    control(portal, "POST", f"/offers/{name}/golive")
    give_up = time.monotonic() + 20
    while golives(portal, name)[-1]["status"] in ("not started", "running", "notStarted"):
        assert time.monotonic() < give_up, golives(portal, name)
        time.sleep(0.05)


def test_it_tells_what_up_would_do_with_each_offer(project: Project, start: Start) -> None:
    portal = start(
        fresh={"production": 6},
        first={},
        running={"behaviour": {"mode": "held"}},
        pinned={"preview": 8, "production": 7},
        done={},
    )
    control(portal, "POST", "/offers/contoso/running/golive")
    by_hand(portal, "contoso/done", 9)
    before = posts(portal)
    offers = {name: offer(name) for name in ("fresh", "first", "running")}
    # Triggers that are new with the resource change nothing: there is nothing yet that they could have answered.
    offers["done"] = offer("done", triggers={"image": "1"})
    previewed = declare(project, **offers, pinned=offer("pinned", offer_version=7)).preview()

    assert previewed.code == 0, previewed.text
    told(previewed, "fresh", "preview holds version 7, version 6 is live", "Version 7 is to be submitted to go live")
    told(previewed, "first", "preview holds version 7, nothing is live", "is to be submitted")
    told(previewed, "running", "A go-live is running: it is to be adopted, and nothing submitted")
    told(previewed, "done", "Nothing is to be submitted: what is in preview went live already")
    told(previewed, "pinned", "preview holds version 8, version 7 is live", "Nothing is to be submitted")
    assert posts(portal) == before, "a preview never writes"

    for operation in golives(portal, "contoso/running"):
        control(portal, "POST", f"/operations/{operation['id']}/finish")
    done = project.up()
    assert done.code == 0, done.text
    counts = {name: len(golives(portal, f"contoso/{name}")) for name in (*offers, "pinned")}
    assert counts == {"fresh": 1, "first": 1, "running": 1, "done": 1, "pinned": 0}, "as the preview said"


def test_it_tells_that_an_interrupted_go_live_is_to_be_resumed_and_a_failed_one_submitted_again(
    project: Project, start: Start
) -> None:
    portal = start(late={"behaviour": {"mode": "held"}}, failing={"behaviour": {"ends": "failed"}})
    offers = {"late": offer("late", timeout="2s"), "failing": offer("failing")}
    assert declare(project, **offers).up("--continue-on-error").code != 0
    id_ = golives(portal, "contoso/late")[0]["id"]

    with asking_nothing(portal):
        previewed = project.preview()
    assert previewed.code == 0, previewed.text
    told(previewed, "late", "is to be resumed", id_, "nothing submitted while it runs")
    told(previewed, "failing", "ended as failed", "is to be submitted again")
    assert previewed.changes == {"same": 1, "update": 2}

    offers["late"] = offer("late", triggers={"image": "2"})
    changed = declare(project, **offers).preview()
    assert changed.code == 0, changed.text
    told(changed, "late", "A go-live is running", "What is asked for now comes after it")


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "missing": (offer("missing"), ("There is no offer 'missing' of publisher 'contoso'", "Check publisher_id")),
    "unpublished": (
        offer("unpublished"),
        ("contoso/unpublished has nothing in preview", "(version 6 is live)", "Publish it to preview first"),
    ),
    "pinned": (
        offer("pinned", offer_version=8),
        ("contoso/pinned is pinned to version 8, but its preview holds version 7", "Publish version 8 to preview"),
    ),
}


def test_an_offer_that_cannot_go_live_fails_the_preview_by_name(project: Project, start: Start) -> None:
    portal = start(good={}, pinned={}, unpublished={"preview": None, "production": 6})
    for name, (arguments, words) in REFUSED.items():
        refused = declare(project, **{name: arguments}).preview()
        assert refused.code != 0
        told(refused, name, *words, severity="error")
    assert project.up().code != 0
    assert posts(portal) == 0


@pytest.mark.parametrize("mode", ["warn", "off", "false", False, True, "true", "fail"], ids=repr)
def test_preflight_says_what_becomes_of_a_refusal(project: Project, start: Start, mode: object) -> None:
    portal = start(good={}, pinned={}, unpublished={"preview": None, "production": 6})
    offers = {name: arguments for name, (arguments, _) in REFUSED.items()}
    declare(project, good=offer("good"), **offers).configure({"azuremarketplace:preflight": mode})

    previewed = project.preview()

    if mode in ("fail", "true", True):
        assert previewed.code != 0
    else:
        assert previewed.code == 0, previewed.text
    if mode == "warn":
        told(previewed, "good", "is to be submitted")
        for name, (_, words) in REFUSED.items():
            told(previewed, name, *words, severity="warning")
        mixed = project.up("--continue-on-error")
        assert mixed.code != 0
        assert mixed.steps("good") == ["create"], "broken offers do not hold up the good one"
        assert (posts(portal), len(golives(portal, "contoso/good"))) == (1, 1)
    if mode in ("off", "false", False):
        assert control(portal, "GET", "/requests") == [], "nothing is sent"


def test_without_sign_in_or_with_the_portal_down_it_warns_and_says_what_was_not_checked(
    project: Project, start: Start
) -> None:
    portal = start(vm={})
    declare(project, vm=offer(), other=offer("other"))
    environment = project.environment

    environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = ""
    environment["AZUREMARKETPLACE_USE_CLI"] = "false"
    with asking_nothing(portal):
        nobody = project.preview()
    assert nobody.code == 0, nobody.text
    for name in ("vm", "other"):
        told(nobody, name, f"contoso/{name} was not checked", "shows in `pulumi up`", severity="warning")
    assert project.up().code != 0, "up cannot do without"

    environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
    control(portal, "PUT", "/faults", {"faults": [{"kind": "unavailable"}]})
    began = time.monotonic()
    overloaded = project.preview()
    assert overloaded.code == 0, overloaded.text
    told(overloaded, "vm", "contoso/vm was not checked", "503", severity="warning")

    environment["AZUREMARKETPLACE_ENDPOINT"] = "http://127.0.0.1:1"
    down = project.preview()
    assert down.code == 0, down.text
    told(down, "vm", "contoso/vm was not checked", "127.0.0.1:1", severity="warning")
    assert time.monotonic() - began < 90, "a person is waiting"
    assert posts(portal) == 0


def test_what_is_unchanged_sends_nothing_and_a_drift_alarm_stays_silent(project: Project, start: Start) -> None:
    portal = start(vm={}, pinned={"preview": 8})
    declare(project, vm=offer(triggers={"image": "1"}), pinned=offer("pinned", offer_version=8))
    assert project.up().code == 0

    with asking_nothing(portal):
        assert project.preview("--expect-no-changes").code == 0
        assert project.up("--expect-no-changes").code == 0
    before = posts(portal)
    alarm = project.preview("--refresh", "--expect-no-changes")
    assert alarm.code == 0, alarm.text
    refreshed = project.refresh("--expect-no-changes")
    assert refreshed.code == 0, refreshed.text
    assert posts(portal) == before


EVERY_OUTPUT = """
    pulumi.export(f"{name} as reported", resource.report)
    pulumi.export(f"{name} by", resource.api)
"""


def test_outputs_without_a_value_are_no_difference(project: Project, start: Start) -> None:
    """Pulumi takes what has no value for unknown in a preview: here the operation, since nothing was submitted."""
    portal = start(live={"production": 7}, other={})

    def program(**offers: dict[str, Any]) -> Project:
        declare(project, **offers)
        return project.program((project.folder / "__main__.py").read_text() + EVERY_OUTPUT)

    assert program(live=offer("live", offer_version=7), other=offer("other")).up().code == 0
    assert project.outputs()["live as reported"]["operation_id"] is None
    for flags in (["--diff"], ["--refresh"]):
        same = project.preview("--expect-no-changes", *flags)
        assert same.code == 0, same.text
        assert "unknown" not in same.text
        assert "utputs:" not in same.text, same.text
    assert posts(portal) == 1

    changed = program(live=offer("live", offer_version=7, triggers={"image": "2"}), other=offer("other"))
    previewed = changed.preview()
    assert previewed.code == 0, previewed.text
    assert re.search(r"operation_id *: \[unknown\]", previewed.text), "that `up` may change is not known"


def test_a_pinned_offer_that_drifted_sounds_the_alarm(project: Project, start: Start) -> None:
    portal = start(pinned={}, free={})
    declare(project, pinned=offer("pinned", offer_version=7), free=offer("free"))
    assert project.up().code == 0
    by_hand(portal, "contoso/pinned", 8)

    alarm = project.preview("--refresh", "--expect-no-changes")
    assert alarm.code != 0
    assert "no changes were expected" in alarm.text
    told(alarm, "pinned", "has drifted", "Version 7 was live", "version 8 is live now")
    assert not any("drifted" in said for said in alarm.messages("free"))

    assert project.refresh().code == 0
    assert project.resource("pinned")["outputs"]["live_version"] == "8", "the portal's truth"
    again = project.preview()
    assert again.changes["update"] == 1, again.text
    stubborn = project.up()
    assert stubborn.code != 0, "version 7 is in preview no more"
    told(stubborn, "pinned", "pinned to version 7, but its preview holds version 8")
    reviewed = declare(project, pinned=offer("pinned", offer_version=8), free=offer("free")).up()
    assert reviewed.code == 0, reviewed.text
    assert project.preview("--refresh", "--expect-no-changes").code == 0
    assert len(golives(portal, "contoso/pinned")) == 2


def test_an_offer_that_is_gone_leaves_the_state(project: Project, start: Start) -> None:
    portal = start(vm={}, gone={})
    declare(project, vm=offer(), gone=offer("gone"))
    assert project.up().code == 0
    control(portal, "DELETE", "/offers/contoso/gone")

    assert project.preview("--refresh", "--expect-no-changes").code != 0
    refreshed = project.refresh()
    assert refreshed.code == 0, refreshed.text
    assert not [each for each in project.state()["resources"] if each["urn"].endswith("::gone")]
    assert project.resource("vm")["outputs"]["status"] == "succeeded"


def test_a_go_live_started_by_hand_is_seen_by_a_refresh_and_resumed(project: Project, start: Start) -> None:
    portal = start(vm={})
    declare(project, vm=offer())
    assert project.up().code == 0
    control(portal, "PATCH", f"/offers/{VM}/behaviour", {"mode": "held"})
    control(portal, "POST", f"/offers/{VM}/preview", {"version": 8})
    control(portal, "POST", f"/offers/{VM}/golive")
    operation = next(each for each in golives(portal) if each["status"] not in ("succeeded", "completed"))

    assert project.refresh().code == 0
    seen = project.resource("vm")["outputs"]
    assert (seen["status"], seen["operation_id"], seen["preview_version"]) == ("running", operation["id"], "8")
    told(project.preview(), "vm", "is to be resumed", operation["id"])

    control(portal, "POST", f"/operations/{operation['id']}/finish")
    resumed = project.up()
    assert resumed.code == 0, resumed.text
    assert project.resource("vm")["outputs"]["live_version"] == "8"
    assert len(golives(portal)) == 2
    assert project.preview("--refresh", "--expect-no-changes").code == 0


def test_a_portal_that_cannot_be_read_fails_a_refresh_and_changes_nothing(project: Project, start: Start) -> None:
    portal = start(vm={})
    declare(project, vm=offer())
    assert project.up().code == 0
    control(portal, "PUT", "/publishers/contoso", {"forbidden": True})
    failed = project.refresh()
    assert failed.code != 0
    told(failed, "vm", "contoso/vm could not be refreshed", "403")
    assert project.resource("vm")["outputs"]["status"] == "succeeded"


UNKNOWN_TRIGGERS = """
import pulumi
from providers.azure_marketplace import OfferGoLive

first = OfferGoLive("first", publisher_id="contoso", offer_id="first", offer_version=OFFER_VERSION)
OfferGoLive("second", publisher_id="contoso", offer_id="second", triggers={"first": first.live_version})
"""


def test_triggers_that_are_not_known_yet_are_told_as_such(project: Project, start: Start) -> None:
    start(first={}, second={})
    assert project.program(UNKNOWN_TRIGGERS.replace("OFFER_VERSION", "None")).up().code == 0

    previewed = project.program(UNKNOWN_TRIGGERS.replace("OFFER_VERSION", "7")).preview()

    assert previewed.code == 0, previewed.text
    told(previewed, "second", "Its triggers are not known yet: if they turn out to be the same, they ask for nothing")

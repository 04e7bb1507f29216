"""The clients of the two newer APIs over a wire without sockets: how often they ask, what they make of odd answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from providers.azure_marketplace.errors import (
    InvalidInput,
    LaunchFailed,
    LaunchLost,
    LaunchRefused,
    LaunchUnknown,
    NotFound,
    Overloaded,
    Refused,
    RefusedAfterwards,
    StillRunning,
    Unreadable,
    UntrustedAddress,
    WrongApi,
)
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.launch import Launch, instant
from providers.azure_marketplace.publishing import Kind, PublishingApi, Slot, Status, same
from providers.azure_marketplace.request import Request
from providers.azure_marketplace.settings import misspelt_variable, read_settings
from providers.azure_marketplace.transport import Answer as TransportAnswer
from providers.azure_marketplace.watching import Limits
from simulator.behaviour import Behaviour
from simulator.http_terms import Answer
from tests.unit.engine_model import Stack
from tests.unit.wires import APIS, Wire, client_of, wire_with
from tests.unit.worlds import OFFER, FakeClock, Told, accepted

INGESTION, CENTER = APIS[1:]
SIBLINGS = pytest.mark.parametrize("api", [INGESTION, CENTER])


class _Scripted(Wire):
    """A wire whose answers are given: by the end of the path, what is answered, the last one for ever."""

    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        super().__init__(wire_with(FakeClock(), INGESTION).portal, FakeClock())
        self.answers = answers

    def _answer(self, method: str, url: str, body: bytes, headers: Any) -> Any:
        for end, listed in self.answers.items():
            if url.partition("?")[0].endswith(end):
                answer = listed.pop(0) if len(listed) > 1 else listed[0]
                return self._response(answer.status, answer.content, dict(answer.headers))
        return self._response(404, b"")


def listing(*items: dict[str, Any], **more: Any) -> Answer:
    return Answer(200, {"value": list(items), **more})


def ingestion(**answers: list[Answer]) -> PublishingApi:
    found = listing({"id": "product/p-1", "identity": {"externalID": "vm"}, "type": "azureVirtualMachine"})
    by_path = {name.replace("__", "/"): listed for name, listed in answers.items()}
    return client_of(INGESTION, _Scripted({"/product": [found], **by_path}))


def submission(
    number: int, target: str, status: str = "completed", result: str = "succeeded", **more: Any
) -> dict[str, Any]:
    target_and_end = {"target": {"targetType": target}, "status": status, "result": result}
    return {"id": f"submission/p-1/{number}", **target_and_end, **more}


def made(hour: int) -> str:
    return f"2026-01-01T{hour:02}:00:00.1234567Z"


def center(*submissions: dict[str, Any], **answers: list[Answer]) -> PublishingApi:
    found = listing({"id": "p-1", "externalIDs": [{"type": "AzureOfferId", "value": "vm"}], "resourceType": "X"})
    by_path = {name.replace("__", "/"): listed for name, listed in answers.items()}
    return client_of(CENTER, _Scripted({"/products": [found], **by_path, "/submissions": [listing(*submissions)]}))


def state(number: Any, state: str, substate: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "state": state, "substate": substate, **more}


@pytest.mark.parametrize("ends", ["succeeded", "failed"])
@pytest.mark.parametrize("fault", ["", "503", "404", "429", "lost", "unreadable"])
def test_a_job_is_asked_once_a_minute_at_most_whatever_the_weather(ends: str, fault: str) -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=3000.0, ends=ends)
    asked: list[float] = []
    request = wire.request

    def counted(method: str, url: str, **rest: Any) -> Any:
        if "/status" in url:
            asked.append(clock.seconds)
        return request(method, url, **rest)

    wire.request = counted  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(INGESTION, wire), clock)
    wire.faults.reads = [""] * 6 + [fault] * 30
    error = stack.up()
    assert (error is None) if ends == "succeeded" else isinstance(error, LaunchFailed)
    assert len(asked) > 5
    assert min(later - one for one, later in pairwise(asked)) >= 60


@pytest.mark.parametrize("word", ["running", "completed"])
@pytest.mark.parametrize("wait", [True, False])
def test_a_job_that_is_stuck_does_not_hide_that_its_submission_is_live(word: str, wait: bool) -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=600.0)
    asked: list[float] = []
    answer = wire.portal.ask

    def stuck(method: str, url: str, **rest: Any) -> Answer:
        if "/status" not in url:
            return answer(method, url, **rest)
        asked.append(clock.seconds)
        return Answer(200, {"jobId": "j", "jobStatus": word, "jobResult": "pending", "errors": []})

    wire.portal.ask = stuck  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(INGESTION, wire), clock, wait=wait)
    assert stack.up() is None
    if not wait:
        clock.pass_by(600.0)
        assert stack.up() is None, "one reading is enough for a run that does not wait"
    assert stack.launch
    assert (stack.launch.status, stack.launch.live_version) == (Status.SUCCEEDED, "7")
    assert clock.seconds < 900
    assert all(later - one >= 60 for one, later in pairwise(asked))
    assert accepted(wire.portal.simulation.world) == 1


@pytest.mark.parametrize(
    "listed",
    [
        [submission(7, "live", "running", "pending"), submission(6, "live")],
        [submission(7, "live", "completed", "failed"), submission(8, "live")],
        [submission(7, "preview"), submission(8, "live")],
    ],
)
def test_a_running_job_is_not_overruled_by_anything_less(listed: list[dict[str, Any]]) -> None:
    job = Answer(200, {"jobId": "j", "jobStatus": "running", "jobResult": "pending"})
    api = ingestion(status=[job], **{"submission__p-1": [listing(*listed)]})
    assert api.operation(OFFER, "submission/p-1/7#j").status is Status.RUNNING


def test_an_earlier_tries_failure_in_a_list_is_not_that_of_a_job_that_cannot_be_found_for_a_while() -> None:
    """Jobs that run were not found for a while at times [O]; the list shows the submission's first try still."""
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=3600.0)
    answer, since = wire.portal.ask, clock.seconds

    def forgetful(method: str, url: str, **rest: Any) -> Answer:
        if "/status" in url and 60 < clock.seconds - since < 840:
            return Answer(404)
        if re.search(r"/submission/[^/]+[?]", url) and clock.seconds - since < 840:
            return listing(submission(7, "live", "completed", "failed"), submission(7, "preview"))
        return answer(method, url, **rest)

    wire.portal.ask = forgetful  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(INGESTION, wire), clock)
    assert stack.up() is None
    assert accepted(wire.portal.simulation.world) == 1


def test_a_submission_that_cannot_be_read_holds_its_go_live_up_for_a_moment_only() -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION)
    answer, submission_itself, asked = wire.portal.ask, re.compile(r"/submission/[^/?]+/7\?"), [0]

    def broken(method: str, url: str, **rest: Any) -> Answer:
        if submission_itself.search(url):
            asked[0] += 1
            return Answer(500)
        return answer(method, url, **rest)

    wire.portal.ask = broken  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(INGESTION, wire), clock)
    assert stack.up() is None
    assert accepted(wire.portal.simulation.world) == 1
    assert asked[0] > 3


def test_an_answer_that_wants_a_job_left_alone_is_obeyed() -> None:
    alone = Answer(429, headers=(("Retry-After", "600"),))
    api = ingestion(status=[alone], **{"submission__p-1": [listing(submission(7, "live", "running", "pending"))]})
    with pytest.raises(Overloaded) as told:
        api.operation(OFFER, "submission/p-1/7#job")
    assert told.value.retry_after == 600


REFUSING_JOBS: dict[str, dict[str, Any]] = {
    "conflict": {"code": "conflict", "message": "An In Progress submission already exists"},
    "Conflict": {"code": "Conflict", "message": "Another one won."},
    "invalidState": {
        "code": "badRequest",
        "message": "Invalid resource",
        "details": [{"code": "invalidState", "message": "An In Progress submission already exists"}],
    },
    "not the latest": {
        "code": "invalidState",
        "message": "The submission cannot be pushed to as its not the latest",
    },
}


@pytest.mark.parametrize("error", REFUSING_JOBS.values(), ids=REFUSING_JOBS)
def test_a_job_that_failed_because_of_another_is_a_refusal(error: dict[str, Any]) -> None:
    job = Answer(200, {"jobId": "j", "jobStatus": "completed", "jobResult": "failed", "errors": [error]})
    for shown in (submission(7, "preview"), submission(7, "live", "running", "pending")):
        api = ingestion(status=[job], **{"submission__p-1": [listing(shown)]})
        operation = api.operation(OFFER, "submission/p-1/7#j")
        assert (operation.status, operation.refused) == (Status.FAILED, True)


@pytest.mark.parametrize(
    "message", ["Issues found during Certification.", "The image already exists.", "The plan is in progress.", ""]
)
def test_a_job_that_failed_for_what_it_published_is_no_refusal(message: str) -> None:
    error = {"code": "internalServerError", "details": [{"code": "invalidState", "message": message}]}
    job = Answer(200, {"jobId": "j", "jobStatus": "completed", "jobResult": "failed", "errors": [error]})
    api = ingestion(status=[job], **{"submission__p-1": [listing(submission(7, "preview"))]})
    assert not api.operation(OFFER, "submission/p-1/7#j").refused


@pytest.mark.parametrize("code", ["conflict", "Conflict", "invalidState"])
@pytest.mark.parametrize("wait", [True, False])
def test_a_job_that_was_refused_for_one_that_is_listed_late_leads_to_that_one(code: str, wait: bool) -> None:
    clock = FakeClock()
    behaviour = {"seconds": 3600.0, "listing_lag_seconds": 20.0, "refusal_code": code}
    wire = wire_with(clock, INGESTION, **behaviour)
    wire.portal.simulation.world.golive("contoso", "vm", by="portal")
    stack = Stack(lambda: client_of(INGESTION, wire, careless=True), clock, wait=wait)
    assert stack.up() is None
    stack.wait = True
    assert stack.up() is None
    assert stack.launch
    assert (stack.launch.status, stack.launch.live_version) == (Status.SUCCEEDED, "7")
    assert accepted(wire.portal.simulation.world) == 0


@pytest.mark.parametrize("wait", [True, False])
def test_a_job_that_was_refused_for_one_that_is_not_listed_is_told_as_a_refusal(wait: bool) -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=3600.0, listing_lag_seconds=7200.0)
    world = wire.portal.simulation.world
    world.golive("contoso", "vm", by="portal")
    stack = Stack(lambda: client_of(INGESTION, wire, careless=True), clock, wait=wait)
    error = stack.up() if wait else stack.up() or stack.up()
    assert isinstance(error, RefusedAfterwards)
    assert "refused to take contoso/vm live" in str(error)
    assert "An In Progress submission already exists" in str(error)
    assert "failed" not in str(error).replace("/failed", "")
    assert "Mend" not in str(error)
    assert stack.launch is None or stack.launch.operation_id is None
    assert accepted(world) == 0
    clock.pass_by(7200.0)
    assert stack.up() is None
    assert accepted(world) == 0, "and found once it is listed"


def test_a_job_that_was_refused_for_a_publish_to_preview_says_so() -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, publish={"mode": "held"}, listing_lag_seconds=20.0)
    world = wire.portal.simulation.world
    world.push_preview(world.offer("contoso", "vm"))
    error = Stack(lambda: client_of(INGESTION, wire, careless=True), clock).up()
    assert isinstance(error, LaunchRefused)
    assert "a publish to preview of version 8 is running" in str(error)
    assert accepted(world) == 0


@SIBLINGS
def test_a_go_live_costs_few_requests(api: str) -> None:
    clock = FakeClock()
    wire = wire_with(clock, api, seconds=0.0)
    assert Stack(lambda: client_of(api, wire), clock).up() is None
    assert len(wire.asked) <= 7, wire.asked


@SIBLINGS
def test_weeks_of_bad_weather_end_no_wait(api: str) -> None:
    clock = FakeClock()
    wire = wire_with(clock, api, seconds=36_000.0)
    stack = Stack(lambda: client_of(api, wire), clock, wait=False)
    stack.up()
    stack.wait = True
    wire.faults.reads = ["404", "503", "unreadable", "400"] * 5000
    assert isinstance(stack.up(timeout=14 * 24 * 3600.0), StillRunning)
    assert clock.seconds > 14 * 24 * 3600.0, "it waited until the time was up"
    assert len(stack.told.warnings) < 100, "and told now and then"
    wire.faults.reads = []
    assert stack.up() is None
    assert accepted(wire.portal.simulation.world) == 1


def test_a_lost_job_is_found_again_through_the_submissions() -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=600.0)
    wire.faults.submits = ["after"]
    stack = Stack(lambda: client_of(INGESTION, wire), clock)
    assert stack.up() is None
    assert stack.launch
    assert stack.launch.operation_id
    assert "#" not in stack.launch.operation_id
    assert accepted(wire.portal.simulation.world) == 1


@pytest.mark.parametrize(
    ("word", "result", "status", "recognised"),
    [
        ("notStarted", "pending", Status.NOT_STARTED, True),
        ("Running", "Pending", Status.RUNNING, True),
        ("completed", "cancelled", Status.CANCELED, True),
        ("COMPLETED", "Failed", Status.FAILED, True),
        ("completed", "pending", Status.RUNNING, True),
        ("completed", "shipped", Status.RUNNING, False),
        ("hibernating", "pending", Status.RUNNING, False),
        ("succeeded", "", Status.RUNNING, False),
    ],
)
def test_the_words_of_a_job(word: str, result: str, status: Status, recognised: bool) -> None:
    job = Answer(200, {"jobID": "j", "jobStatus": word, "jobResult": result, "jobEnd": "2026-01-01T00:00:00.1234567"})
    api = ingestion(status=[job], **{"submission__p-1": [listing(submission(7, "preview"))]})
    operation = api.operation(OFFER, "submission/p-1/7#j")
    assert (operation.status, operation.recognised) == (status, recognised)


def test_of_an_error_tree_every_leaf_is_told_and_never_a_tree_without_end() -> None:
    tree: dict[str, Any] = {"code": "invalidResource", "message": "The icon is missing."}
    for _ in range(50):
        tree = {"code": "badRequest", "message": "Invalid resource", "details": [tree]}
    two = {"message": "Invalid resource", "details": [{"message": "No price."}, {"code": "notDeployed"}, "odd", None]}
    errors = [two, {"code": "unheardOf"}, "text", {"details": "odd"}, tree]
    job = Answer(200, {"jobStatus": "completed", "jobResult": "failed", "errors": errors})
    api = ingestion(status=[job], **{"submission__p-1": [listing(submission(7, "preview"))]})
    told = [message.text for message in api.operation(OFFER, "submission/p-1/7#j").messages]
    of_two = [f"{each}, in: Invalid resource" for each in ("No price", "notDeployed", "odd")]
    assert told[:6] == [*of_two, "unheardOf", "text", "odd"]
    assert len(told) == 7


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ("a lone text", ["a lone text"]),
        ({"code": "c", "message": "one by itself"}, ["one by itself (c)"]),
        ([{"message": "outer", "innerError": {"message": "inner"}}], ["inner, in: outer"]),
        ([{"message": "outer", "details": {"message": "no list"}}], ["no list, in: outer"]),
        ([{"message": "outer", "validations": [{"message": "a logo", "level": "warning"}]}], ["a logo, in: outer"]),
        ([{"message": "No price", "resourceId": "plan/p-1/gold"}], ["No price [plan/p-1/gold]"]),
        (
            [{"resourceId": "plan/p-1/gold", "message": "Invalid", "details": [{"message": "No price"}]}],
            ["No price [plan/p-1/gold], in: Invalid"],
        ),
        (None, []),
        (7, []),
    ],
)
def test_the_reasons_of_a_job_are_told_in_whatever_form_they_come(errors: Any, told: list[str]) -> None:
    job = Answer(200, {"jobStatus": "completed", "jobResult": "failed", "errors": errors})
    api = ingestion(status=[job], **{"submission__p-1": [listing(submission(7, "preview"))]})
    assert [message.text for message in api.operation(OFFER, "submission/p-1/7#j").messages] == told


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("https://graph.microsoft.com/rp/product-ingestion/submission/p-1/7", "7"),
        ("/submission/p-1/7", "7"),
        ("Submission/p-1/7", "7"),
        ("7", None),
        (7, None),
        ("p-1/7", None),
        ("submission/p-1\x1b[5m/7", None),
        (None, None),
    ],
)
def test_a_submission_whose_id_cannot_be_read_is_not_passed_over(address: Any, number: str | None) -> None:
    """It may be the one that waits in preview, or that runs."""
    api = ingestion(**{"submission__p-1": [listing({**submission(7, "preview"), "id": address})]})
    if number is None:
        with pytest.raises(Unreadable, match="an id that cannot be read"):
            api.overview(OFFER)
    else:
        overview = api.overview(OFFER)
        assert overview
        assert overview.preview == Slot(number)


@pytest.mark.parametrize("words", [{"status": None, "result": None}, {"status": "archived"}, {"result": None}])
def test_an_older_live_entry_that_says_nothing_does_not_run(words: dict[str, Any]) -> None:
    """A preview was made since, and one is published at a time."""
    api = ingestion(**{"submission__p-1": [listing({**submission(6, "live"), **words}, submission(7, "preview"))]})
    overview = api.overview(OFFER)
    assert overview
    assert overview.live == Slot("6")
    assert [each.status for each in overview.operations] == [Status.SUCCEEDED, Status.SUCCEEDED]


def products(api: str, *kinds: str) -> PublishingApi:
    """An account that has several products by the offer's id."""
    if api == INGESTION:
        found = [{"id": f"product/p-{n}", "identity": {"externalId": "vm"}, "type": t} for n, t in enumerate(kinds)]
        return client_of(INGESTION, _Scripted({"/product": [listing(*found)]}))
    called = [{"type": "AzureOfferId", "value": "vm"}]
    listed = [{"id": f"p-{n}", "externalIDs": called, "resourceType": kind} for n, kind in enumerate(kinds)]
    return client_of(CENTER, _Scripted({"/products": [listing(*listed)]}))


@pytest.mark.parametrize(
    ("api", "right", "wrong"),
    [
        (INGESTION, "azureVirtualMachine", "azureApplication"),
        (CENTER, "AzureApplication", "AzureThirdPartyVirtualMachine"),
    ],
)
def test_of_several_products_by_one_id_none_is_taken_by_chance(api: str, right: str, wrong: str) -> None:
    with pytest.raises(Refused, match=r"2 products called 'vm' \(p-0, p-1\): which one is meant"):
        products(api, right, right).offer_exists(OFFER)
    assert products(api, wrong, right).offer_exists(OFFER)
    with pytest.raises(WrongApi):
        products(api, wrong, wrong).offer_exists(OFFER)
    assert not products(api).offer_exists(OFFER)


def test_a_next_page_may_be_named_by_its_query_alone() -> None:
    first = listing(submission(6, "live"), **{"@nextLink": "?continuationToken=2&$version=x"})
    api = ingestion(**{"submission__p-1": [first, listing(submission(7, "preview"))]})
    overview = api.overview(OFFER)
    assert overview
    assert overview.preview == Slot("7")


@pytest.mark.parametrize(
    ("listed", "preview", "live", "spent", "overtaken"),
    [
        ([], None, None, False, None),
        ([submission(0, "draft")], None, None, False, None),
        ([submission(7, "preview")], "7", None, False, None),
        ([submission(7, "preview"), submission(6, "live")], "7", "6", False, None),
        ([submission(7, "preview"), submission(7, "live")], "7", "7", True, None),
        ([submission(7, "live")], "7", "7", True, None),
        ([submission(6, "live"), submission(7, "live", "running", "pending")], "7", "6", False, None),
        ([submission(7, "preview"), submission(7, "live", "completed", "failed")], "7", None, False, None),
        ([submission(7, "preview"), submission(8, "live")], "7", "8", True, None),
        ([submission(9, "preview"), submission(8, "live")], "9", "8", False, None),
        ([submission(8, "preview", "completed", "failed"), submission(7, "preview")], "7", None, False, "8"),
        ([submission(8, "preview", "running", "pending"), submission(7, "live")], "7", "7", True, "8"),
        ([submission(8, "preview", "running", "pending")], None, None, False, None),
        ([submission(2**60 + 1, "preview"), submission(2**60, "live")], str(2**60 + 1), str(2**60), False, None),
        # Numbers that do not grow, as Partner Center's were seen not to: the dates tell.
        ([submission(3, "preview", created=made(9)), submission(8, "live", created=made(7))], "3", "8", False, None),
        (
            [
                submission(3, "preview", "running", "pending", created=made(9)),
                submission(8, "preview", created=made(7)),
            ],
            *("8", None, False, "3"),
        ),
        # A go-live with a number and a date of its own.
        ([submission(7, "preview", created=made(7)), submission(8, "live", created=made(9))], "7", "8", True, None),
        # The go-live of an older preview, begun late, says nothing of the newer one.
        ([submission(8, "preview", created=made(7)), submission(7, "live", created=made(9))], "8", "7", False, None),
        (
            [submission(8, "preview", created=made(7)), submission(7, "live", created="0001-01-01")],
            "8",
            "7",
            False,
            None,
        ),
        ([{"id": 7, "target": "live"}, {"id": "submission/p-1/x"}, {}], None, None, False, None),
    ],
)
def test_what_product_ingestions_submissions_mean(
    listed: list[dict[str, Any]], preview: str | None, live: str | None, spent: bool, overtaken: str | None
) -> None:
    for items in (listed, listed[::-1]):
        overview = ingestion(**{"submission__p-1": [listing(*items)]}).overview(OFFER)
        assert overview
        assert (overview.preview.version if overview.preview else None) == preview
        assert (overview.live.version if overview.live else None) == live
        assert bool(overview.preview and overview.preview.spent) is spent
        later = overview.preview.overtaken if overview.preview else None
        assert (later.version if later else None) == overtaken


@pytest.mark.parametrize(
    ("listed", "preview", "live", "spent", "overtaken"),
    [
        ([], None, None, False, None),
        ([state("0", "InProgress", "InDraft")], None, None, False, None),
        ([state(7, "Published", "ReadyToPublish"), state("0", "InProgress", "InDraft")], "7", None, False, None),
        ([state("7", "published", "readyToPublish"), state("6", "Published", "InStore")], "7", "6", False, None),
        ([state("7", "Published", "InStore"), state("6", "Published", "InStore")], "7", "7", True, None),
        ([state("10", "Published", "ReadyToPublish"), state("9", "Published", "InStore")], "10", "9", False, None),
        ([state("7", "Published", "Publishing"), state("6", "Published", "InStore")], "7", "6", False, None),
        ([state("8", "InProgress", "Failed"), state("7", "Published", "ReadyToPublish")], "7", None, False, "8"),
        ([state("8", "InProgress", "Submitted"), state("7", "Published", "InStore")], "7", "7", True, "8"),
        ([state("8", "InProgress", "Cancelled"), state("7", "Published", "InStore")], "7", "7", True, None),
        ([state("8", "Deleted", ""), state("7", "Archived", "InStore")], None, None, False, None),
        ([state("8", "Hidden", "Moon"), state("7", "Published", "ReadyToPublish")], "7", None, False, "8"),
        ([state("7", "Published", "ReadyForSignoff"), state("6", "Published", "InStore")], "6", "6", True, "7"),
        ([state("8", "Published", "ReadyToPublish"), state("7", "Hidden", "Moon")], "8", None, False, None),
        (
            [
                state("9000", "Published", "InStore", releaseNumber=1),
                state("700", "Published", "ReadyToPublish", releaseNumber=2),
                state("0", "InProgress", "InDraft"),
            ],
            *("700", "9000", False, None),
        ),
        (
            [state("9", "Published", "InStore", releaseNumber=3), state("10", "Published", "ReadyToPublish")],
            *("10", "9", False, None),
        ),
        (
            [
                state(
                    *("7", "Published", "ReadyToPublish"),
                    pendingUpdateInfo={"updateType": "Promote", "status": "PendingConfirmation"},
                ),
                state("6", "Published", "InStore"),
            ],
            *("7", "6", False, None),
        ),
        # A draft without a release, beside releases whose ids do not grow.
        (
            [
                state("900", "Published", "InStore", releaseNumber=1),
                state("700", "Published", "ReadyToPublish", releaseNumber=2),
                state("100", "InProgress", "Cancelled"),
            ],
            *("700", "900", False, None),
        ),
        # Its creation failed, and it is a draft as before.
        (
            [
                state("8", "InProgress", "InDraft", pendingUpdateInfo={"updateType": "Create", "status": "Failed"}),
                state("7", "Published", "ReadyToPublish"),
            ],
            *("7", None, False, "8"),
        ),
        ([{"id": "a/b", "state": "Published", "substate": "InStore"}, {}, {"id": True}], None, None, False, None),
        (
            [
                state("b-2", "Published", "ReadyToPublish", releaseNumber=2),
                state("a-1", "Published", "InStore", releaseNumber=1),
            ],
            *("b-2", "a-1", False, None),
        ),
    ],
)
def test_what_partner_centers_submissions_mean(
    listed: list[dict[str, Any]], preview: str | None, live: str | None, spent: bool, overtaken: str | None
) -> None:
    for items in (listed, listed[::-1]):
        overview = center(*items).overview(OFFER)
        assert overview
        assert (overview.preview.version if overview.preview else None) == preview
        assert (overview.live.version if overview.live else None) == live
        assert bool(overview.preview and overview.preview.spent) is spent
        later = overview.preview.overtaken if overview.preview else None
        assert (later.version if later else None) == overtaken


UNKNOWN_AND_OLDER = [
    [state("7", "Published", "ReadyForSignoff"), state("6", "Published", "InStore")],
    [state("7", "ModularCert", "Submitted"), state("6", "Published", "ReadyToPublish")],
    [state("7", "Published", "Ready\x1b[5mForSignoff"), state("6", "Archived", "InStore")],
]


def on(api: PublishingApi, *, pin: str | None = None) -> Stack:
    return Stack(lambda: api, FakeClock(), pin=pin)


@pytest.mark.parametrize("listed", UNKNOWN_AND_OLDER)
def test_a_newer_submission_of_which_nobody_knows_what_it_is_stops_what_is_older(listed: list[dict[str, Any]]) -> None:
    stack = on(center(*listed))
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    word = f"{listed[0]['state']} {listed[0]['substate']}".replace("\x1b[5m", "")
    assert f"nobody knows what the state {word!r} of version 7 means" in str(error)
    assert stack.launch is None


def test_a_pinned_older_preview_goes_live_beside_it_with_a_warning() -> None:
    older, unknown = state("6", "Published", "ReadyToPublish"), state("7", "ModularCert", "Submitted")
    live = state("6", "Published", "InStore")
    api = center(older, unknown, submissions__6=[Answer(200, older), Answer(200, live)], promote=[Answer(200, {})])
    stack = on(api, pin="6")
    assert stack.up() is None
    assert stack.launch
    assert stack.launch.status is Status.SUCCEEDED
    assert any(
        "nobody knows what the state 'ModularCert Submitted' of version 7" in each for each in stack.told.warnings
    )


def test_a_submission_whose_creation_failed_is_told_with_its_reason() -> None:
    update = {"updateType": "Create", "status": "Failed", "failureReason": "Active validation errors"}
    api = center(state("8", "InProgress", "InDraft", pendingUpdateInfo=update), state("7", "Published", "InStore"))
    (failed, _) = api.operations(OFFER)
    assert (failed.kind, failed.status) == (Kind.PREVIEW, Status.FAILED)
    assert [message.text for message in failed.messages] == ["Active validation errors"]


def test_an_older_go_live_with_a_greater_number_is_not_that_of_a_job_that_is_lost() -> None:
    """A list that lags behind shows what was live before, by a number that is greater."""
    listed = listing(submission(3, "preview", created=made(9)), submission(8, "live", created=made(7)))
    api = ingestion(**{"submission__p-1": [listed]})
    with pytest.raises(NotFound):
        api.operation(OFFER, "submission/p-1/3")


def test_a_promote_that_waits_for_a_confirmation_is_no_go_live() -> None:
    update = {"updateType": "Promote", "status": "PendingConfirmation"}
    waiting = state("7", "Published", "ReadyToPublish", pendingUpdateInfo=update)
    live = state("7", "Published", "InStore")
    promoted = [Answer(200, {})]
    api = center(waiting, submissions__7=[Answer(200, waiting), Answer(200, live)], promote=promoted)
    assert [(each.kind, each.status) for each in api.operations(OFFER)] == [(Kind.PREVIEW, Status.SUCCEEDED)]
    stack = on(api)
    assert stack.up() is None
    assert "contoso/vm was submitted to go live." in stack.told.notes


@pytest.mark.parametrize(
    ("shown", "status", "recognised"),
    [
        (state("7", "Published", "Publishing"), Status.RUNNING, True),
        (state("7", "Published", "Published"), Status.RUNNING, True),
        (state("7", "Published", "InStore"), Status.SUCCEEDED, True),
        (state("7", "InProgress", "Submitted"), Status.RUNNING, True),
        (state("7", "InProgress", "FailedInCertification"), Status.FAILED, True),
        (state("7", "RolledBack", "InStore"), Status.FAILED, True),
        (state("7", "Archived", "InStore"), Status.SUCCEEDED, True),
        (state("7", "Archived", "Failed"), Status.CANCELED, True),
        (state("7", "Shadow", ""), Status.RUNNING, False),
        (state("7", "Published", "OnTheMoon"), Status.RUNNING, False),
        (
            state("7", "Published", "ReadyToPublish", pendingUpdateInfo={"updateType": "Promote", "status": "Running"}),
            *(Status.RUNNING, True),
        ),
        (
            state("7", "Published", "ReadyToPublish", pendingUpdateInfo={"updateType": "Promote", "status": "Failed"}),
            *(Status.FAILED, True),
        ),
    ],
)
def test_what_a_promoted_submissions_state_means(shown: dict[str, Any], status: Status, recognised: bool) -> None:
    operation = center(shown, submissions__7=[Answer(200, shown)]).operation(OFFER, "products/p-1/submissions/7")
    assert (operation.kind, operation.status, operation.recognised) == (Kind.GO_LIVE, status, recognised)
    assert operation.id.startswith("products/p-1/submissions/7")


def test_a_submission_that_waits_for_the_publisher_shows_no_go_live() -> None:
    shown = state("7", "Published", "ReadyToPublish")
    with pytest.raises(NotFound):
        center(shown, submissions__7=[Answer(200, shown)]).operation(OFFER, "products/p-1/submissions/7")


def test_a_signature_in_a_reports_address_is_shown_to_nobody() -> None:
    shown = state("7", "InProgress", "FailedInCertification")
    report = {"status": "Failed", "reportTimeInUtc": "2026-01-01", "fileUri": "https://x.example/r.pdf?sig=secret"}
    api = center(shown, submissions__7=[Answer(200, shown)], reports=[listing(report)], validations=[listing()])
    messages = api.operation(OFFER, "products/p-1/submissions/7").messages
    assert [each.text for each in messages] == [
        "Certification failed, says the report of 2026-01-01: https://x.example/r.pdf"
    ]


NEXT: list[tuple[str, Callable[..., PublishingApi]]] = [
    ("@nextLink", lambda page: ingestion(**{"submission__p-1": [page]})),
    ("nextLink", lambda page: center(submissions=[page])),
]


@pytest.mark.parametrize(("name", "api"), NEXT, ids=[INGESTION, CENTER])
def test_a_next_page_is_asked_for_on_the_configured_endpoint_only(name: str, api: Callable[..., PublishingApi]) -> None:
    for link in ("https://attacker.example/x", "//attacker.example/x", "https://graph.microsoft.com@evil.example/x"):
        with pytest.raises(UntrustedAddress, match=r"next page .*(attacker\.example|evil\.example)") as told:
            api(listing(**{name: link})).overview(OFFER)
        assert "configure it as the endpoint" not in str(told.value)


@pytest.mark.parametrize(("name", "api"), NEXT, ids=[INGESTION, CENTER])
def test_a_list_that_never_ends_is_not_cut_short(name: str, api: Callable[..., PublishingApi]) -> None:
    again = {
        INGESTION: "/rp/product-ingestion/submission/p-1?a=1",
        CENTER: "v1.0/ingestion/products/p-1/submissions?a=1",
    }
    link = again[INGESTION if name.startswith("@") else CENTER]
    with pytest.raises(Unreadable, match="does not end"):
        api(listing(**{name: link})).overview(OFFER)


EVIL = "\x1b[5m\x1b]8;;https://attacker.example\x07 <{%fg 1%}>\u202e"


def is_harmless(text: str) -> bool:
    return len(text) <= 250 and text.isprintable() and "<{%" not in text


@pytest.mark.parametrize("padding", [EVIL, "r" * 300_000, EVIL * 5_000], ids=["escapes", "long", "both"])
def test_the_words_and_ids_of_an_api_are_short_and_plain(padding: str) -> None:
    word, evil = f"running{padding}", f"j{padding}"
    live = {"id": "submission/p-1/7", "target": {"targetType": "live"}, "status": word, "result": word}
    listed = [listing(live, submission(6, "preview"))]
    status = [Answer(200, {"jobId": evil, "jobStatus": word, "jobResult": word})]
    accepting = [Answer(202, {"jobId": evil, "jobStatus": word})]
    itself = [Answer(200, submission(6, "preview"))]
    by_path = {"submission__p-1": listed, "submission__p-1__6": itself}
    api = ingestion(status=status, configure=accepting, **by_path)
    seen = [*api.operations(OFFER), api.operation(OFFER, "submission/p-1/7#j")]
    assert len(seen) == 3
    assert is_harmless(api.submit(OFFER, Slot("6")).operation_id or "")

    shown = state("7", word, word, pendingUpdateInfo={"updateType": "Promote", "failureReason": word})
    step = {"name": word, "state": word}
    flow = [listing({"targetEnvironment": "Live", "workflowSteps": [step]})]
    partner = center(shown, {**shown, "id": evil}, submissions__7=[Answer(200, shown)], workflowdetails=flow)
    promoted = partner.operation(OFFER, "products/p-1/submissions/7")
    seen += [*partner.operations(OFFER), promoted]
    assert all(is_harmless(text) for each in seen for text in (each.id, each.word, each.version or ""))
    assert all(is_harmless(text) for each in promoted.steps for text in (each.name, each.status_word))


def pages_of(sent: Callable[[int], bytes], clock: FakeClock | None = None, seconds: float = 0.0) -> Wire:
    """A wire to an offer whose list of submissions has a page after every page."""
    wire = _Scripted({"/product": [listing({"id": "product/p-1", "identity": {"externalId": "vm"}})]})
    wire.clock = clock or wire.clock
    answer = wire._answer

    def page(method: str, url: str, body: bytes, headers: Any) -> Any:
        if "/submission/" not in url:
            return answer(method, url, body, headers)
        wire.clock.pass_by(seconds)
        number = int(url.rpartition("=")[2]) if "page=" in url else 0
        return wire._response(200, sent(number))

    wire._answer = page  # type: ignore[method-assign]
    return wire


def a_page(number: int, padding: int = 0) -> bytes:
    return json.dumps({"value": [], "x": "x" * padding, "@nextLink": f"/submission/p-1?page={number + 1}"}).encode()


@pytest.mark.parametrize(("padding", "most"), [(0, 100), (3_000_000, 6)])
def test_a_list_is_bounded_in_pages_and_in_size(padding: int, most: int) -> None:
    wire = pages_of(lambda number: a_page(number, padding))
    with pytest.raises(Unreadable, match=r"does not end|is too long"):
        client_of(INGESTION, wire).overview(OFFER)
    assert len(wire.asked) - 1 == most


def test_a_list_of_many_pages_takes_no_longer_than_whoever_waits_for_it() -> None:
    clock = FakeClock()
    wire = pages_of(a_page, clock, seconds=1.0)
    rule = GoingLive(client_of(INGESTION, wire), clock, Told(), limits=Limits(patience=4.0))
    with pytest.raises(Unreadable, match="took too long"):
        rule.foresee(Request(OFFER))
    assert clock.seconds < 6


def test_a_next_page_that_is_not_found_is_asked_for_again_before_it_counts_as_the_end() -> None:
    more = "v1.0/ingestion/products/p-1/more"
    first = listing(state("7", "Published", "ReadyToPublish"), nextLink=more)
    second = listing(state("8", "Published", "Publishing"))
    found = center(submissions=[first], more=[Answer(404), second]).operations(OFFER)
    assert [each.version for each in found] == ["8", "7"]
    ended = center(submissions=[first], more=[Answer(404)]).operations(OFFER)
    assert [each.version for each in ended] == ["7"]


def test_an_older_go_live_that_is_shown_late_is_not_taken_for_the_one_that_was_lost() -> None:
    clock = FakeClock()
    wire = wire_with(clock, CENTER, page_sizes=(1,), older_submissions="as they were")
    wire.faults.submits = ["before"]
    answer, cut = wire.portal.ask, [True]

    def without_what_is_live(method: str, url: str, **rest: Any) -> Answer:
        if method == "POST":
            cut[0] = False
        return Answer(404) if cut[0] and "skipToken" in url else answer(method, url, **rest)

    wire.portal.ask = without_what_is_live  # type: ignore[method-assign]
    post = wire._submit

    def lost(url: str, body: bytes, headers: Any) -> Any:
        cut[0] = False
        return post(url, body, headers)

    wire._submit = lost  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    stack.up()
    launch = stack.launch
    assert launch is None or launch.operation_id is None or launch.live_version == "7"
    assert stack.up() is None
    assert stack.launch
    assert stack.launch.live_version == "7"
    assert accepted(wire.portal.simulation.world) == 1


@SIBLINGS
def test_a_list_that_is_not_found_although_the_product_is_there_is_no_empty_list(api: str) -> None:
    found = ingestion(submission=[Answer(404)]) if api == INGESTION else center(submissions=[Answer(404)])
    with pytest.raises(Unreadable):
        found.operations(OFFER)


def test_each_api_knows_its_own_operations_by_their_form() -> None:
    ids = {
        "cloudPartnerPortal": ["56615b67-2185-49fe-80d2-c4ddf77bb2e8", "contoso$vm$2$preview", "/api/elsewhere?a=b"],
        INGESTION: ["submission/p/7", "submission/p/7#56615b67", "submission/p/7/failed#j", "submission/p/7/failed"],
        CENTER: ["products/p/submissions/7", "products/p/submissions/7/failed"],
    }
    for api in APIS:
        client = client_of(api, wire_with(FakeClock(), api))
        owned = [each for listed in ids.values() for each in listed if client.owns(each)]
        assert owned == ids[api]
    assert same("submission/p/7#a", "submission/p/7")
    assert not same("submission/p/7#a", "submission/p/7/failed#a")


@pytest.mark.parametrize(
    ("given", "interval"),
    [
        ({}, 60.0),
        ({"minPollInterval": "0.2"}, 60.0),
        ({"productIngestionEndpoint": "http://127.0.0.1:1/rp"}, 60.0),
        ({"productIngestionEndpoint": "http://127.0.0.1:1/rp", "minPollInterval": "0.2"}, 0.2),
        ({"productIngestionEndpoint": "https://proxy.example/rp", "minPollInterval": "0.2"}, 60.0),
        ({"endpoint": "http://127.0.0.1:1", "minPollInterval": "0.2"}, 60.0),
    ],
)
def test_only_a_simulator_is_asked_oftener_than_is_documented(given: dict[str, str], interval: float) -> None:
    assert read_settings(given.get, {}).interval(INGESTION, 60.0) == interval


def test_the_steps_of_a_go_live_cost_a_third_of_its_readings() -> None:
    clock = FakeClock()
    wire = wire_with(clock, CENTER, seconds=36_000.0)
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    assert stack.up() is None
    steps = sum(path.endswith("/workflowdetails") for _, path in wire.asked)
    readings = sum(re.search(r"/submissions/\d+$", path) is not None for _, path in wire.asked)
    assert readings > 100
    assert readings / 4 < steps <= readings / 3 + 1


@pytest.mark.parametrize("seconds", [0.0, 8.0])
@pytest.mark.parametrize("pin", [None, "7"])
def test_a_page_that_is_not_found_for_a_while_hides_nothing(seconds: float, pin: str | None) -> None:
    """It may be the last one, which may never be found [O]; or bad weather, and the newest submission stands on it."""
    clock = FakeClock()
    wire = wire_with(clock, CENTER, page_sizes=(1,), older_submissions="as they were", submission_zero=True)
    answer, since = wire.portal.ask, clock.seconds

    def broken(method: str, url: str, **rest: Any) -> Answer:
        return Answer(404) if "skipToken" in url and clock.seconds < since + seconds else answer(method, url, **rest)

    wire.portal.ask = broken  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(CENTER, wire), clock, pin=pin)
    assert stack.up() is None
    assert stack.launch
    assert stack.launch.live_version == "7"
    assert accepted(wire.portal.simulation.world) == 1


def without_the_newest(wire: Wire) -> Callable[[], None]:
    """From when it is called, the page of Partner Center's list is not found on which the newest submission stands."""
    answer, missing = wire.portal.ask, [False]

    def broken(method: str, url: str, **rest: Any) -> Answer:
        return Answer(404) if missing[0] and "skipToken" in url else answer(method, url, **rest)

    wire.portal.ask = broken  # type: ignore[method-assign]
    return lambda: missing.__setitem__(0, not missing[0])


def test_what_is_recorded_is_not_forgotten_with_a_page_that_is_not_found() -> None:
    """A part of a list that lacks it is never submitted from, and a refresh does not go by it."""
    clock = FakeClock()
    wire = wire_with(clock, CENTER, page_sizes=(1,), older_submissions="as they were", listing_order="oldest")
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    hide = without_the_newest(wire)
    assert stack.up() is None
    recorded = stack.launch
    clock.pass_by(3600)
    hide()
    stack.refresh()
    assert stack.launch == recorded
    stack.triggers += 1
    error = stack.up()
    assert isinstance(error, LaunchUnknown)
    assert "lacks the go-live that is recorded" in str(error)
    assert accepted(wire.portal.simulation.world) == 1


def test_what_came_to_nothing_need_not_stand_in_a_part_of_a_list() -> None:
    """A link too many is there for good; the go-live of 7 failed, and 8 was published instead of it."""
    clock = FakeClock()
    wire = wire_with(clock, CENTER, last_next_link_404=True, seconds=60.0, ends="failed")
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    assert isinstance(stack.up(), LaunchFailed)
    world = wire.portal.simulation.world
    world.offer("contoso", "vm").behaviour = Behaviour.model_validate({"last_next_link_404": True})
    world.put_in_preview("contoso", "vm")
    assert stack.up() is None
    assert accepted(world) == 2


def test_what_went_live_since_explains_why_a_part_of_a_list_lacks_what_is_recorded() -> None:
    """A list need not keep what was live before: another stack's go-live is all that it shows, and a link too many."""
    clock = FakeClock()
    wire = wire_with(clock, CENTER, last_next_link_404=True, older_submissions="none", seconds=0.0)
    world = wire.portal.simulation.world
    first = Stack(lambda: client_of(CENTER, wire), clock, wait=False)
    assert first.up() is None
    clock.pass_by(60)
    world.put_in_preview("contoso", "vm")
    clock.pass_by(60)
    assert Stack(lambda: client_of(CENTER, wire), clock).up() is None
    first.triggers += 1
    assert first.up() is None
    assert first.launch
    assert (first.launch.status, first.launch.live_version) == (Status.SUCCEEDED, "8")
    assert accepted(world) == 2


def test_what_is_concluded_from_a_part_of_a_list_is_warned_of_and_refuses_no_preview() -> None:
    clock = FakeClock()
    wire = wire_with(clock, CENTER, page_sizes=(1,), older_submissions="as they were", listing_order="oldest")
    without_the_newest(wire)()
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    rule = GoingLive(client_of(CENTER, wire), clock, stack.told)
    with pytest.raises(Unreadable, match="breaks off"):
        rule.foresee(Request(OFFER, pin="7"))
    stack.up()
    assert any("what may stand on that page is not considered" in warning for warning in stack.told.warnings)


def test_a_last_page_that_is_never_found_holds_nothing_up_for_long() -> None:
    clock = FakeClock()
    wire = wire_with(clock, CENTER, last_next_link_404=True, seconds=0)
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    assert stack.up() is None
    assert clock.seconds < 45
    assert accepted(wire.portal.simulation.world) == 1


@pytest.mark.parametrize("status", ["running pending", "completed failed"])
def test_an_offer_that_is_taken_up_while_its_next_preview_is_made_is_told_so(status: str) -> None:
    """The pipeline that publishes to preview and the one that goes live race: 6 is live, but 7 is what is meant."""
    later = submission(7, "preview", *status.split())
    api = ingestion(**{"submission__p-1": [listing(later, submission(6, "live"), submission(6, "preview"))]})
    stack = Stack(lambda: api, FakeClock())
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "a publish to preview of version 7" in str(error)
    assert stack.state is None
    stack.pin = "6"
    assert stack.up() is None


@pytest.mark.parametrize("api", [INGESTION, CENTER])
@pytest.mark.parametrize("status", [404, 500])
def test_after_a_kill_a_submission_that_cannot_be_read_gives_a_late_list_its_time(api: str, status: int) -> None:
    """The submission itself is not found for a while, as in June 2026 [O], and the list lags behind."""
    clock = FakeClock()
    behaviour = {"promote_unready": 200} if api == CENTER else {"refuses_by": "answer"}
    wire = wire_with(clock, api, seconds=3600.0, listing_lag_seconds=15.0, conflict=202, **behaviour)
    answer, itself = wire.portal.ask, re.compile(r"/submissions?/([^/?]+/)?7(\?|$)")

    def unfindable(method: str, url: str, **rest: Any) -> Answer:
        return Answer(status) if method == "GET" and itself.search(url) else answer(method, url, **rest)

    wire.portal.ask = unfindable  # type: ignore[method-assign]
    sent = 0
    post = wire._submit

    def counted(url: str, body: bytes, headers: Any) -> Any:
        nonlocal sent
        sent += 1
        return post(url, body, headers)

    wire._submit = counted  # type: ignore[method-assign]
    killed = Stack(lambda: client_of(api, wire), clock, wait=False)
    killed.up()
    assert sent == 1
    stack = Stack(lambda: client_of(api, wire), clock, wait=False)  # what the killed run recorded: nothing
    assert stack.up() is None
    assert sent == 1
    assert stack.launch
    assert stack.launch.status is Status.RUNNING


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("An In Progress submission already exists", True),
        ("The submission cannot be pushed to as its not the latest", True),
        ("The kernel of the image is not the latest patched version", False),
        ("The submission has a SKU that is already in use", False),
    ],
)
def test_what_certification_found_is_no_refusal_in_similar_words(words: str, refused: bool) -> None:
    causes = [{"code": "invalidState", "message": words, "details": []}]
    errors = [{"code": "internalServerError", "message": "Operation failed", "details": causes}]
    job = Answer(200, {"jobId": "j", "jobStatus": "completed", "jobResult": "failed", "errors": errors})
    listed = [listing(submission(7, "live", "completed", "failed"), submission(7, "preview"))]
    api = ingestion(status=[job], **{"submission__p-1": listed})
    assert api.operation(OFFER, "submission/p-1/7#j").refused is refused


def test_a_go_live_that_the_submission_itself_shows_is_adopted_where_the_list_does_not() -> None:
    for api in (INGESTION, CENTER):
        clock = FakeClock()
        wire = wire_with(clock, api, seconds=3600.0, listing_lag_seconds=300.0)
        wire.faults.submits = ["after"]
        stack = Stack(lambda wire=wire, api=api: client_of(api, wire), clock, wait=False)  # type: ignore[misc]
        stack.up()
        assert stack.up() is None
        assert stack.launch
        assert stack.launch.status is Status.RUNNING
        assert stack.launch.operation_id
        assert accepted(wire.portal.simulation.world) == 1


@pytest.mark.parametrize("wait", [True, False])
def test_the_reason_of_an_earlier_promote_is_not_that_of_a_new_one(wait: bool) -> None:
    """Neither in the run that promotes it, nor in a later one, nor in a refresh."""
    clock = FakeClock()
    wire = wire_with(clock, CENTER, seconds=600.0)
    answer, promoted = wire.portal.ask, [0.0]
    stale = {"updateType": "Promote", "status": "Failed", "failureReason": "Yesterday's."}

    def late(method: str, url: str, **rest: Any) -> Answer:
        if method == "POST":
            promoted[0] = clock.seconds
        if re.search(r"/submissions/7$", url) and (not promoted[0] or clock.seconds < promoted[0] + 90):
            return Answer(200, state("7", "Published", "ReadyToPublish", pendingUpdateInfo=stale))
        return answer(method, url, **rest)

    wire.portal.ask = late  # type: ignore[method-assign]
    stack = Stack(lambda: client_of(CENTER, wire), clock, wait=wait)
    assert stack.up() is None
    stack.refresh()
    stack.wait = True
    assert stack.up() is None
    assert clock.seconds > 600
    assert accepted(wire.portal.simulation.world) == 1


def test_an_offer_that_may_stand_on_a_page_that_is_not_found_is_not_gone() -> None:
    clock = FakeClock()
    wire = wire_with(clock, CENTER)
    stack = Stack(lambda: client_of(CENTER, wire), clock)
    assert stack.up() is None
    answer = wire.portal.ask

    def cut(method: str, url: str, **rest: Any) -> Answer:
        if "$filter" in url or "%24filter" in url:
            return Answer(200, {"value": [], "nextLink": "v1.0/ingestion/products?$skipToken=x"})
        return Answer(404) if "skipToken" in url or "/submissions" in url else answer(method, url, **rest)

    wire.portal.ask = cut  # type: ignore[method-assign]
    with pytest.raises(Unreadable):
        stack.refresh()
    assert stack.state is not None


def test_a_failure_that_stood_in_the_list_before_is_never_that_of_a_job_that_is_not_found() -> None:
    """The list shows no other: the go-live is lost, for all that is known, and has not failed."""
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=60.0, ends="failed", failed_entry="kept")
    stack = Stack(lambda: client_of(INGESTION, wire), clock)
    assert isinstance(stack.up(), LaunchFailed)
    answer = wire.portal.ask
    kept = listing(submission(7, "live", "completed", "failed"), submission(7, "preview"))

    def forgetful(method: str, url: str, **rest: Any) -> Answer:
        found = answer(method, url, **rest)
        if "/status" in url:
            return Answer(404)
        return kept if re.search(r"/submission/[^/]+[?]", url) else found

    wire.portal.ask = forgetful  # type: ignore[method-assign]
    since = clock.seconds
    assert isinstance(stack.up(), LaunchLost)
    assert clock.seconds > since + 13 * 60
    assert accepted(wire.portal.simulation.world) == 2


@pytest.mark.parametrize("wait", [True, False])
def test_a_failure_that_is_new_in_the_list_is_that_of_a_job_that_is_forgotten(wait: bool) -> None:
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=60.0, ends="failed", failed_entry="kept", job_forgotten_after=0.0)
    stack = Stack(lambda: client_of(INGESTION, wire), clock, wait=False)
    stack.up()
    clock.pass_by(100_000)
    stack.wait = wait
    assert isinstance(stack.up(), LaunchFailed)
    assert accepted(wire.portal.simulation.world) == 1


def test_an_earlier_tries_failure_is_not_that_of_a_go_live_whose_job_is_not_known() -> None:
    """The answer to the go-live was cut short, and the list lags behind: in the same run, and in a later one."""
    clock = FakeClock()
    wire = wire_with(clock, INGESTION, seconds=600.0, ends="failed", failed_entry="kept", listing_lag_seconds=60.0)
    stack = Stack(lambda: client_of(INGESTION, wire), clock)
    assert isinstance(stack.up(), LaunchFailed)
    wire.portal.simulation.world.offer("contoso", "vm").behaviour = Behaviour.model_validate(
        {"seconds": 600.0, "failed_entry": "kept", "listing_lag_seconds": 60.0}
    )
    answer = wire.portal.ask

    def cut(method: str, url: str, **rest: Any) -> Answer:
        found = answer(method, url, **rest)
        return Answer(202, {}) if method == "POST" else found

    wire.portal.ask = cut  # type: ignore[method-assign]
    stack.wait = False
    assert stack.up() is None
    assert stack.up() is None
    stack.refresh()
    assert stack.launch
    assert stack.launch.status is Status.RUNNING
    stack.wait = True
    assert stack.up() is None
    assert accepted(wire.portal.simulation.world) == 2


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"])
def test_a_year_that_stands_for_never_is_no_date(year: str) -> None:
    assert instant(year) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_an_answer_in_another_encoding_than_json_has_is_unreadable(encoding: str) -> None:
    """The token was not looked for in it."""
    answer = TransportAnswer("It", "ask", 200, {}, '{"value": []}'.encode(encoding), "", lambda said: said)
    with pytest.raises(Unreadable):
        answer.json()


@pytest.mark.parametrize(
    "value", ["user:canary@host", "https:/user:canary@host", "https://h/?sig=canary", "https://a%40canary"]
)
def test_an_endpoint_that_may_hold_a_password_is_not_shown(value: str) -> None:
    with pytest.raises(InvalidInput) as told:
        read_settings({"endpoint": value}.get, {})
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AZUREMARKETPLACE_PREFLIGTH", "AZUREMARKETPLACE_PREFLIGHT"),
        ("AZUREMARKETPLACE_ACCES_TOKEN", "AZUREMARKETPLACE_ACCESS_TOKEN"),
        ("AZUREMARKETPLACE_PREFLIGHT", ""),
        ("AZUREMARKETPLACE_OFFERS", ""),
        ("ARM_CLIENT_IDD", ""),
    ],
)
def test_a_variable_that_is_nearly_a_settings_is_not_passed_over(name: str, meant: str) -> None:
    wrong = misspelt_variable([name], ["preflight", "accessToken", "api"])
    assert (meant in str(wrong)) if meant else wrong is None


def test_a_list_of_many_parts_over_its_pages_is_refused() -> None:
    clock = FakeClock()
    body = json.dumps({"value": [{"a": [0] * 9_000}], "@nextLink": "/rp/product-ingestion/submission/p-1?page=%d"})
    wire = pages_of(lambda number: (body % (number + 1)).encode(), clock)
    with pytest.raises(Unreadable, match="too many parts"):
        client_of(INGESTION, wire).operations(OFFER)
    assert len(wire.asked) < 20


def stack_with(api: PublishingApi, recorded: Launch, *, resubmit: bool = True) -> Stack:
    """One whose state holds this of an earlier run; what the API does not answer is a failure of the test."""
    state = {**recorded.to_outputs(), "pin": None, "triggers": 0}
    return Stack(lambda: api, FakeClock(), resubmit=resubmit, state=state)


FAILED_CENTER = Launch(Status.FAILED, "products/p-1/submissions/7/failed", live_version="6", preview_version="7")
FAILED_INGESTION = Launch(Status.FAILED, "submission/p-1/7/failed#j", live_version="6", preview_version="7")


@pytest.mark.parametrize("state_", ["Published", "InProgress"])
@pytest.mark.parametrize("substate", ["Failed", "FailedInCertification"])
@pytest.mark.parametrize("resubmit", [True, False])
def test_what_was_live_before_is_no_success_of_what_failed(state_: str, substate: str, resubmit: bool) -> None:
    api = center(state("7", state_, substate), state("6", "Published", "InStore"))
    stack = stack_with(api, FAILED_CENTER, resubmit=resubmit)
    error = stack.up()
    assert isinstance(error, LaunchRefused if resubmit else LaunchFailed)
    assert "failed" in str(error)
    assert stack.launch == FAILED_CENTER


@pytest.mark.parametrize("older", [[], [submission(5, "preview")]])
def test_a_failed_go_live_that_is_no_preview_any_more_is_the_latest(older: list[dict[str, Any]]) -> None:
    """The preview entry disappears on promotion [O suse]: neither what is live nor an older preview takes its place."""
    live = submission(6 if not older else 4, "live")
    api = ingestion(**{"submission__p-1": [listing(submission(7, "live", "completed", "failed"), *older, live)]})
    stack = stack_with(api, FAILED_INGESTION)
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "a go-live of version 7 failed" in str(error)
    assert stack.launch == FAILED_INGESTION


def test_the_failure_of_an_adopted_go_live_is_told_where_nothing_else_is_in_preview() -> None:
    running = listing(submission(7, "live", "running", "pending"), submission(6, "live"))
    failed = listing(submission(7, "live", "completed", "failed"), submission(6, "live"))
    api = ingestion(**{"submission__p-1": [running, running, failed]})
    stack = Stack(lambda: api, FakeClock())
    assert isinstance(stack.up(), LaunchFailed)
    assert stack.launch
    assert stack.launch.status is Status.FAILED


def test_a_running_go_live_of_the_pinned_version_is_adopted_while_an_older_preview_is_listed() -> None:
    running = listing(submission(7, "live", "running", "pending"), submission(6, "preview"), submission(5, "live"))
    live = listing(submission(7, "live"), submission(6, "preview"), submission(5, "live"))
    api = ingestion(**{"submission__p-1": [running, running, live]})
    stack = Stack(lambda: api, FakeClock(), pin="7")
    assert stack.up() is None
    assert stack.launch
    assert (stack.launch.status, stack.launch.live_version) == (Status.SUCCEEDED, "7")


@pytest.mark.parametrize("word", ["running", "completed"])
def test_a_withdrawal_is_no_go_live(word: str) -> None:
    """The same resource with lifecycleState deprecated, and the target live [D]."""
    gone = submission(7, "live", word, "succeeded" if word == "completed" else "pending", lifecycleState="deprecated")
    api = ingestion(**{"submission__p-1": [listing(gone, submission(7, "preview"))]})
    assert api.live(OFFER) is None
    assert all(item.kind is not Kind.GO_LIVE for item in api.operations(OFFER))
    stack = Stack(lambda: api, FakeClock())
    error = stack.up()
    assert isinstance(error, LaunchRefused)
    assert "version 7 was withdrawn (lifecycleState deprecated)" in str(error)
    assert stack.state is None


@pytest.mark.parametrize("shown", ["failed", "running"])
def test_a_conflict_of_a_job_whose_go_live_is_listed_as_failed_was_no_refusal(shown: str) -> None:
    job = Answer(200, {"jobId": "j", "jobStatus": "completed", "jobResult": "failed", "errors": [{"code": "Conflict"}]})
    entry = submission(7, "live", *(("completed", "failed") if shown == "failed" else ("running", "pending")))
    api = ingestion(status=[job], **{"submission__p-1": [listing(entry, submission(7, "preview"))]})
    assert api.operation(OFFER, "submission/p-1/7#j").refused is (shown == "running")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_workflow_that_cannot_be_read_says_nothing_of_a_go_live(status: int) -> None:
    """Which substate it has while it goes live is a guess [G]: only the workflow tells it from one that just waits."""
    api = center(
        state("7", "Published", "ReadyToPublish"),
        submissions__7=[Answer(200, state("7", "Published", "ReadyToPublish"))],
        workflowdetails=[Answer(status)],
    )
    with pytest.raises(Overloaded):
        api.operation(OFFER, "products/p-1/submissions/7")


def test_a_failed_workflow_tells_of_a_promote_that_left_its_submission_ready() -> None:
    ready = Answer(200, state("7", "Published", "ReadyToPublish"))
    workflow = listing(
        {"targetEnvironment": "Preview", "state": "Success"}, {"targetEnvironment": "Live", "state": "Failed"}
    )
    api = center(
        state("7", "Published", "ReadyToPublish"),
        submissions__7=[ready],
        workflowdetails=[workflow],
        validations=[listing({"message": "A screenshot is missing", "severity": "Error"})],
        reports=[listing()],
    )
    operation = api.operation(OFFER, "products/p-1/submissions/7")
    assert (operation.status, operation.id) == (Status.FAILED, "products/p-1/submissions/7/failed")
    assert [message.text for message in operation.messages] == ["A screenshot is missing"]
    assert not operation.may_be_earlier
    assert api.operation(OFFER, "products/p-1/submissions/7#again").may_be_earlier


@pytest.mark.parametrize("word", ["NotStarted", "Queued", "Success", ""])
def test_a_workflow_in_any_other_word_tells_of_no_failure(word: str) -> None:
    ready = Answer(200, state("7", "Published", "ReadyToPublish"))
    workflow = listing(
        {"targetEnvironment": "Live", "state": word}, {"targetEnvironment": "Preview", "state": "Failed"}
    )
    api = center(
        state("7", "Published", "ReadyToPublish"), submissions__7=[ready], workflowdetails=[workflow], promote=[ready]
    )
    with pytest.raises(NotFound):
        api.operation(OFFER, "products/p-1/submissions/7")


@pytest.mark.parametrize("api", [INGESTION, CENTER])
def test_a_search_that_is_not_found_is_bad_weather(api: str) -> None:
    """What is not there is an empty list [O]."""
    clock = FakeClock()
    wire = wire_with(clock, api)
    wire.faults.reads = ["404", "404"]
    assert Stack(lambda: client_of(api, wire), clock).up() is None
    assert accepted(wire.portal.simulation.world) == 1


@pytest.mark.parametrize("name", ["@nextLink", "nextLink"])
def test_the_address_of_a_page_may_be_long(name: str) -> None:
    token = "t" * 9_000
    if name == "@nextLink":
        first = listing(submission(6, "live"), **{name: f"/rp/product-ingestion/submission/p-1?token={token}"})
        api = ingestion(**{"submission__p-1": [first, listing(submission(7, "preview"))]})
    else:
        first = listing(
            state("6", "Published", "InStore"), **{name: f"v1.0/ingestion/products/p-1/submissions?t={token}"}
        )
        api = center(submissions=[first, listing(state("7", "Published", "ReadyToPublish"))])
    preview = api.preview(OFFER)
    assert preview
    assert preview.version == "7"


def test_a_refresh_within_a_minute_of_the_last_question_goes_by_the_list() -> None:
    alone = Answer(429, headers=(("Retry-After", "58"),))
    api = ingestion(
        status=[alone] * 99, **{"submission__p-1": [listing(submission(7, "live"), submission(7, "preview"))]}
    )
    rule = GoingLive(api, FakeClock(), Told())
    seen = rule.refreshed(OFFER, Launch(Status.RUNNING, "submission/p-1/7#j", live_version="6"))
    assert seen
    assert (seen.status, seen.live_version) == (Status.SUCCEEDED, "7")


@pytest.mark.parametrize("slot", [0, 1])
def test_a_slot_that_is_not_found_once_is_not_empty(slot: int) -> None:
    """After a kill, and beside a list that lags behind, production alone tells that it went live."""
    clock = FakeClock()
    wire = wire_with(clock, "cloudPartnerPortal", seconds=0.0, listing_lag_seconds=3.0)
    world = wire.portal.simulation.world
    world.golive("contoso", "vm", by="portal")
    clock.pass_by(0.5)
    wire.faults.reads = [""] * slot + ["404"]
    assert Stack(lambda: client_of("cloudPartnerPortal", wire), clock).up() is None
    assert accepted(world) == 0

"""The sentences of a preview."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.preflight import goes_on, outstanding, told
from providers.azure_marketplace.publishing import Kind, OfferKey, Operation, Slot, Status
from providers.azure_marketplace.request import Action, Forecast, Request

VM = OfferKey("contoso", "vm")
RUNNING = Operation("op-1", Kind.GO_LIVE, Status.RUNNING)
DONE = Launch(Status.SUCCEEDED, "op-1", live_version="7", confirmed_live_version="7")


@pytest.mark.parametrize(
    ("request_", "forecast", "words"),
    [
        (
            Request(VM),
            Forecast(Action.SUBMIT, Slot("8"), Slot("7")),
            "version 8, version 7 is live. Version 8 is to be",
        ),
        (Request(VM), Forecast(Action.SUBMIT, Slot(None), None), "a version without a number, nothing is live"),
        (Request(VM, "7"), Forecast(Action.NOTHING, None, Slot("7")), "the pinned version is live"),
        (Request(VM), Forecast(Action.ADOPT, Slot("8"), None, RUNNING), "to be adopted, and nothing submitted"),
        (Request(VM, changed=True), Forecast(Action.ADOPT, Slot("8"), None, RUNNING), "to be waited for, and then"),
        (
            Request(VM),
            Forecast(Action.ADOPT, Slot("8"), None, replace(RUNNING, status=Status.SUCCEEDED)),
            "what is in preview went live already",
        ),
    ],
)
def test_what_is_seen_and_what_is_to_happen(request_: Request, forecast: Forecast, words: str) -> None:
    assert words in told(request_, forecast)
    assert told(request_, forecast).startswith("contoso/vm: preview holds ")


def test_a_record_that_stands_says_nothing() -> None:
    assert outstanding("contoso/vm", DONE, "7", changed=False) == ""
    assert outstanding("contoso/vm", replace(DONE, live_version="8"), None, changed=False) == ""


@pytest.mark.parametrize(
    ("recorded", "changed", "words"),
    [
        (Launch(Status.RUNNING, "op-1"), False, "(operation op-1). It is to be resumed"),
        (
            Launch(Status.RUNNING, "op-1", submitted_at=datetime(2026, 11, 23, tzinfo=timezone.utc)),
            True,
            "submitted 2026-11-23T00:00:00Z). It is to be resumed: asked for and waited for, and nothing submitted "
            "while it runs. What is asked for now comes after it.",
        ),
        (Launch(Status.NOT_STARTED, "op-1"), False, "(operation op-1). It is to be resumed"),
        (
            Launch(Status.RUNNING),
            False,
            "named no operation. It is to be looked for; where nothing shows it, nothing is",
        ),
        (Launch(Status.RUNNING), True, "where nothing shows it, what is asked for now is submitted"),
        (Launch(Status.NOT_STARTED), False, "the last go-live did not begin"),
        (Launch(Status.FAILED, "op-1"), False, "ended as failed (operation op-1)"),
        (Launch(Status.CANCELED), False, "ended as canceled (no operation is recorded)"),
        (replace(DONE, live_version="8"), False, "Version 7 was live when the go-live ended, version 8 is live now."),
        (replace(DONE, live_version=None), False, "nothing known is live now"),
        (replace(DONE, adopted=True), False, "begun for something else has ended (operation op-1)"),
    ],
)
def test_a_record_that_is_a_difference_says_what_up_does(recorded: Launch, changed: bool, words: str) -> None:
    said = outstanding("contoso/vm", recorded, "7", changed=changed)
    assert said.startswith("contoso/vm: ")
    assert words in said


MIDNIGHT = datetime(2026, 11, 23, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("recorded", "changed", "words"),
    [
        (Launch(Status.RUNNING, "op-1"), False, "had not ended when it was last read (operation op-1). The offer"),
        (Launch(Status.RUNNING, "op-1"), True, "where nothing does, nothing is submitted, and `up` fails."),
        (Launch(Status.RUNNING, submitted_at=MIDNIGHT), False, "accepted at 2026-11-23T00:00:00Z, and named no"),
        (replace(DONE, unanswered_at=MIDNIGHT), False, "sent at 2026-11-23T00:00:00Z, and not answered. The offer"),
        (
            Launch(Status.RUNNING, "op-1", missing_since=MIDNIGHT),
            True,
            "`up` fails unless it has been lost for a quarter of an hour.",
        ),
        (Launch(Status.FAILED, "op-1"), False, "What stands in preview, if anything does, is to be submitted again"),
    ],
)
def test_another_api_is_told_what_it_does_about_the_record_of_the_one_before(
    recorded: Launch, changed: bool, words: str
) -> None:
    assert words in outstanding("contoso/vm", recorded, "7", changed=changed, moved=True, resubmit=False)


def test_an_up_that_does_not_wait_says_so() -> None:
    said = outstanding("contoso/vm", Launch(Status.RUNNING, "op-1"), None, changed=False, wait=False)
    assert "asked for once, and nothing submitted while it runs" in said


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        (Launch(Status.RUNNING, "op-1"), "had not ended when it was last read (operation op-1), goes on"),
        (Launch(Status.RUNNING), "had not ended when it was last read (no operation is recorded), goes on"),
        (replace(DONE, unanswered_at=datetime(2026, 11, 23, tzinfo=timezone.utc)), "was sent, and not answered"),
    ],
)
def test_what_becomes_of_an_open_go_live_that_is_let_go_of(recorded: Launch, words: str) -> None:
    assert recorded.is_open
    assert words in goes_on(recorded)
    assert not DONE.is_open

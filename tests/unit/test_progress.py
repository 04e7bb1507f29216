"""How a wait is told: a row that is drawn anew on a screen; in a log one line for each change, and a heartbeat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.azure_marketplace.progress import HEARTBEAT, Narrator, duration, line
from providers.azure_marketplace.publishing import Kind, Message, Operation, Status, Step

CERTIFYING = Operation(
    id="op",
    kind=Kind.GO_LIVE,
    status=Status.RUNNING,
    steps=(
        Step("Validate Pre-Requisites", "complete", 100, "< 15 min"),
        Step("Certification", "inProgress", 40, "~2-3 days", active=True),
        Step("Live", "notStarted", 0, "~2-5 days"),
    ),
)


def at(percent: int) -> Operation:
    first, second, last = CERTIFYING.steps
    return replace(CERTIFYING, steps=(first, replace(second, percent=percent), last))


class Shown:
    """What a narrator told, by the way in which it did."""

    def __init__(self, *, live: bool) -> None:
        self.rows: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.narrator = Narrator(show=self.rows.append, tell=self.notes.append, warn=self.warnings.append, live=live)


def test_a_row_begins_with_what_changes() -> None:
    assert line(CERTIFYING, 11_520.0) == "2/3, 40 %, 3 h 12 min so far: Certification, usually ~2-3 days"


def test_a_row_leaves_out_what_the_portal_does_not_tell() -> None:
    bare = replace(CERTIFYING, steps=(Step("Certification", "inProgress", active=True),))

    assert line(bare, 5.0) == "1/1, 5 s so far: Certification"
    assert line(replace(CERTIFYING, steps=()), 5.0) == "Go-live running, 5 s so far"


def test_the_last_row_says_how_it_ended_and_how_long_it_took() -> None:
    assert line(replace(CERTIFYING, status=Status.FAILED), 200_000.0) == "Go-live failed, 2 d 7 h in all"


def test_a_screen_is_drawn_anew_with_every_poll() -> None:
    shown = Shown(live=True)

    for second in range(5):
        shown.narrator.progress(at(second), float(second))

    assert len(shown.rows) == 5


def test_a_log_gets_one_line_for_each_change_of_step_and_never_one_for_each_poll() -> None:
    shown = Shown(live=False)

    for second in range(0, 600, 5):
        shown.narrator.progress(at(second // 6), float(second))
    shown.narrator.progress(replace(CERTIFYING, status=Status.SUCCEEDED), 605.0)

    assert shown.rows == [
        "2/3, 0 %, 0 s so far: Certification, usually ~2-3 days",
        "Go-live succeeded, 10 min in all",
    ]


def test_a_log_hears_now_and_then_of_a_step_that_goes_on() -> None:
    shown = Shown(live=False)

    for minute in range(0, 180, 5):
        shown.narrator.progress(CERTIFYING, minute * 60.0)

    assert len(shown.rows) == 180 * 60 / HEARTBEAT


def test_an_error_within_a_running_operation_is_a_warning_and_is_given_once() -> None:
    blocked = replace(CERTIFYING.steps[1], messages=(Message("No image was found.", "error"),))
    operation = replace(CERTIFYING, steps=(blocked,))
    shown = Shown(live=False)

    shown.narrator.progress(operation, 1.0)
    shown.narrator.progress(operation, 2.0)

    assert shown.warnings == ["Certification: No image was found."]


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1.0, "0 s"), (59.9, "59 s"), (61.0, "1 min"), (3660.0, "1 h 1 min"), (90_000.0, "1 d 1 h")]
)
def test_durations_are_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words

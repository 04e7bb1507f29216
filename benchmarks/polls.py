"""The work of one poll: processor time and memory, beside the barest loop that does the same with requests."""

from __future__ import annotations

import gc
import statistics
import threading
import time
import tracemalloc
from array import array
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import requests

from benchmarks.report import CannotMeasure, Report, Scale, number
from benchmarks.stage import stage
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.progress import Narrator
from providers.azure_marketplace.publishing import OfferKey
from providers.azure_marketplace.session import Session
from tests.engine.portal import control
from tools.simulator_process import Running

OFFER = OfferKey("contoso", "vm0")
Poll = Callable[[], object]


def run(scale: Scale) -> Report:
    report = Report("The work of one poll", scale)
    with stage() as here:
        portal = here.portal([OFFER.offer_id], mode="held")
        operation = control(portal, "POST", f"/offers/{OFFER}/golive")["id"]
        polls = {
            "a loop of `requests.get`": _bare(portal, operation, requests),
            "a loop with a `requests.Session`": _bare(portal, operation, requests.Session()),
        }
        session = Session({"endpoint": portal.endpoint, "accessToken": "t"}.get, {})
        try:
            polls["OfferGoLive"] = _ours(session, operation)
            seen = {name: (_times(poll, portal, scale), *_memory(poll, scale)) for name, poll in polls.items()}
        finally:
            session.close()
    (get, keeping, ours) = seen.values()
    columns = ("", "CPU of one poll", "loop with a session = 1", "wall", "memory at its peak", "kept after all polls")
    rows = []
    for name, ((cpu, wall), peak, kept) in seen.items():
        times = [number(cpu * 1000, "ms"), f"{cpu / keeping[0][0]:.2f}", number(wall * 1000, "ms")]
        rows.append([name, *times, number(peak / 1024, "KiB"), number(kept / 1024, "KiB")])
    report.table(columns, rows)
    report.notes.append(
        f"Medians of {scale.repeats} turns of {scale.polls // scale.repeats} polls each, of an operation that runs; "
        "one connection, nothing else in the process. OfferGoLive's poll reads all steps and messages, tells the "
        "progress, and can be cancelled meanwhile; the loops look at the status word. The memory is what Python's "
        "allocator hands out."
    )
    ratio, against_get = ours[0][0] / keeping[0][0], ours[0][0] / get[0][0]
    report.target("no more CPU than twice a loop with a session", f"{ratio:.2f}", ratio <= 2)
    report.notes.append(f"Beside the loop of `requests.get` that a plain provider polls with: {against_get:.2f}.")
    report.target("nothing kept: less than 32 KiB after all polls", number(ours[2] / 1024, "KiB"), ours[2] < 32 * 1024)
    return report


def _bare(portal: Running, operation: str, client: Any) -> Poll:
    url = f"{portal.endpoint}/api/publishers/{OFFER.publisher_id}/offers/{OFFER.offer_id}/operations/{operation}"
    headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}

    def poll() -> object:
        answer = client.get(url, params={"api-version": "2017-10-31"}, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()["status"]

    return poll


def _ours(session: Session, operation: str) -> Poll:
    lines: list[str] = []
    narrator = Narrator(show=lines.append, tell=lines.append, warn=lines.append)
    rule, _ = session.rule(None, narrator, threading.Event())

    def poll() -> object:
        lines.clear()
        seen = rule._api.operation(OFFER, operation)
        narrator.progress(seen, 60.0)
        return Launch(seen.status, operation).seen(seen, datetime.now(timezone.utc)).status

    return poll


def _times(poll: Poll, portal: Running, scale: Scale) -> tuple[float, float]:
    """Seconds of one poll: of the processor, and on the wall. Of the median turn."""
    _warm(poll, portal)
    turns = []
    count = scale.polls // scale.repeats
    for _ in range(scale.repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(count):
            poll()
        turns.append(((time.process_time() - cpu) / count, (time.perf_counter() - wall) / count))
    return statistics.median(cpu for cpu, _ in turns), statistics.median(wall for _, wall in turns)


def _memory(poll: Poll, scale: Scale) -> tuple[int, int]:
    """Bytes: what one poll has in use at its peak, and what is left of all of them."""
    peaks = array("q", bytes(8 * scale.polls))  # what is measured shall not grow with what measures it
    tracemalloc.start()
    try:
        for _ in range(50):
            poll()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for index in range(scale.polls):
            tracemalloc.reset_peak()
            began = tracemalloc.get_traced_memory()[0]
            poll()
            peaks[index] = tracemalloc.get_traced_memory()[1] - began
        gc.collect()
        return int(statistics.median(peaks)), max(0, tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()


def _warm(poll: Poll, portal: Running) -> None:
    for _ in range(10):
        poll()
    if control(portal, "GET", "/requests/count?status=200&path=*/operations/*")["count"] < 10:
        raise CannotMeasure("the polls do not reach the portal")

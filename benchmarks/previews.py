"""`pulumi preview` of new offers on a portal that takes its time: the engine checks one resource after another."""

from __future__ import annotations

from benchmarks.many_waits import program_of, program_of_ours
from benchmarks.report import CannotMeasure, Report, Scale, number
from benchmarks.stage import Measured, measure, requests_to, stage
from tests.engine.conftest import Project
from tests.engine.portal import control
from tools.simulator_process import Running

LATENCY = 0.1  # seconds, of every answer
TARGET = 15.0


def run(scale: Scale) -> Report:
    report = Report(
        f"Preview of {scale.offers} new offers, each answer of the portal {LATENCY * 1000:.0f} ms late", scale
    )
    runs = min(scale.repeats, 3)
    names = [f"vm{index}" for index in range(scale.offers)]
    with stage() as here:
        portal = here.portal(names)
        control(portal, "PUT", "/faults", {"faults": [{"kind": "latency", "seconds": LATENCY}]})
        ours = here.project(program_of_ours(scale.offers), portal)
        told = _fastest(ours, portal, runs)
        requests = requests_to(portal) // runs
        untold = _fastest(here.project(program_of_ours(scale.offers), portal, preflight="off"), portal, runs)
        empty = _fastest(here.project(program_of("Empty", scale.offers)), None, runs)
    lines = [message for message in told.result.messages(severity="info") if "is to be submitted" in message]
    if len(lines) != scale.offers:
        raise CannotMeasure(f"{len(lines)} of {scale.offers} offers told what is to happen")
    least = scale.offers * LATENCY  # one answer after another, if each offer needs but one
    measured = {"OfferGoLive": told, "OfferGoLive, `preflight: off`": untold, "empty dynamic resources": empty}
    rows = []
    for name, one in measured.items():
        more = number(one.seconds - empty.seconds, "s")
        rows.append([name, number(one.seconds, "s"), more, number(one.host.cpu, "s"), f"{100 * one.others:.0f} %"])
    report.table(["", "wall", "more than empty resources", "CPU, host", "others' load"], rows)
    report.notes.append(
        f"The fastest of {runs} runs of each. Each offer is told by three reads side by side ({requests} requests). "
        f"One after another they would take "
        f"{number(3 * least, 's')} of waiting, and three side by side {number(least, 's')}."
    )
    report.target(f"within {number(TARGET, 's')}", number(told.seconds, "s"), told.seconds <= TARGET)
    return report


def _fastest(project: Project, portal: Running | None, runs: int) -> Measured:
    return min((measure(project, portal, "preview") for _ in range(runs)), key=lambda one: one.seconds)

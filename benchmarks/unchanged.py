"""What it costs when there is nothing to do: `up` of unchanged offers beside empty resources, and the imports."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.many_waits import program_of, program_of_ours
from benchmarks.report import CannotMeasure, Report, Scale, number
from benchmarks.stage import Measured, forget_requests, measure, requests_to, stage
from tests.engine.conftest import CHECKOUT

UP = ("up", "--yes", "--skip-preview")
HOST = "import asyncio, dill, grpc, pulumi, pulumi.dynamic"  # what Pulumi's host of dynamic providers imports
IMPORTS = {
    "`import pulumi`": "import pulumi",
    "Pulumi's host of dynamic providers": HOST,
    "... with a plain provider's requests": f"{HOST}, requests",
    "... with OfferGoLive": f"{HOST}, providers.azure_marketplace",
}


def run(scale: Scale) -> Report:
    report = Report(f"`up` of {scale.offers} offers when nothing is to be done, and starting", scale)
    _unchanged(report, scale)
    _imports(report, scale)
    return report


def _unchanged(report: Report, scale: Scale) -> None:
    with stage() as here:
        portal = here.portal([f"vm{index}" for index in range(scale.offers)], mode="at once")
        ours = here.project(program_of_ours(scale.offers), portal, minPollInterval="0.1")
        empty = here.project(program_of("Empty", scale.offers))
        measure(ours, portal, *UP)
        measure(empty, None, *UP)
        forget_requests(portal)
        seen: dict[str, list[Measured]] = {"ours": [], "empty": []}
        for _ in range(scale.repeats):
            seen["ours"].append(measure(ours, portal, *UP))
            seen["empty"].append(measure(empty, None, *UP))
        requests = requests_to(portal)
    for measured in (*seen["ours"], *seen["empty"]):
        if measured.result.changes != {"same": scale.offers + 1}:
            raise CannotMeasure(f"something was to be done: {measured.result.changes}")
    wall = _ratio([one.seconds for one in seen["ours"]], [one.seconds for one in seen["empty"]])
    cpu = _ratio([one.cpu for one in seen["ours"]], [one.cpu for one in seen["empty"]])
    report.table(
        ["", "wall", "CPU, all", "requests"],
        [
            [f"{scale.offers} {what}", _median(runs, lambda one: one.seconds), _median(runs, lambda one: one.cpu), sent]
            for what, runs, sent in (
                ("unchanged offers", seen["ours"], str(requests)),
                ("unchanged empty dynamic resources", seen["empty"], "0"),
            )
        ],
    )
    report.notes.append(
        f"Medians of {scale.repeats} runs of each, in turn. Ratio of the medians: wall {wall:.2f}, CPU {cpu:.2f}."
    )
    report.target("no request to the portal", str(requests), requests == 0)
    report.target("at most 1.2 times as long as empty resources", f"{wall:.2f}", wall <= 1.2)


def _imports(report: Report, scale: Scale) -> None:
    seen: Mapping[str, list[tuple[float, float]]] = {name: [] for name in IMPORTS}
    for _ in range(2 * scale.repeats):
        for name, statement in IMPORTS.items():
            seen[name].append(_fresh_process(statement))
    wall = {name: statistics.median(one for one, _ in runs) for name, runs in seen.items()}
    cpu = {name: statistics.median(one for _, one in runs) for name, runs in seen.items()}
    bare, host, plain, ours = IMPORTS
    report.table(
        ["fresh process", "wall", "CPU", "bare pulumi = 1"],
        [
            [name, number(wall[name] * 1000, "ms"), number(cpu[name] * 1000, "ms"), f"{cpu[name] / cpu[bare]:.2f}"]
            for name in IMPORTS
        ],
    )
    report.notes.append(
        f"Medians of {2 * scale.repeats} processes of each, in turn, the interpreter's own start included. OfferGoLive "
        f"adds {number((cpu[ours] - cpu[host]) * 1000, 'ms')} of CPU to the host of a run, requests alone "
        f"{number((cpu[plain] - cpu[host]) * 1000, 'ms')}."
    )


def _fresh_process(statement: str) -> tuple[float, float]:
    """Seconds on the wall, and of the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    # With a pipe its end is noticed at once; without one, `subprocess` looks every 50 ms.
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment, timeout=60, stdout=subprocess.PIPE)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _median(runs: Sequence[Measured], of: Callable[[Measured], float]) -> str:
    values = [of(one) for one in runs]
    spread = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
    return f"{number(statistics.median(values), 's')}{spread}"


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(ours) / statistics.median(theirs)

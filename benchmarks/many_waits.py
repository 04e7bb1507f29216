"""A hundred offers in one `pulumi up`: time, work, memory and connections, beside plain dynamic providers."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report import Report, Scale, mebibytes, number
from benchmarks.stage import Measured, Stage, measure, requests_to, stage

OURS = "from providers.azure_marketplace import OfferGoLive\n\nfor number in range({offers}):\n"
OURS += '    OfferGoLive(f"vm{number}", publisher_id="contoso", offer_id=f"vm{number}")\n'
PLAIN = "from benchmarks.{module} import {kind}\n\nfor number in range({offers}):\n"
PLAIN += '    {kind}(f"vm{{number}}", f"vm{{number}}"{more})\n'
INTERVAL = 1.0  # seconds between two polls, for all

# What azure-core's poller understands; the others take it as well.
WORDS = {"location_header": "Operation-Location", "location_form": "absolute", "word_succeeded": "succeeded"}


@dataclass(frozen=True)
class Contestant:
    """runs: the fastest counts, since whoever else is at work on the machine can only make one longer."""

    name: str
    program: str
    poll_every: float = INTERVAL
    runs: int = 1


def program_of_ours(offers: int) -> str:
    return OURS.replace("{offers}", str(offers))


def program_of(kind: str, offers: int, more: str = "") -> str:
    module = "empty_provider" if kind == "Empty" else "plain_provider"
    return PLAIN.format(module=module, kind=kind, offers=offers, more=more)


def run(scale: Scale) -> Report:
    report = Report(f"{scale.offers} offers in one `up`, operations of {number(scale.seconds, 's')}", scale)
    every, runs = f", {INTERVAL}", min(scale.repeats, 3)
    contestants = [
        Contestant("OfferGoLive", program_of_ours(scale.offers), runs=runs),
        Contestant("OfferGoLive, polling as by default (5 s)", program_of_ours(scale.offers), 5.0, runs),
        Contestant("plain provider", program_of("Plain", scale.offers, every)),
        Contestant("plain provider, azure-core's LROPoller", program_of("AzureCore", scale.offers, every)),
        Contestant("empty dynamic resources (no portal)", program_of("Empty", scale.offers), runs=runs),
    ]
    with stage() as here:
        seen = [(each, *_one(here, each, scale)) for each in contestants]
    plain = seen[2][1].seconds
    columns = ("", "wall", "throughput, plain = 1", "CPU, host", "CPU, all", "memory, PSS", "RSS", "threads")
    more = ("connections", "requests per offer", "others' load")
    report.table((*columns, *more), [_row(*each, plain, scale) for each in seen])
    report.notes.append(
        f"Memory, threads, connections: the peaks of the one process that runs the dynamic provider. All poll every "
        f"{number(INTERVAL, 's')}, but for the second row. The plain ones were run in full; Pulumi's host gives them "
        "four threads. `PULUMI_PARALLEL` is 100 for all."
    )
    report.notes.append(
        f"Of OfferGoLive and the empty resources the fastest of {runs} runs, and the slowest beside it, since "
        "other work went on on the machine; it took the part of the processors that the last column shows."
    )
    ours = seen[0][1]
    report.target("within one operation's time + 5 s", number(ours.seconds, "s"), ours.seconds <= scale.seconds + 5.0)
    report.target("15 times the plain provider's throughput", f"{plain / ours.seconds:.1f}", plain / ours.seconds >= 15)
    report.target("host memory under 80 MiB", f"{mebibytes(ours.host.rss)} RSS", ours.host.rss < 80 * 2**20)
    report.target("a handful of connections", str(ours.host.connections), ours.host.connections <= 16)
    return report


def _row(contestant: Contestant, got: Measured, requests: int, slowest: float, plain: float, scale: Scale) -> list[str]:
    host = got.host
    wall = number(got.seconds, "s") + (f" (to {number(slowest)})" if contestant.runs > 1 else "")
    seconds = [wall, f"{plain / got.seconds:.1f}", number(host.cpu, "s"), number(got.cpu, "s")]
    peaks = [mebibytes(host.pss), mebibytes(host.rss), str(host.threads), str(host.connections)]
    return [contestant.name, *seconds, *peaks, number(requests / scale.offers), f"{100 * got.others:.0f} %"]


def _one(here: Stage, contestant: Contestant, scale: Scale) -> tuple[Measured, int, float]:
    """The fastest run, its requests, and the seconds of the slowest."""
    runs = []
    for _ in range(contestant.runs):
        portal = here.portal([f"vm{index}" for index in range(scale.offers)], seconds=scale.seconds, **WORDS)
        project = here.project(contestant.program, portal, minPollInterval=str(contestant.poll_every))
        measured = measure(project, portal, "up", "--yes", "--skip-preview")
        runs.append((measured, requests_to(portal)))
    runs.sort(key=lambda run: run[0].seconds)
    return (*runs[0], runs[-1][0].seconds)

"""A hundred offers across the three publishing APIs, and the requests of one go-live of each, beside public tools.

What cloudpub and BcContainerHelper send is computed from what is known of them (docs/successor-apis.md): neither was
run. cloudpub asks for one job every 300 s and for nothing else; BcContainerHelper for one submission every 30 s.
"""

from __future__ import annotations

import math
from collections import Counter

from benchmarks.many_waits import program_of_ours
from benchmarks.report import CannotMeasure, Report, Scale, number
from benchmarks.stage import Stage, measure, requests_to, stage
from providers.azure_marketplace.apis.product_ingestion import JOB_INTERVAL
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.progress import duration
from providers.azure_marketplace.publishing import Operation, Status
from providers.azure_marketplace.request import Request
from tests.engine.portal import control
from tests.unit.wires import APIS, Wire, client_of, wire_with
from tests.unit.worlds import OFFER, FakeClock, Told

LENGTHS = (120.0, 3600.0, 86400.0, 3 * 86400.0)
OTHERS = {"productIngestion": ("cloudpub", 300.0), "partnerCenter": ("BcContainerHelper", 30.0)}
PROGRAM = """\
from providers.azure_marketplace import OfferGoLive

APIS = {apis}
for number in range({offers}):
    OfferGoLive(f"vm{{number}}", publisher_id="contoso", offer_id=f"vm{{number}}", api=APIS[number % len(APIS)])
"""


def run(scale: Scale) -> Report:
    report = Report(f"{scale.offers} offers across the three APIs, and the requests of a go-live of each", scale)
    _together(report, scale)
    _apart(report, scale)
    return report


def _together(report: Report, scale: Scale) -> None:
    rows, walls = [], {}
    with stage() as here:
        for name, apis in (("across the three APIs", APIS), ("of the Cloud Partner Portal alone", APIS[:1])):
            wall, cpu, rss, connections, requests = _one(here, apis, scale)
            walls[name] = wall
            rows.append([f"{scale.offers} offers {name}", number(wall, "s"), cpu, rss, connections, requests])
    report.table(["", "wall", "CPU, host", "RSS", "connections", "requests per offer"], rows)
    across, alone = walls.values()
    report.target("across the three within 1.5 times as long as of one", f"{across / alone:.2f}", across <= 1.5 * alone)


def _one(here: Stage, apis: tuple[str, ...], scale: Scale) -> tuple[float, str, str, str, str]:
    portal = here.portal([], seconds=scale.seconds)
    for index in range(scale.offers):
        body = {"preview": 7, "production": 6, "api": apis[index % len(apis)]}
        control(portal, "PUT", f"/offers/contoso/vm{index}", body)
    program = PROGRAM.format(apis=apis, offers=scale.offers) if len(apis) > 1 else program_of_ours(scale.offers)
    project = here.project(program, portal, minPollInterval="1")
    project.environment["AZUREMARKETPLACE_PRODUCT_INGESTION_ENDPOINT"] = f"{portal.endpoint}/rp/product-ingestion"
    project.environment["AZUREMARKETPLACE_PARTNER_CENTER_ENDPOINT"] = f"{portal.endpoint}/v1.0/ingestion"
    seen = measure(project, portal, "up", "--yes", "--skip-preview")
    host, requests = seen.host, requests_to(portal)
    return (
        seen.seconds,
        number(host.cpu, "s"),
        f"{host.rss / 2**20:.0f} MiB",
        str(host.connections),
        number(requests / scale.offers),
    )


def _apart(report: Report, scale: Scale) -> None:
    rows = []
    for length in LENGTHS if scale.judged else LENGTHS[:1]:
        for api in APIS:
            polls, others, gap = _ours(api, length)
            rows.append([duration(length), f"OfferGoLive, {api}", str(polls + others), str(polls), number(gap, "s")])
            if api in OTHERS:
                tool, interval = OTHERS[api]
                asked = math.ceil(length / interval)
                rows.append([duration(length), f"{tool}, {api}", str(1 + asked), str(asked), number(interval, "s")])
    report.table(["operation of", "", "requests", "of them while it waits", "seen late by at most"], rows)
    report.notes.append(
        "The rule with each API's client and the transport, against the simulators in memory, under a clock of their "
        "own. The others' requests are those of the go-live and the waiting alone, without sign-in and whatever they "
        "read before; neither looks whether a go-live runs already, and cloudpub takes the job's word alone."
    )


def _ours(api: str, length: float) -> tuple[int, int, float]:
    """Requests while it waits, all others, and the seconds between the last two readings of the operation."""
    clock = FakeClock()
    wire = wire_with(clock, api, seconds=length)
    watcher = _Watcher(wire)
    schedule = Schedule(JOB_INTERVAL) if api == "productIngestion" else Schedule()
    rule = GoingLive(client_of(api, wire), clock, watcher, schedule=schedule)
    launch = rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + 30 * 86400.0)
    if launch.status is not Status.SUCCEEDED:
        raise CannotMeasure(f"the launch through {api} ended as {launch.status.value}")
    methods = Counter(method for method, _ in wire.asked)
    if methods["POST"] != 1:
        raise CannotMeasure(f"{methods['POST']} requests took the offer live through {api}")
    posted = 1 + next(at for at, (method, _) in enumerate(wire.asked) if method == "POST")
    waiting = watcher.asked - posted
    return waiting, len(wire.asked) - waiting, watcher.polls[-1] - watcher.polls[-2]


class _Watcher(Told):
    """asked: how many requests had been sent when the operation was last read."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire
        self.asked = 0

    def progress(self, operation: Operation, elapsed: float) -> None:
        super().progress(operation, elapsed)
        self.asked = len(self._wire.asked)

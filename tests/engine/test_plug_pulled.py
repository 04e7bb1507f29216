"""Whatever dies, and whenever: one go-live, and the next `up` ends with the portal's truth. On the real engine."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.engine.conftest import Project
from tests.engine.portal import VM, control, declare, golives, hosts_of, kill_everything, offer, posts
from tools.simulator_process import Running

NewSimulator = Callable[..., Running]
SIX = [f"vm{number}" for number in range(6)]


@pytest.fixture
def start(project: Project, new_simulator: NewSimulator) -> Callable[..., Running]:
    """A simulator whose go-lives end when the test says so."""

    def started(*names: str, **behaviour: object) -> Running:
        listed = [{"offer": f"contoso/{name}", "preview": 7} for name in names]
        scenario = {"defaults": {"mode": "held", **behaviour}, "offers": listed}
        portal = new_simulator(scenario=json.dumps(scenario))
        project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
        project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
        project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
        return portal

    return started


def finish(portal: Running, *names: str) -> None:
    for name in names:
        for operation in golives(portal, f"contoso/{name}"):
            control(portal, "POST", f"/operations/{operation['id']}/finish")


def all_accepted(portal: Running, names: list[str]) -> bool:
    return all(golives(portal, f"contoso/{name}") for name in names)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_a_signal_ends_six_waits_at_once_with_the_operations_in_the_state(
    project: Project, start: Callable[..., Running], sign: signal.Signals
) -> None:
    portal = start(*SIX)
    declare(project, **{name: offer(name) for name in SIX})
    run = project.start("up", "--yes", "--skip-preview")
    run.wait_until(lambda: all_accepted(portal, SIX))

    began = time.monotonic()
    run.process.send_signal(sign)
    run.wait_until(lambda: run.log.read_text().count("creating failed") == 6 or run.process.poll() is not None)
    took = time.monotonic() - began
    cancelled = run.wait()

    assert took < 5, "the waits themselves end within a second; the rest is the engine's"
    assert cancelled.code != 0
    assert "Traceback" not in cancelled.text
    for name in SIX:
        resource = project.resource(name)
        assert resource["outputs"]["status"] == "running"
        assert resource["outputs"]["operation_id"] == golives(portal, f"contoso/{name}")[0]["id"]
        assert "Run `pulumi up` again to go on waiting" in "".join(resource["initErrors"])

    finish(portal, *SIX)
    resumed = project.up()
    assert resumed.code == 0, resumed.text
    assert [len(golives(portal, f"contoso/{name}")) for name in SIX] == [1] * 6


def test_a_signal_to_the_host_alone_records_the_operation_too(project: Project, start: Callable[..., Running]) -> None:
    portal = start("vm")
    declare(project, vm=offer())
    run = project.start("up", "--yes", "--skip-preview")
    run.wait_until(lambda: all_accepted(portal, ["vm"]))
    time.sleep(0.5)  # the POST's answer is on its way to the host
    for pid in hosts_of(project):
        os.kill(pid, signal.SIGTERM)
    ended = run.wait()
    assert ended.code != 0
    assert project.resource("vm")["outputs"]["operation_id"] == golives(portal)[0]["id"]


def up_until_killed(project: Project, portal: Running, *, before: str, kind: str) -> None:
    """An `up` that is killed: `before` the POST is sent, as soon as it is accepted, or a little into the wait."""
    run = project.start("up", "--yes", "--skip-preview")
    if before == "accepted":
        run.wait_until(lambda: bool(control(portal, "GET", "/requests?path=*/slot/*")))
    else:
        run.wait_until(lambda: bool(golives(portal)))
        if before == "end":
            time.sleep(0.5)  # into the wait
    if kind == "host":
        for pid in hosts_of(project):
            os.kill(pid, signal.SIGKILL)
        run.wait()
    elif kind == "engine":
        hosts = hosts_of(project)
        run.kill()
        give_up = time.monotonic() + 30
        while any(pid in hosts_of(project) for pid in hosts):
            assert time.monotonic() < give_up, "a host outlives its engine"
            time.sleep(0.2)
    else:
        kill_everything(run)
    project.end_processes()
    project.cancel()


@pytest.mark.parametrize("kind", ["both", "host", "engine"])
@pytest.mark.parametrize("before", ["accepted", "answered", "end"])
def test_killed_and_run_again_there_is_one_go_live(
    project: Project, start: Callable[..., Running], before: str, kind: str
) -> None:
    portal = start("vm")
    declare(project, vm=offer())
    up_until_killed(project, portal, before=before, kind=kind)
    control(portal, "PATCH", f"/offers/{VM}/behaviour", {"mode": "at once"})
    finish(portal, "vm")

    recovered = project.up()

    assert recovered.code == 0, recovered.text
    assert len(golives(portal)) == 1
    assert project.resource("vm")["outputs"]["status"] == "succeeded"
    assert project.resource("vm")["outputs"]["operation_id"] == golives(portal)[0]["id"]


def test_the_proof_bites(project: Project, start: Callable[..., Running]) -> None:
    """Without the lookup before the POST, the same history makes two."""
    portal = start("vm")
    declare(project, vm=offer())
    project.environment["PROVIDER_OF_TESTS"] = "tests.host.provider_without_lookup:ProviderWithoutLookup"
    up_until_killed(project, portal, before="answered", kind="both")
    control(portal, "PATCH", f"/offers/{VM}/behaviour", {"mode": "at once"})
    finish(portal, "vm")
    recovered = project.up()
    assert recovered.code == 0, recovered.text
    assert len(golives(portal)) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_peer", "when": "after"},
        {"kind": "internal_error", "when": "after"},
        {"kind": "too_many_requests", "when": "after", "retry_after": 1},
        {"kind": "bad_gateway", "when": "before"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault['when']}",
)
def test_a_lost_answer_is_looked_up_and_not_sent_again(
    project: Project, start: Callable[..., Running], fault: dict[str, object]
) -> None:
    portal = start("vm", mode="by time", seconds=2)
    control(portal, "PUT", "/faults", {"faults": [{**fault, "method": "POST", "path": "*/golive", "nth": 1}]})
    done = declare(project, vm=offer()).up()
    assert done.code == 0, done.text
    assert len(golives(portal)) == 1
    assert posts(portal) == (2 if fault["when"] == "before" else 1)


def test_a_hundred_offers_wait_at_once_in_one_process(project: Project, start: Callable[..., Running]) -> None:
    names = [f"vm{number}" for number in range(100)]
    portal = start(*names)
    declare(project, **{name: offer(name) for name in names}).configure({"azuremarketplace:preflight": "off"})
    run = project.start("up", "--yes", "--skip-preview")
    run.wait_until(lambda: posts(portal) == 100, patience=60)
    assert len(hosts_of(project)) <= 2, "one host, and the shell that starts it"
    finish(portal, *names)
    done = run.wait()
    assert done.code == 0, done.text
    assert done.changes["create"] == 101
    assert [len(golives(portal, f"contoso/{name}")) for name in names] == [1] * 100

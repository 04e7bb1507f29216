"""What the host is given back, on the real host process; and what is left when a private name is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.host.driver import PICKLED, URN, Engine, Host, partial_state, until

Start = Callable[..., Host]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.stop()


@pytest.fixture
def start(engine: Engine, python: str) -> Iterator[Start]:
    hosts: list[Host] = []

    def started(**environment: str) -> Host:
        hosts.append(Host(engine, python, **environment))
        return hosts[-1]

    yield started
    for host in hosts:
        host.stop()


def failure(host: Host, does: str) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as failed:
        host.create(does)
    return failed.value


def waiting(engine: Engine) -> int:
    return sum(message == "waiting" for _, message, _, _ in engine.told)


def test_a_call_knows_its_resource_and_its_time(start: Start, engine: Engine) -> None:
    host = start()
    host.check("first")
    assert ("INFO", f"checked {URN.format('first')}", URN.format("first"), False) in engine.told
    made = host.create("nothing", "one", timeout=10800.0)
    assert made.properties["urn"] == URN.format("one")
    assert made.properties["timeout"] == 10800.0
    assert (
        "timeout" not in dict(host.create("nothing", "two").properties)
        or not host.create("nothing").properties["timeout"]
    )
    assert engine.warnings() == []


def test_failures_have_no_traceback_and_bugs_have_one(start: Start) -> None:
    host = start()
    host.check()
    assert failure(host, "fail").details() == "One sentence."
    assert partial_state(failure(host, "fail")) is None
    assert "ZeroDivisionError: a bug" in str(failure(host, "bug").details())
    assert "Traceback" in str(failure(host, "bug").details())


@pytest.mark.parametrize("does", ["exit", "cancelled error"])
def test_what_no_handler_catches_is_answered_all_the_same(start: Start, does: str) -> None:
    host = start()
    host.check()
    assert failure(host, does).code() is grpc.StatusCode.UNKNOWN


def end_by_cancel(host: Host) -> None:
    host.cancel()


def end_by_signal(number: signal.Signals) -> Callable[[Host], None]:
    return lambda host: os.kill(host.process.pid, number)


@pytest.mark.parametrize(
    "end",
    [end_by_cancel, end_by_signal(signal.SIGTERM), end_by_signal(signal.SIGINT), end_by_signal(signal.SIGHUP)],
    ids=["cancel", "SIGTERM", "SIGINT", "SIGHUP"],
)
def test_a_hundred_waits_end_at_once_and_record_what_runs(
    start: Start, engine: Engine, end: Callable[[Host], None]
) -> None:
    host = start()
    host.check()
    with ThreadPoolExecutor(100) as engines:
        began = [engines.submit(failure, host, "wait") for _ in range(100)]
        until(lambda: waiting(engine) == 100)
        end(host)
        # Within a second, where nothing else runs; not one of them waits for its operation to end.
        errors = [each.result(timeout=20) for each in began]
    for error in errors:
        state = partial_state(error)
        assert state is not None
        assert (state["id"], state["reasons"]) == ("an-id", ["It goes on."])
        assert (state["properties"]["operation"], state["properties"]["__provider"]) == ("op-1", PICKLED)
        assert (state["inputs"]["does"], state["inputs"]["__provider"]) == ("wait", PICKLED)


def test_the_host_ends_with_its_engine(start: Start, engine: Engine) -> None:
    host = start()
    host.check()
    engine.stop()
    assert host.has_ended(within=30)


LOST = {
    "server": "everything that this provider adds",
    "pool": "at most four offers wait at once",
    "pipeline": "^C does not end the waits",
    "engine": "progress is not shown",
}


@pytest.mark.parametrize("name", LOST)
def test_a_private_name_that_is_gone_costs_a_warning_and_no_more(start: Start, engine: Engine, name: str) -> None:
    host = start(TAKE_AWAY=name)
    host.check()
    assert host.create("nothing").id == "an-id"
    assert "One sentence." in str(failure(host, "fail").details())
    if name == "engine":  # told on the host's own output, which Pulumi shows
        assert engine.told == []
        return
    warned = [warning for warning in engine.warnings() if "Lost: " in warning]
    assert sum(LOST[name] in warning for warning in warned) == 1
    if name in ("server", "pipeline"):
        assert len(warned) == 1


def test_without_the_means_to_carry_it_partial_state_is_told_in_words(start: Start, engine: Engine) -> None:
    host = start(TAKE_AWAY="partial state")
    host.check()
    with ThreadPoolExecutor(1) as engines:
        began = engines.submit(failure, host, "wait")
        until(lambda: waiting(engine) == 1)
        host.cancel()
        error = began.result(timeout=20)
    assert str(error.details()).startswith("It goes on.")
    assert partial_state(error) is None

"""Pulumi's Python host as a process of its own, asked over gRPC as the engine asks it; and an engine that listens."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dill
import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.dynamic import ResourceProvider
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from tests.host.provider_of_tests import ProviderOfTests

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


def pickled(provider: ResourceProvider) -> str:
    """The provider as the engine hands it to the host, and as it stands in the state."""
    return base64.b64encode(dill.dumps(provider)).decode()


PICKLED = pickled(ProviderOfTests())
URN = "urn:pulumi:test::test::pulumi-python:dynamic/test:Test::{}"


class Engine(engine_pb2_grpc.EngineServicer):  # type: ignore[misc,unused-ignore]
    """What the host told: (severity, message, urn, ephemeral) each."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, bool]] = []
        self._server = grpc.server(ThreadPoolExecutor(8))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Log(self, request: Any, _context: Any) -> empty_pb2.Empty:
        severity = engine_pb2.LogSeverity.Name(request.severity)
        self.told.append((severity, request.message, request.urn, request.ephemeral))
        return empty_pb2.Empty()

    def warnings(self) -> list[str]:
        return [message for severity, message, _, _ in self.told if severity == "WARNING"]

    def stop(self) -> None:
        self._server.stop(0).wait()


class Host:
    """One host. `call` may be used by many threads."""

    def __init__(self, engine: Engine, python: str = sys.executable, **environment: str) -> None:
        folders = os.pathsep.join([str(CHECKOUT)])
        # A suite that was begun in the background ignores ^C, and what it starts would do so too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            [python, "-u", "-m", "pulumi.dynamic", engine.address],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": folders, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        port = self.process.stdout.readline().strip()
        sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_metadata_size", 4 << 20)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=sizes)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._stub.Configure(provider_pb2.ConfigureRequest(), timeout=PATIENCE)
        self._errors: list[str] = []
        threading.Thread(target=self._drain, daemon=True).start()

    def check(self, name: str = "one", does: str = "nothing") -> Any:
        return self._stub.Check(
            provider_pb2.CheckRequest(urn=URN.format(name), news=_properties({"does": does}, PICKLED)), timeout=PATIENCE
        )

    def create(self, does: str, name: str = "one", timeout: float = 0.0) -> Any:
        return self.create_with({"does": does}, name, timeout=timeout)

    def create_with(
        self, inputs: Mapping[str, Any], name: str = "one", *, provider: str = PICKLED, timeout: float = 0.0
    ) -> Any:
        """provider: pickled, as it stands in the state."""
        properties = _properties(inputs, provider)
        request = provider_pb2.CreateRequest(urn=URN.format(name), properties=properties, timeout=timeout)
        return self._stub.Create(request, timeout=PATIENCE)

    def cancel(self) -> None:
        self._stub.Cancel(empty_pb2.Empty(), timeout=PATIENCE)

    def resident(self) -> int:
        """Memory, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024

    def has_ended(self, within: float) -> bool:
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        self._channel.close()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def _drain(self) -> None:
        try:
            for line in self.process.stderr or ():
                self._errors.append(line)
        except ValueError:  # closed by `stop`
            return


def partial_state(error: grpc.RpcError) -> dict[str, Any] | None:
    """id, properties, reasons and inputs that a failed call carries for the state; None when it carries none."""
    carried = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if carried is None:
        return None
    status = status_pb2.Status.FromString(carried)
    details = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(details)
    return {
        "id": details.id,
        "properties": dict(details.properties.items()),
        "reasons": list(details.reasons),
        "inputs": dict(details.inputs.items()),
    }


def until(holds: Any, patience: float = 20.0) -> None:
    give_up = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < give_up, "never came true"
        time.sleep(0.02)


def _properties(values: Mapping[str, Any], provider: str) -> struct_pb2.Struct:
    properties = struct_pb2.Struct()
    properties.update({"__provider": provider, **values})
    return properties

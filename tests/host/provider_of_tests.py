"""A dynamic provider that does what its resource's `does` says; pickled by reference, as ours is."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from pulumi.dynamic import CheckResult, ConfigureRequest, CreateResult, ResourceProvider, UpdateResult

from providers.azure_marketplace import dynamic_host


class ProviderOfTests(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        _take_away(os.environ.get("TAKE_AWAY", ""))
        dynamic_host.install()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        call = dynamic_host.current_call()
        call.log(f"checked {call.urn}", "info")
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("an-id", self._do(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(self._do(_news))

    def _do(self, props: dict[str, Any]) -> dict[str, Any]:
        call = dynamic_host.current_call()
        what = props["does"]
        if what == "wait":
            call.status("waiting")
            if call.cancelled.wait(60):
                raise dynamic_host.Incomplete("an-id", {"operation": "op-1"}, ["It goes on."], inputs={"does": "wait"})
        elif what == "fail":
            raise dynamic_host.Failed("One sentence.")
        elif what == "bug":
            raise ZeroDivisionError("a bug")
        elif what == "exit":
            raise SystemExit(3)
        elif what == "cancelled error":
            raise asyncio.CancelledError
        return {"timeout": call.timeout, "urn": call.urn}


def _take_away(name: str) -> None:
    """As a later version of pulumi or grpc might."""
    import grpc
    import grpc._interceptor
    from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2

    if name == "server":
        grpc.Server = type("Server", (), {})
    elif name == "pool":
        grpc._server._Server._state = property(lambda _: None)
    elif name == "pipeline":
        del grpc._interceptor.service_pipeline
    elif name == "engine":
        del engine_pb2_grpc.EngineStub
    elif name == "partial state":
        del provider_pb2.ErrorResourceInitFailed

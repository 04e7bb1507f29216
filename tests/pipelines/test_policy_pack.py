"""The approval gate: its rules as functions, the pack as the engine asks it, and whole where this Pulumi runs packs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

PACK = Path(__file__).resolve().parents[2] / "examples" / "policy-pack"
OFFER = "pulumi-python:dynamic/azuremarketplace:OfferGoLive"
VM = {"publisher_id": "contoso", "offer_id": "vm", "offer_version": "7"}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday")
URN = "urn:pulumi:{}::shop::" + OFFER + "::vm"


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules", PACK / "rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_pinned_offers_go_live(rules: ModuleType) -> None:
    assert list(rules.is_pinned(VM)) == []
    for unpinned in ({"publisher_id": "contoso", "offer_id": "vm"}, {**VM, "offer_version": None}):
        assert list(rules.is_pinned(unpinned)) == [
            "contoso/vm is not pinned: set offer_version to the version that was reviewed in preview."
        ]


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc), True),  # a Monday
        (datetime(2026, 11, 23, 7, 59, tzinfo=timezone.utc), False),
        (datetime(2026, 11, 26, 14, 59, tzinfo=timezone.utc), True),
        (datetime(2026, 11, 26, 15, 0, tzinfo=timezone.utc), False),
        (datetime(2026, 11, 27, 9, 0, tzinfo=timezone.utc), False),  # a Friday
        (datetime(2026, 11, 23, 8, 30, tzinfo=timezone(timedelta(hours=2))), False),  # 6:30 UTC
    ],
)
def test_the_window_is_in_utc(rules: ModuleType, now: datetime, allowed: bool) -> None:
    problems = list(rules.is_within(now, days=DAYS, from_hour=8, to_hour=15, props=VM))
    assert (problems == []) is allowed
    assert allowed or problems[0].startswith("contoso/vm may go live on Monday, Tuesday, Wednesday, Thursday from 8:00")


def test_production_publishers_are_for_the_production_stack(rules: ModuleType) -> None:
    def problems(stack: str, publisher: str) -> list[str]:
        props = {**VM, "publisher_id": publisher}
        return list(rules.is_of_stack(URN.format(stack), publishers=["contoso"], stack="production", props=props))

    assert problems("production", "contoso") == []
    assert problems("dev", "contoso-staging") == []
    for name in ("contoso", "Contoso"):
        assert problems("dev", name) == [f"{name}/vm goes live from the stack production only, not from dev."]


def test_the_pack_answers_the_engine() -> None:
    python = os.environ.get("OFFERGOLIVE_POLICY_PYTHON")
    if python is None:
        pytest.skip("pulumi-policy wants an older protobuf: name a Python that has it in OFFERGOLIVE_POLICY_PYTHON")
    server = subprocess.Popen(
        [python, "-u", str(PACK / "__main__.py"), "127.0.0.1:1", str(PACK)],
        cwd=PACK,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
    )
    try:
        assert server.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{int(server.stdout.readline())}") as channel:
            analyzer = analyzer_pb2_grpc.AnalyzerStub(channel)
            window = {"days": [datetime.now(timezone.utc).strftime("%A")], "fromHour": 0, "toHour": 24}

            def violated(props: dict[str, Any], stack: str, type_: str = OFFER, **changed: object) -> set[str]:
                configured: dict[str, analyzer_pb2.PolicyConfig] = {}
                settings = {"pinned": {}, "change-window": {**window, **changed}}
                settings["from-production"] = {"publishers": ["contoso"], "stack": "production"}
                for name, setting in settings.items():
                    properties = struct_pb2.Struct()
                    properties.update(json.loads(json.dumps(setting)))
                    configured[name] = analyzer_pb2.PolicyConfig(
                        enforcementLevel=analyzer_pb2.MANDATORY, properties=properties
                    )
                analyzer.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=configured), timeout=20)
                given = struct_pb2.Struct()
                given.update(props)
                request = analyzer_pb2.AnalyzeRequest(type=type_, properties=given, urn=URN.format(stack), name="vm")
                return {each.policyName for each in analyzer.Analyze(request, timeout=20).diagnostics}

            assert violated(VM, "production") == set()
            assert violated(VM, "dev") == {"from-production"}
            assert violated({**VM, "offer_version": None}, "production") == {"pinned"}
            assert violated(VM, "production", toHour=0) == {"change-window"}
            assert violated({}, "dev", type_="aws:s3/bucket:Bucket", toHour=0) == set()
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()

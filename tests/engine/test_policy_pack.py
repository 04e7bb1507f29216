"""The approval gate whole: `pulumi preview --policy-pack`, with an official Pulumi and a Python that has the SDK."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.engine.conftest import CHECKOUT, Project
from tests.engine.portal import declare, offer
from tools.simulator_process import Running


def test_an_offer_without_a_pin_is_refused_before_anything_is_sent(
    project: Project, new_simulator: Callable[..., Running]
) -> None:
    if not (project.pulumi / "pulumi-analyzer-policy-python").exists():
        pytest.skip("a Pulumi built from its Go modules has a language host that starts no policy packs")
    python = os.environ.get("OFFERGOLIVE_POLICY_PYTHON")
    if python is None:
        pytest.skip("pulumi-policy wants an older protobuf: name a Python that has it in OFFERGOLIVE_POLICY_PYTHON")
    pack = project.folder.parent / "pack"
    shutil.copytree(CHECKOUT / "examples" / "policy-pack", pack, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    (pack / ".venv").symlink_to(Path(python).parents[1])
    window = {"days": [datetime.now(timezone.utc).strftime("%A")], "fromHour": 0, "toHour": 24}
    settings = pack / "settings.json"
    settings.write_text(json.dumps({"change-window": window, "from-production": {"publishers": [], "stack": "x"}}))
    portal = new_simulator(scenario="offers: [{offer: contoso/vm, preview: 7}]")
    project.environment.update(AZUREMARKETPLACE_ENDPOINT=portal.endpoint, AZUREMARKETPLACE_ACCESS_TOKEN="token")
    gate = ("--policy-pack", str(pack), "--policy-pack-config", str(settings))

    refused = declare(project, vm=offer()).preview(*gate)
    assert refused.code != 0
    assert "contoso/vm is not pinned" in refused.text
    agreed = declare(project, vm=offer(offer_version=7)).preview(*gate)
    assert agreed.code == 0, agreed.text

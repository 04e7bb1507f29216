"""`python under_mocks.py '{"config": ...}'`: runs this folder's program under Pulumi's mocks, prints what it declared.

One JSON object a line: type, name, inputs, in the order in which the resources were registered.
"""

# ruff: noqa: T201

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from typing import Any

import pulumi


class Recorded(pulumi.runtime.Mocks):
    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        inputs = {name: value for name, value in args.inputs.items() if name != "__provider"}
        print(json.dumps({"type": args.typ, "name": args.name, "inputs": inputs}, default=str))
        return f"id-of-{args.name}", {"name": args.name, **inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise NotImplementedError(args.token)


def program() -> None:
    runpy.run_path("__main__.py")


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
pulumi.runtime.set_mocks(Recorded(), project="mocked", preview=False)
pulumi.runtime.set_all_config(json.loads(sys.argv[1]))
loop.run_until_complete(pulumi.runtime.stack.run_pulumi_func(program))

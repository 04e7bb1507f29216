"""A resource that is created at once, by a dynamic provider, and gets an id as Azure gives them."""

from __future__ import annotations

import time
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Creates(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        time.sleep(0.2)
        return CreateResult(f"/subscriptions/0/{props['kind']}/{props['name']}", {**props, "made": time.time()})


class Made(Resource, module="stand-in", name="Made"):
    name: pulumi.Output[str]
    location: pulumi.Output[str]
    made: pulumi.Output[float]

    def __init__(self, named: str, kind: str, arguments: dict[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        properties = {"kind": kind, "name": named, "location": None, "made": None, **arguments}
        super().__init__(Creates(), named, properties, opts)

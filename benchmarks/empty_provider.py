"""The least that a dynamic provider can do, and import: what Pulumi itself costs."""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class Nothing(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("nothing", props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=False)


class Empty(Resource, module="benchmark", name="Empty"):
    def __init__(self, name: str, offer_id: str) -> None:
        super().__init__(Nothing(), name, {"publisher_id": "contoso", "offer_id": offer_id})

"""What `OfferGoLive` is compared with: dynamic providers as anybody would write them.

`PlainGoLive` follows Pulumi's guide to dynamic providers and requests' to HTTP: post, then poll until it is over.
`AzureCoreGoLive` is the same with azure-core's poller for the waiting, which is what a developer who knows the Azure
SDK would reach for. azure-core takes nothing but an absolute `Operation-Location` and the word `succeeded` for such an
operation, so the simulator is told to speak so whenever it takes part.
"""

from __future__ import annotations

import os
import time
from typing import Any

import requests
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

API_VERSION = "2017-10-31"


def _endpoint() -> str:
    return os.environ["AZUREMARKETPLACE_ENDPOINT"]


def _headers() -> dict[str, str]:
    token = os.environ["AZUREMARKETPLACE_ACCESS_TOKEN"]
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _golive(props: dict[str, Any]) -> str:
    return (
        f"{_endpoint()}/api/publishers/{props['publisher_id']}/offers/{props['offer_id']}/golive"
        f"?api-version={API_VERSION}"
    )


class PlainGoLive(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        response = requests.post(_golive(props), headers=_headers(), timeout=60)
        response.raise_for_status()
        location = response.headers["Operation-Location"]
        while True:
            response = requests.get(location, headers=_headers(), timeout=60)
            response.raise_for_status()
            status = response.json()["status"]
            if status == "succeeded":
                return CreateResult(f"{props['publisher_id']}/{props['offer_id']}", {**props, "status": status})
            if status in ("failed", "canceled"):
                raise RuntimeError(f"go-live {status}")
            time.sleep(props["interval"])


class AzureCoreGoLive(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        # Here, since whoever imports this module for the other providers should not pay for it.
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy, RetryPolicy
        from azure.core.polling import LROPoller
        from azure.core.polling.base_polling import LROBasePolling
        from azure.core.rest import HttpRequest

        policies = [RequestIdPolicy(), HeadersPolicy(_headers()), RetryPolicy()]
        client: PipelineClient[Any, Any] = PipelineClient(_endpoint(), policies=policies)
        accepted: Any = client.send_request(HttpRequest("POST", _golive(props)), _return_pipeline_response=True)
        accepted.http_response.raise_for_status()
        polling: LROBasePolling[Any, Any, Any] = LROBasePolling(timeout=props["interval"])
        poller = LROPoller(client, accepted, lambda answer: answer.http_response.json(), polling)
        status = poller.result()["status"]
        return CreateResult(f"{props['publisher_id']}/{props['offer_id']}", {**props, "status": status})


class Plain(Resource, module="benchmark", name="Plain"):
    def __init__(self, name: str, offer_id: str, interval: float) -> None:
        super().__init__(PlainGoLive(), name, {"publisher_id": "contoso", "offer_id": offer_id, "interval": interval})


class AzureCore(Resource, module="benchmark", name="AzureCore"):
    def __init__(self, name: str, offer_id: str, interval: float) -> None:
        super().__init__(
            AzureCoreGoLive(), name, {"publisher_id": "contoso", "offer_id": offer_id, "interval": interval}
        )

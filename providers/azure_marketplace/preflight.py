"""What a preview tells of an offer before anything is done. Pure: the forecast is handed in."""

from __future__ import annotations

from providers.azure_marketplace.going_live import Action, Forecast, Request

__all__ = ["told"]


def told(request: Request, forecast: Forecast) -> str:
    """`contoso/vm: up will submit version 8 (in preview), in place of version 7 (live).`"""
    preview = forecast.preview.version if forecast.preview else None
    live = forecast.live.version if forecast.live else None
    stands = f"preview holds {_version(preview)}, {_version(live) if forecast.live else 'nothing'} is live"
    if forecast.action is Action.NOTHING:
        return f"{request.offer}: {stands}; `pulumi up` will submit nothing, the pinned version is live."
    if forecast.action is Action.ADOPT and forecast.operation:
        if forecast.operation.status.ended:
            return f"{request.offer}: {stands}; `pulumi up` will submit nothing, it went live already."
        return f"{request.offer}: {stands}; `pulumi up` will adopt the go-live that is running and submit nothing."
    return f"{request.offer}: {stands}; `pulumi up` will take {_version(preview)} live."


def _version(version: str | None) -> str:
    return f"version {version}" if version is not None else "a version without a number"

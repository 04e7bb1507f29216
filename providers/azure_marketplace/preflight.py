"""What a preview tells of an offer before anything is done. Pure: the forecast is handed in."""

from __future__ import annotations

from providers.azure_marketplace.going_live import Action, Forecast, Request

__all__ = ["told"]


def told(request: Request, forecast: Forecast) -> str:
    """`contoso/vm: preview holds version 8, version 7 is live. Version 8 is to go live.`"""
    preview = forecast.preview.version if forecast.preview else None
    live = forecast.live.version if forecast.live else None
    stands = (
        f"{request.offer}: preview holds {_version(preview)}, {_version(live) if forecast.live else 'nothing'} is live"
    )
    if request.moved and not request.changed:
        return f"{stands}. Another API is chosen: where the offer is live as wanted, nothing is to be submitted."
    if forecast.action is Action.NOTHING:
        spent = forecast.preview is not None and forecast.preview.spent
        what = "what is in preview" if spent else "the pinned version"
        return f"{stands}. Nothing is to be submitted: {what} is live."
    if forecast.action is Action.ADOPT and forecast.operation:
        if forecast.operation.status.ended:
            return f"{stands}. Nothing is to be submitted: what is in preview went live already."
        return f"{stands}. A go-live is running: it is to be adopted, and nothing submitted."
    return f"{stands}. {_version(preview).capitalize()} is to be submitted to go live."


def _version(version: str | None) -> str:
    return f"version {version}" if version is not None else "a version without a number"

"""What a preview tells of an offer before anything is done. Pure: forecast and record are handed in."""

from __future__ import annotations

from providers.azure_marketplace.launch import Launch, iso
from providers.azure_marketplace.publishing import Status
from providers.azure_marketplace.request import Action, Forecast, Request
from providers.azure_marketplace.sight import stands

__all__ = ["goes_on", "outstanding", "told"]


def told(request: Request, forecast: Forecast) -> str:
    """`contoso/vm: preview holds version 8, version 7 is live. Version 8 is to go live.`"""
    preview = forecast.preview.version if forecast.preview else None
    live = forecast.live.version if forecast.live else None
    seen = (
        f"{request.offer}: preview holds {_version(preview)}, {_version(live) if forecast.live else 'nothing'} is live"
    )
    if request.moved and not request.changed:
        return f"{seen}. Another API is chosen: where the offer is live as wanted, nothing is to be submitted."
    if forecast.action is Action.NOTHING:
        spent = forecast.preview is not None and forecast.preview.spent
        what = "what is in preview" if spent else "the pinned version"
        return f"{seen}. Nothing is to be submitted: {what} is live."
    if forecast.action is Action.ADOPT and forecast.operation:
        if forecast.operation.status.ended:
            return f"{seen}. Nothing is to be submitted: what is in preview went live already."
        if request.changed:
            # Whether it is the recorded one, asked for with the inputs of before, shows in the state alone.
            return f"{seen}. A go-live is running: it is to be waited for, and then looked whether that is enough."
        return f"{seen}. A go-live is running: it is to be adopted, and nothing submitted."
    return f"{seen}. {_version(preview).capitalize()} is to be submitted to go live."


def outstanding(
    offer: str,
    recorded: Launch,
    pin: str | None,
    *,
    changed: bool,
    moved: bool = False,
    wait: bool = True,
    resubmit: bool = True,
) -> str:
    """What `up` does about a resource whose record alone makes it a difference; empty where it does not.

    changed: its inputs are others as well. wait: whether `up` stays until the go-live ends. moved, resubmit: as in
    `Request`.
    """
    if moved and recorded.is_open:
        return f"{offer}: {_left_behind(recorded, changed=changed)}"
    changed = changed or moved
    operation = _operation(recorded)
    held, live = (
        _version(known) if known else "nothing known" for known in (recorded.preview_version, recorded.live_version)
    )
    last_read = f" When it was last read, preview held {held}, and {live} was live."
    if recorded.unanswered_at or (recorded.status is Status.NOT_STARTED and not recorded.operation_id):
        sent = (
            f"was sent at {iso(recorded.unanswered_at)}, and not answered"
            if recorded.unanswered_at
            else "did not begin"
        )
        return (
            f"{offer}: the last go-live {sent}. The offer is to be looked up, and what is going live adopted; where "
            f"nothing is, what is in preview is to be submitted.{last_read}"
        )
    if not recorded.status.ended and not recorded.operation_id:
        then = "what is asked for now is submitted" if changed else "nothing is submitted"
        return (
            f"{offer}: a go-live was accepted at {iso(recorded.submitted_at)}, and named no operation. It is to be "
            f"looked for; where nothing shows it, {then}.{last_read}"
        )
    if not recorded.status.ended:
        since = f", submitted {iso(recorded.submitted_at)}" if recorded.submitted_at else ""
        then = " What is asked for now comes after it." if changed else ""
        how = "asked for and waited for" if wait else "asked for once"
        return (
            f"{offer}: a go-live had not ended when it was last read ({operation}{since}). It is to be resumed: {how}, "
            f"and nothing submitted while it runs.{then}{last_read}"
        )
    if recorded.status is not Status.SUCCEEDED and not (resubmit or changed):
        return (
            f"{offer}: the last go-live ended as {recorded.status.value} ({operation}). It is not to be submitted "
            f"again, since resubmitFailed is false.{last_read}"
        )
    if recorded.status is not Status.SUCCEEDED:
        return (
            f"{offer}: the last go-live ended as {recorded.status.value} ({operation}). What stands in preview, if "
            f"anything does, is to be submitted again, unless it is going live already.{last_read}"
        )
    if stands(recorded, pin):
        return ""
    if recorded.adopted:
        return (
            f"{offer}: a go-live that was begun for something else has ended ({operation}). If what is wanted did not "
            "go live with it, it is to be submitted."
        )
    if changed:
        return ""  # what is asked for now is told by check, from what the API shows now
    return (
        f"{offer}: it has drifted. {_version(recorded.confirmed_live_version).capitalize()} was live when the "
        f"go-live ended, {_version(recorded.live_version) if recorded.live_version else 'nothing known'} is live "
        f"now. Version {pin} is to be submitted if preview holds it, and refused otherwise."
    )


def _left_behind(recorded: Launch, *, changed: bool) -> str:
    """What `up` does about a go-live that may be running through another API than the one that is chosen now."""
    what = f"had not ended when it was last read ({_operation(recorded)})"
    if recorded.unanswered_at:
        what = f"was sent at {iso(recorded.unanswered_at)}, and not answered"
    elif not recorded.operation_id:
        what = f"was accepted at {iso(recorded.submitted_at)}, and named no operation"
    may_be_let_go = recorded.unanswered_at or recorded.missing_since or not recorded.operation_id
    unless = " unless it has been lost for a quarter of an hour" if changed and may_be_let_go else ""
    return (
        f"a go-live through another API {what}. The offer is to be looked up through the one that is chosen now, and "
        f"what goes live there adopted; where nothing does, nothing is submitted, and `up` fails{unless}."
    )


def goes_on(recorded: Launch) -> str:
    """What becomes of an open go-live that its resource lets go of, as a sentence."""
    if recorded.unanswered_at:
        return "A go-live of it was sent, and not answered: where it has begun, it goes on."
    return f"Its go-live, which had not ended when it was last read ({_operation(recorded)}), goes on."


def _operation(recorded: Launch) -> str:
    return f"operation {recorded.operation_id}" if recorded.operation_id else "no operation is recorded"


def _version(version: str | None) -> str:
    return f"version {version}" if version is not None else "a version without a number"

"""Everything that can go wrong, as one tree, named by what is then known.

    OfferGoLiveError
    |- InvalidInput             a value of the program or the configuration; nothing was sent
    |- SignInFailed             no token could be had; nothing was sent
    |- Interrupted              the run was cancelled (^C, SIGTERM, the engine went away)
    |- PublishingError          one request to a publishing API
    |  |- NotSent               it never reached the API: it may be sent again
    |  |- Unanswered            it may have been carried out: never simply send it again
    |  |  `- Overloaded         429 or 5xx: an answer, but not one that says what was done
    |  |- Refused               the API said no (4xx), and nothing was done
    |  |  |- Unauthorized       401
    |  |  |- Forbidden          403
    |  |  |- NotFound           404
    |  |  |- WrongApi           the offer is published through another API
    |  |  |- SeveralOffers      several products are called so, and nobody can tell which is meant
    |  |  `- Conflict           409: something else runs on the offer
    |  |- Unreadable            an answer that cannot be understood
    |  `- UntrustedAddress      the API pointed to another host; the token was not sent there
    `- LaunchError              one launch, seen whole; may carry what is to be recorded
       |- LaunchRefused         it cannot go live as asked (no preview, another version); nothing was sent
       |  |- RefusedAfterwards  the API took it, and said no later: nothing of it began
       |  `- UnknownOffer       there is no such offer, or not for this identity, or not in this API
       |- LaunchFailed          the operation ended as failed
       |- LaunchCanceled        the operation ended as cancelled
       |- LaunchUnknown         nobody can tell yet; the next `pulumi up` finds out
       |  `- LaunchLost         the API knows nothing of the operation any more
       `- StillRunning          the operation goes on, this wait does not

Every error tells a person four things: what happened and to which offer, the API's own words, the id under
which the API's owner finds the request, and what to do next. No error ever carries a token or a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from providers.azure_marketplace.launch import Launch
    from providers.azure_marketplace.publishing import Operation

__all__ = [
    "Conflict",
    "Forbidden",
    "Interrupted",
    "InvalidInput",
    "LaunchCanceled",
    "LaunchError",
    "LaunchFailed",
    "LaunchLost",
    "LaunchRefused",
    "LaunchUnknown",
    "NotFound",
    "NotSent",
    "OfferGoLiveError",
    "Overloaded",
    "PublishingError",
    "Refused",
    "RefusedAfterwards",
    "SeveralOffers",
    "SignInFailed",
    "StillRunning",
    "Unanswered",
    "Unauthorized",
    "UnknownOffer",
    "Unreadable",
    "UntrustedAddress",
    "WrongApi",
]


class OfferGoLiveError(Exception):
    """The root. `str()` is the short paragraph that a user reads.

    what: what happened, and to which offer, as a sentence without the full stop.
    next_step: what to do now, as a sentence; empty where `what` says it all.
    """

    def __init__(self, what: str, *, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return " ".join(part for part in (_sentence(self.what), *self._evidence(), self.next_step) if part)

    def _evidence(self) -> tuple[str, ...]:
        return ()


class InvalidInput(OfferGoLiveError):
    """A value of the program or of the configuration cannot be used. Nothing was sent.

    name: the property or configuration key, as the user writes it.
    """

    def __init__(self, what: str, *, name: str = "", next_step: str = "") -> None:
        super().__init__(what, next_step=next_step)
        self.name = name


class SignInFailed(OfferGoLiveError):
    """No token could be had. Nothing was sent to the API that wanted it.

    transient: the sign-in service did not answer or was overloaded, so the same may work in a minute. A wait
    that is already under way bears it; False (a wrong secret, half a configuration) ends it.
    missing: nothing to sign in with was configured at all.
    """

    def __init__(self, what: str, *, next_step: str = "", transient: bool = False, missing: bool = False) -> None:
        super().__init__(what, next_step=next_step)
        self.transient = transient
        self.missing = missing


class Interrupted(OfferGoLiveError):
    """The run was cancelled while something was waited for."""

    def __init__(self, what: str = "Cancelled", *, next_step: str = "") -> None:
        super().__init__(what, next_step=next_step)


class PublishingError(OfferGoLiveError):
    """One request to a publishing API.

    status: the HTTP status; None where there was no answer.
    words: the API's own words, as plain text.
    correlation_id: the id that the API's support asks for (`X-Ms-Correlation-Request-Id` and its like).
    retry_after: seconds that the API asked to be left alone; None where it did not.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int | None = None,
        words: str = "",
        correlation_id: str = "",
        retry_after: float | None = None,
        next_step: str = "",
    ) -> None:
        super().__init__(what, next_step=next_step)
        self.status = status
        self.words = words
        self.correlation_id = correlation_id
        self.retry_after = retry_after

    def _evidence(self) -> tuple[str, ...]:
        says = f"It says: {_sentence(self.words)}" if self.words else ""
        found_as = f"(Correlation id {self.correlation_id}.)" if self.correlation_id else ""
        return says, found_as


class NotSent(PublishingError):
    """The request never reached the API (no connection, no TLS, no address): it may be sent again.

    lasting: a setting of this machine's is wrong, so that waiting is of no use.
    """

    lasting = False


class Unanswered(PublishingError):
    """The request was sent and may have been carried out: it may not simply be sent again."""


class Overloaded(Unanswered):
    """429 or 5xx: the API answered, but the answer does not say what was done."""


class Refused(PublishingError):
    """The API said no (4xx other than 408 and 429). Nothing was done, and asking again changes nothing."""


class Unauthorized(Refused):
    """401: no token, or one that is not valid any more, or one for somebody else."""


class Forbidden(Refused):
    """403: the identity is known and may not do this."""


class NotFound(Refused):
    """404: no such publisher, offer, slot or operation, or not visible to this identity."""


class WrongApi(Refused):
    """The offer is published through another API, by its type. api: that one, as the input `api` names it."""

    about = "api"
    """The input to change."""

    def __init__(self, what: str, *, api: str) -> None:
        super().__init__(what, next_step=f"Set api to {api}.")
        self.api = api


class SeveralOffers(Refused):
    """Several products are called so: which one is meant cannot be told."""

    about = "offer_id"
    """The input to change."""


class Conflict(Refused):
    """409: something else runs on the offer. operation: the go-live that was seen to be in the way, if one was."""

    operation: Operation | None = None


class Unreadable(PublishingError):
    """The API answered with something that cannot be understood (not JSON, too large, not the shape)."""


class UntrustedAddress(PublishingError):
    """The API pointed to another host. It was not asked, and the token was not sent there."""


class LaunchError(OfferGoLiveError):
    """One launch, seen whole.

    launch: what is to be recorded in the state; None where the state has nothing to learn.
    cause: the request's error that led here, whose words and correlation id are then told too.
    """

    def __init__(
        self,
        what: str,
        *,
        next_step: str = "",
        launch: Launch | None = None,
        cause: PublishingError | None = None,
    ) -> None:
        super().__init__(what, next_step=next_step)
        self.launch = launch
        self.cause = cause

    def _evidence(self) -> tuple[str, ...]:
        return self.cause._evidence() if self.cause else ()


class LaunchRefused(LaunchError):
    """The offer cannot go live as asked. Nothing was submitted. about: the input that it is about."""

    def __init__(
        self, what: str, *, next_step: str = "", about: str = "offer_id", launch: Launch | None = None
    ) -> None:
        super().__init__(what, next_step=next_step, launch=launch)
        self.about = about


class RefusedAfterwards(LaunchRefused):
    """The API accepted the go-live, and refused it afterwards: nothing of it began."""


class UnknownOffer(LaunchRefused):
    """The API shows no such offer to this identity."""


class LaunchFailed(LaunchError):
    """The operation ended as failed; the message shows the API's own reasons."""


class LaunchCanceled(LaunchError):
    """The operation ended as cancelled."""


class LaunchUnknown(LaunchError):
    """It cannot be told yet whether the offer is going live; the next `pulumi up` finds out."""


class LaunchLost(LaunchUnknown):
    """The API knows nothing of the operation any more, and shows nothing that could be it."""


class StillRunning(LaunchError):
    """The operation goes on, but this wait ended (its time was up, or the run was cancelled)."""


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?:" else text + "."

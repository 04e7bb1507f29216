"""What went wrong with signing in, in words: from the libraries' exceptions to one paragraph without secrets.

Pure. The libraries' exceptions carry requests, answers and process outputs, so none is ever kept, chained or
quoted whole: of Entra's words the first sentence-like part is taken, of its ids only what has the form of a
GUID.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from providers.azure_marketplace.errors import SignInFailed

__all__ = ["Failure", "claims_of", "hint_for", "plain_words", "read_failure"]

_LONGEST_WORDS = 500  # characters of somebody else's message
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_CODE = re.compile(r"\bAADSTS(\d{4,8})\b")
_JWT_LIKE = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|eyJ[A-Za-z0-9_-]{8,}")
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")

# learn.microsoft.com/entra/identity-platform/reference-error-codes: those that say "temporarily",
# "throttling" or "try again"; 50196 is the service's own word for "you ask too often".
_PASSING = frozenset({50000, 50196, 90006, 90012, 90024, 90033, 90055})

_NEXT_STEPS = {
    7000215: (
        "Set clientSecret to the secret's Value, not its Secret ID; a lost value cannot be read again,"
        " so make a new one: `az ad app credential reset --id <clientId> --append`."
    ),
    7000222: (
        "The client secret has expired. Make a new one: `az ad app credential reset --id <clientId>"
        " --append`."
    ),
    700016: (
        "No application has this clientId in this tenant. clientId is the Application (client) ID, not"
        " an object ID, and tenantId is the tenant in which the application, or its enterprise application, lives."
    ),
    90002: "No tenant has this tenantId. See it with `az account show --query tenantId`.",
    900023: (
        "tenantId is neither a tenant's id nor its domain. See it with `az account show --query tenantId`."
    ),
    700027: (
        "The certificate is not one of the application's. Add it: `az ad app credential reset --id"
        " <clientId> --cert @cert.pem --append`."
    ),
    700024: (
        "The assertion was outside its time. Check this machine's clock; an oidcToken lives minutes, a"
        " file or a request URL is renewed."
    ),
    70021: (
        "The application has no federated credential with this issuer, subject and audience; compare all"
        " three."
    ),
    700211: "The application has no federated credential with this issuer.",
    700212: (
        "The application's federated credential has another audience; it should be"
        " api://AzureADTokenExchange."
    ),
    700213: (
        "The application has no federated credential with this subject. Subjects are compared letter by"
        " letter: GitHub's may hold numbers (`gh api repos/OWNER/REPO/actions/oidc/customization/sub`)."
    ),
    500011: (
        "The tenant does not know the API that the token is for. Signing in works only in a tenant that"
        " is linked with a Partner Center account."
    ),
    53003: "A conditional access policy of the tenant refuses this sign-in; its administrators can see why.",
    50076: "The account must confirm with a second factor: run `az login` again, or use an application.",
    50173: "The login is no longer valid: run `az login` again.",
    700082: "The login has expired: run `az login` again.",
    65001: "The account or the application has no consent for this API in the tenant.",
}


class Failure(NamedTuple):
    """A SignInFailed that can be raised in many threads, each with a traceback of its own."""

    what: str
    next_step: str = ""
    transient: bool = False
    missing: bool = False

    @classmethod
    def of(cls, error: SignInFailed) -> Failure:
        return cls(error.what, error.next_step, error.transient, error.missing)

    def error(self) -> SignInFailed:
        return SignInFailed(
            self.what, next_step=self.next_step, transient=self.transient, missing=self.missing
        )


def read_failure(
    error: BaseException,
    *,
    by: str,
    secrets: Iterable[str] = (),
    statuses: Iterable[int] = (),
    worked_before: bool = False,
    unavailable: bool = False,
) -> Failure:
    """What an exception of azure-identity, MSAL, requests or the system means.

    by: the method, in words. secrets: texts that must not appear. statuses: the HTTP statuses that were seen,
    in order. worked_before: this source has given a token in this process, so that a fault without a name is
    taken to pass. unavailable: azure-identity says that the method cannot be used here at all.
    """
    chain = list(_chain(error))
    text = " ".join(str(link) for link in chain if str(link))
    code = next((int(found) for found in _CODE.findall(text)), None)
    last = next(iter(reversed(list(statuses))), None)
    what = f"Signing in by {by} failed"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return Failure(
            f"{what}: the certificate of the sign-in service is not trusted",
            "Behind a company proxy set REQUESTS_CA_BUNDLE to the file with the company's CA.",
        )
    if code is not None:
        overloaded = last is not None and (last == 429 or last >= 500)
        return Failure(
            f"{what}: {_entras_words(text, code, secrets)}",
            _NEXT_STEPS.get(
                code, f"What AADSTS{code} means: https://login.microsoftonline.com/error?code={code}"
            ),
            transient=code in _PASSING or overloaded,
        )
    if last is not None and (last in (408, 429) or last >= 500):
        return Failure(f"{what}: the sign-in service answered with HTTP {last}", _LATER, transient=True)
    if any(type(link).__name__ in _NETWORK for link in chain) and (worked_before or not unavailable):
        return Failure(f"{what}: the sign-in service could not be reached", _LATER, transient=True)
    words = plain_words(str(error), secrets)
    return Failure(f"{what}: {words}" if words else what, transient=worked_before)


_LATER = "This passes by itself as a rule: try again in some minutes."
_NETWORK = frozenset(
    {
        "ServiceRequestError",
        "ServiceResponseError",
        "ServiceRequestTimeoutError",
        "ServiceResponseTimeoutError",
        "IncompleteReadError",
        "ConnectionError",
        "ConnectTimeout",
        "ReadTimeout",
        "ChunkedEncodingError",
        "ProxyError",
        "SSLError",
        "TimeoutExpired",
    }
)


def plain_words(text: str, secrets: Iterable[str] = ()) -> str:
    """One short line of somebody else's text: no control characters or escapes, no secret, nothing like one."""
    text = text[: 8 * _LONGEST_WORDS]
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _JWT_LIKE.sub("***", text)
    text = " ".join(_UNSHOWABLE.sub(" ", text).split())
    return text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]}…"


def claims_of(token: str) -> dict[str, Any]:
    """What an access token says about itself, unverified; {} if it cannot be read. Never raises."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def hint_for(
    status: int, description: str = "", token: str = "", *, audience: str = "", now: float | None = None
) -> str:
    """What the API's 401 or 403 most likely means, as a sentence or two; empty for other statuses.

    description: `TokenSource.description`. token: the one that was refused, whose unverified claims name the
    identity and the audience; it is not shown. audience: what the API's tokens are for. now: seconds since 1970.
    """
    claims = claims_of(token)
    by = f" You are signed in by {description}." if description else ""
    if status == 401:
        return _hint_for_401(claims, audience, now) + by
    if status == 403:
        return _hint_for_403(claims) + by
    return ""


def _hint_for_401(claims: dict[str, Any], audience: str, now: float | None) -> str:
    given, expires = claims.get("aud"), claims.get("exp")
    if audience and isinstance(given, str) and given.rstrip("/") != audience.rstrip("/"):
        return f"The token is for {plain_words(given)}, but this API takes tokens for {audience}."
    if isinstance(expires, (int, float)) and 0 < expires < 1e11 and now is not None:
        moment = datetime.fromtimestamp(expires, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        if expires <= now:
            return (
                f"The token expired at {moment}. Every way of signing in but a fixed accessToken renews it."
            )
        return f"The token holds until {moment}, so it was revoked, or this API does not know its tenant."
    return "The token has expired, was revoked, or is for another API."


def _hint_for_403(claims: dict[str, Any]) -> str:
    app, principal = _guid(claims.get("appid") or claims.get("azp")), _guid(claims.get("oid"))
    which = f" with client ID {app}" if app else ""
    those = f" ({principal})" if principal else ""
    return (
        "The API knows the identity but does not let it do this. Two mistakes are usual."
        f" The application{which} was never added to the Partner Center account, under Account settings, User"
        " management, Microsoft Entra applications, with the role Manager. Or what was added is the object ID"
        f" of the app registration, where that of the enterprise application{those} belongs:"
        f" `az ad sp show --id {app or '<clientId>'} --query id`."
    )


def _guid(value: Any) -> str:
    return value if isinstance(value, str) and re.fullmatch(_GUID, value) else ""


def _entras_words(text: str, code: int, secrets: Iterable[str]) -> str:
    start = text.index(f"AADSTS{code}")
    words = re.split(r"\s*(?:Trace ID|Correlation ID|Timestamp):", text[start : start + 4 * _LONGEST_WORDS])[
        0
    ]
    words = plain_words(words, secrets).rstrip(" '\".")
    ids = [
        f"{name} {found.group(1)}"
        for name in ("Trace ID", "Correlation ID")
        if (found := re.search(rf"{name}: ({_GUID})", text))
    ]
    return f"{words} ({', '.join(ids)})" if ids else words


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it, and what azure-core keeps as `inner_exception`; at most some dozen."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < 16:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        further = (link.__cause__, link.__context__, getattr(link, "inner_exception", None))
        waiting.extend(inner for inner in further if isinstance(inner, BaseException))

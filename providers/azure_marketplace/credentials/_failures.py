"""What went wrong with signing in, in words: from the libraries' exceptions to one paragraph without secrets.

Those exceptions carry requests, answers and the output of processes, so none is kept, chained or quoted whole.
"""

from __future__ import annotations

import html
import json
import re
import subprocess  # for the name of an error  # nosec B404
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from providers.azure_marketplace.errors import SignInFailed
from providers.azure_marketplace.obstacles import Obstacle
from providers.azure_marketplace.text import plain, spelt

__all__ = ["explain"]

_CODE = re.compile(r"AADSTS(\d{4,8})")

# What to do about Entra's codes (learn.microsoft.com/entra/identity-platform/reference-error-codes).
_NEXT_STEPS: dict[int, str] = {
    7000215: "Set the secret's Value, not its Secret ID; a lost value cannot be read again, so make a new secret: "
    "`az ad app credential reset --id <clientId> --append`.",
    7000222: "The client secret has expired. Make a new one: `az ad app credential reset --id <clientId> --append`.",
    700016: "clientId must be the Application (client) ID, not an object ID, and tenantId the tenant in which the "
    "application or its enterprise application lives.",
    90002: "Set tenantId to the tenant's id: `az account show --query tenantId`.",
    900023: "Set tenantId to the tenant's id: `az account show --query tenantId`.",
    700027: "Add the certificate to the application: `az ad app credential reset --id <clientId> --cert @cert.pem "
    "--append`.",
    50027: "What was given as a token is none: see what the token file, oidcToken or the pipeline gives.",
    53003: "Conditional Access keeps this sign-in out: ask the tenant's administrator, or run where it lets one in.",
    700024: "Check this machine's clock. An oidcToken lives minutes; a token file or a request URL gives new ones.",
    70021: "Compare issuer, subject and audience with the application's federated credential, letter by letter.",
    700211: "Compare the issuer with that of the application's federated credential.",
    700212: "The audience of the application's federated credential must be api://AzureADTokenExchange.",
    700213: "Compare the subject with that of the application's federated credential, letter by letter.",
    500011: "Sign in to the tenant that is linked with the Partner Center account.",
    65001: "Let an administrator consent to this API for the application, or sign in with an application of your own.",
    50076: "Run `az login` again, or sign in with an application: an account must confirm with a second factor.",
    50173: "Run `az login` again.",
    700082: "Run `az login` again.",
}
# What to do about what azure-identity says, by a part of it.
_SAID: tuple[tuple[str, str], ...] = (
    ("Azure CLI not found", "Install it and run `az login`, or sign in another way: docs/signing-in.md."),
    ("Please run 'az login'", "Run `az login`; in a pipeline sign in by OIDC instead: docs/signing-in.md."),
    ("output from Azure CLI", "Run `az account get-access-token` by hand, and see what else it says."),
    ("Azure Developer CLI could not be found", "Install it and run `azd auth login`, or sign in another way."),
    ("DefaultAzureCredential failed", "Name one way instead, so that its error is told: docs/signing-in.md."),
    ("azd auth login", "Run `azd auth login`."),
    ("nvalid tenant", "Set tenantId to the tenant's id: `az account show --query tenantId`."),
    (
        "IMDS",
        "This machine has no managed identity that answers: give it one (`az vm identity assign`), or, where it is no "
        "Azure machine, unset useMsi (ARM_USE_MSI) and sign in another way: docs/signing-in.md.",
    ),
)
# Those that the same page calls temporary; 50196 is Entra's word for "you ask too often".
_PASSING = frozenset((50196, 90006, 90012, 90024, 90033, 90055))
_LATER = "This passes by itself as a rule; try again in some minutes."


def explain(
    error: Exception,
    doing: str,
    *,
    secrets: Iterable[str] = (),
    statuses: Iterable[int] = (),
    worked_before: bool = False,
    asked: str = "",
    hindered: Obstacle | None = None,
) -> SignInFailed:
    """The error to raise for an exception of azure-identity, MSAL or the system.

    doing: "Signing in by ...". secrets: texts that must not appear. statuses: the HTTP statuses seen.
    worked_before: this sign-in has given a token, so that a fault without a name is taken to pass. asked: the host
    that was asked last. hindered: what kept that request from leaving.
    """
    from azure.core.exceptions import IncompleteReadError, ServiceRequestError, ServiceResponseError
    from azure.identity import CredentialUnavailableError

    chain = list(_chain(error))
    said = " ".join(dict.fromkeys(_said(link) for link in chain))
    # Not the last one: after a failure MSAL asks for something else, which may well be answered.
    down = next((status for status in statuses if status in (408, 429) or status >= 500), 0)
    code = _CODE.search(said)
    if code:
        number = int(code[1])
        step = _NEXT_STEPS.get(number, f"See https://login.microsoftonline.com/error?code={number}.")
        # It may stand in JSON, which is not for people: up to the next quotation mark.
        words = re.split(r"\"|'?\s*Content: |'?\s*Command '\[", said[code.start() :])[0]
        words = _words(words.replace("\\r\\n", " "), secrets)
        return SignInFailed(f"{doing} failed: {words}", next_step=step, transient=bool(down) or number in _PASSING)
    # That nobody answers on the address of a machine's identity means that it has none.
    here = not isinstance(error, CredentialUnavailableError) or worked_before
    if hindered and here:
        return SignInFailed(
            f"{doing} failed: {hindered.host} could not be reached: {_words(hindered.why, secrets)}",
            next_step=_words(hindered.next_step, secrets),
            # Whoever waits goes on waiting; whoever begins is told at once of a setting that is wrong.
            transient=worked_before or not (hindered.of_settings or "certificate" in hindered.why),
        )
    if "is not well-known" in said:
        return SignInFailed(
            f"{doing} failed: Microsoft does not know the host of authorityHost, and nothing was sent to it",
            next_step="If it is your own cloud's, set azuremarketplace:disableInstanceDiscovery to true.",
        )
    if "is an invalid authority" in said:
        return SignInFailed(
            f"{doing} failed: authorityHost is no address that begins with https://, and nothing was sent to it",
            next_step="Without it, it is https://login.microsoftonline.com, which is right for most.",
        )
    whom = asked or "the service"
    if down:
        return SignInFailed(f"{doing} failed: {whom} answered {down}", next_step=_LATER, transient=True)
    network = (ServiceRequestError, ServiceResponseError, IncompleteReadError) if here else ()
    if any(isinstance(link, subprocess.TimeoutExpired) for link in chain):
        return SignInFailed(f"{doing} failed: it did not answer in time", next_step=_LATER, transient=True)
    if any(isinstance(link, network) for link in chain):
        return SignInFailed(f"{doing} failed: {whom} did not answer", next_step=_LATER, transient=True)
    if asked and any(isinstance(link, (KeyError, ValueError)) for link in chain):
        return SignInFailed(
            f"{doing} failed: what {asked} answered is not what a sign-in service answers",
            next_step="Check authorityHost, and whether a proxy or a portal for guests answers in its place.",
            transient=worked_before,
        )
    words = _words(_said(error).partition("{")[0], secrets)  # after that comes an answer, perhaps with a token in it
    step = next((step for part, step in _SAID if part in words), "")
    return SignInFailed(f"{doing} failed: {words or type(error).__name__}", next_step=step, transient=worked_before)


def _said(error: BaseException) -> str:
    """Without the path of a file: what stands there by mistake may be the secret itself."""
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) and error.filename else str(error)


def _words(text: str, secrets: Iterable[str]) -> str:
    # One that is shorter is no secret, and where it was taken out would tell what it is.
    secrets = [secret for secret in secrets if len(secret) >= 8]
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda each: chr(int(each[1], 16)), text).replace("\\/", "/")
    return _less(plain(_less(text, secrets), longest=2000), secrets)[:600]


def _less(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        for spelling in _spellings(secret):
            text = text.replace(spelling, "***")
        text = spelt(secret).sub("***", text)
    return text


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what led to it, and what azure-core keeps as `inner_exception`."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if id(link) not in seen:
            seen.add(id(link))
            yield link
            further = (link.__cause__, link.__context__, getattr(link, "inner_exception", None))
            waiting.extend(inner for inner in further if isinstance(inner, BaseException))


def _spellings(secret: str) -> set[str]:
    """As it is, and as a server quotes a form, a page or JSON."""
    return {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}

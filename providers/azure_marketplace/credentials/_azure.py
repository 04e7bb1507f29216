"""Fetching a token for real: with azure-identity, which is imported here, inside the fetch, and nowhere else.

Every fetch makes its credential anew. The libraries cache tokens, so an old credential would hand out again
the token that was just refused; and a rotated certificate or token file is read again this way. TokenSource
caches.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from providers.azure_marketplace.credentials._choose import Method, SignIn, trusted_url
from providers.azure_marketplace.credentials._failures import Failure, plain_words, read_failure
from providers.azure_marketplace.credentials._secret import sendable_token
from providers.azure_marketplace.credentials._tokens import FetchedToken
from providers.azure_marketplace.errors import OfferGoLiveError, SignInFailed

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import AccessTokenInfo, SupportsTokenInfo

__all__ = ["AzureTokens"]

_CONNECT, _READ = 10, 30  # seconds for one attempt of one request
_CLI_PATIENCE = (
    30  # seconds; `az` alone takes some to start, azure-identity's 10 are too few on a busy runner
)
_LARGEST_ASSERTION = 64 * 1024  # bytes of an OIDC endpoint's answer
_LARGEST_FILE = 1024 * 1024  # bytes of a certificate or token file
_FOREVER = 1e12  # an access token that is given says nothing about its end


class AzureTokens:
    """Fetches tokens in the chosen way: called with a scope, raises SignInFailed, without secrets."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._worked = False

    def __call__(self, scope: str) -> FetchedToken:
        if self._sign_in.method is Method.ACCESS_TOKEN:
            source = self._sign_in.sources["accessToken"]
            return FetchedToken(sendable_token(self._secret("accessToken"), source), _FOREVER)
        answer = self._fetch(scope)
        if isinstance(answer, Failure):
            raise answer.error()  # outside every `except`, so that it has no context with a request in it
        token = sendable_token(answer.token, self._sign_in.method.value)
        self._worked = True
        return FetchedToken(token, float(answer.expires_on), answer.refresh_on)

    def _fetch(self, scope: str) -> AccessTokenInfo | Failure:
        wire = _Wire()
        by = self._sign_in.method.value
        told = [secret.reveal() for secret in self._sign_in.secrets.values()]
        unavailable: tuple[type[Exception], ...] = ()
        try:
            from azure.identity import CredentialUnavailableError

            unavailable = (CredentialUnavailableError,)
            with wire.session():
                return self._credential(wire).get_token_info(scope)
        except OfferGoLiveError as error:
            return (
                Failure.of(error) if isinstance(error, SignInFailed) else Failure(error.what, error.next_step)
            )
        except ImportError:
            return Failure(
                "azure-identity, which signs in, is not installed",
                "Install it: `pip install azure-identity`.",
            )
        except Exception as error:
            if isinstance(error, unavailable) and (absent := self._absent(str(error))):
                return absent
            return read_failure(
                error,
                by=by,
                secrets=(*told, *wire.secrets),
                statuses=wire.statuses,
                worked_before=self._worked,
                unavailable=isinstance(error, unavailable),
            )

    def _absent(self, words: str) -> Failure | None:
        """The command-line tools, where they are not there or not logged in."""
        tools = {Method.AZURE_CLI: ("az", "az login"), Method.AZURE_DEVELOPER_CLI: ("azd", "azd auth login")}
        if self._sign_in.method not in tools:
            return None
        program, login = tools[self._sign_in.method]
        by_default = self._sign_in.by_default
        if login in words and "not be found" not in words:
            what = f"`{program}` is installed, but nobody is logged in"
            otherwise = (
                " Or configure another way to sign in; docs/signing-in.md has them all." if by_default else ""
            )
            return Failure(what, f"Run `{login}`.{otherwise}", missing=by_default)
        if "not found" in words or "not be found" in words:
            return Failure(f"`{program}` is not installed, or not on the PATH", missing=by_default)
        return None

    def _credential(self, wire: _Wire) -> SupportsTokenInfo:
        from azure import identity

        method, settings = self._sign_in.method, self._sign_in.settings
        options = wire.options()
        tenant, client = settings.get("tenantId", ""), settings.get("clientId", "")
        entra: dict[str, Any] = {**options, "authority": self._sign_in.authority}
        confidential = dict(entra)
        if "disableInstanceDiscovery" in settings:
            confidential["disable_instance_discovery"] = True
        if method is Method.CLIENT_SECRET:
            return identity.ClientSecretCredential(
                tenant, client, self._secret("clientSecret"), **confidential
            )
        if method is Method.CLIENT_CERTIFICATE:
            return self._certificate(tenant, client, confidential)
        if method is Method.MANAGED_IDENTITY:
            return identity.ManagedIdentityCredential(client_id=client or None, **options)
        if method is Method.AZURE_CLI:
            return identity.AzureCliCredential(tenant_id=tenant, process_timeout=_CLI_PATIENCE)
        if method is Method.AZURE_DEVELOPER_CLI:
            return identity.AzureDeveloperCliCredential(tenant_id=tenant, process_timeout=_CLI_PATIENCE)
        if method is Method.DEFAULT_AZURE_CREDENTIAL:
            chosen = {"managed_identity_client_id": client} if client else {}
            return identity.DefaultAzureCredential(**chosen, **entra)
        return identity.ClientAssertionCredential(tenant, client, self._assertion(wire), **entra)

    def _certificate(self, tenant: str, client: str, options: dict[str, Any]) -> SupportsTokenInfo:
        from azure.identity import CertificateCredential

        path = self._sign_in.settings["clientCertificatePath"]
        data = _read(path, "The client certificate")
        password = self._secret("clientCertificatePassword") or None
        try:
            return CertificateCredential(tenant, client, certificate_data=data, password=password, **options)
        except (ValueError, TypeError):
            broken = Failure(
                f"The client certificate {path} cannot be used"
                + (" with the password that is set" if password else ", and no password is set"),
                "It must be a PEM or PFX file with an RSA private key; set clientCertificatePassword if"
                " it has one.",
            )
        raise broken.error()

    def _assertion(self, wire: _Wire) -> Callable[[], str]:
        """A function that gives a new OIDC token at each call: a GitHub job's lives five minutes."""
        asked: dict[Method, Callable[[], str]] = {
            Method.OIDC_TOKEN: lambda: self._secret("oidcToken"),
            Method.OIDC_TOKEN_FILE: self._assertion_of_file,
            Method.OIDC_REQUEST: lambda: self._assertion_of_github(wire),
            Method.AZURE_PIPELINES: lambda: self._assertion_of_pipelines(wire),
        }[self._sign_in.method]

        def assertion() -> str:
            token = sendable_token(asked().strip(), self._sign_in.method.value)
            wire.secrets.append(token)
            return token

        return assertion

    def _assertion_of_file(self) -> str:
        path = self._sign_in.settings["oidcTokenFilePath"]
        token = _read(path, "The OIDC token file").decode("ascii", "replace").strip()
        if not token:
            raise SignInFailed(f"The OIDC token file {path} is empty")
        return token

    def _assertion_of_github(self, wire: _Wire) -> str:
        """`GET <request URL>&audience=...`, bearer the request token; the answer is `{"value": "<JWT>"}`.

        docs.github.com, "Updating your actions for OIDC".
        """
        audience = self._sign_in.settings.get("oidcAudience", "api://AzureADTokenExchange")
        url = _with_query(self._sign_in.settings["oidcRequestUrl"], audience=audience)
        answer = wire.ask("GET", url, self._secret("oidcRequestToken"), {"Accept": "application/json"})
        return _member(answer, "value", "GitHub's OIDC endpoint")

    def _assertion_of_pipelines(self, wire: _Wire) -> str:
        """`POST <request URL>?api-version=7.1&serviceConnectionId=...`; answers `{"oidcToken": "<JWT>"}`.

        As azure-identity's AzurePipelinesCredential asks, which takes the address from the environment alone.
        """
        settings = self._sign_in.settings
        query = {"api-version": "7.1", "serviceConnectionId": settings["adoPipelineServiceConnectionId"]}
        headers = {"Content-Type": "application/json", "X-TFS-FedAuthRedirect": "Suppress"}
        url = _with_query(settings["oidcRequestUrl"].rstrip("/"), **query)
        answer = wire.ask("POST", url, self._secret("oidcRequestToken"), headers)
        return _member(answer, "oidcToken", "Azure Pipelines' OIDC endpoint")

    def _secret(self, name: str) -> str:
        secret = self._sign_in.secrets.get(name)
        return secret.reveal() if secret else ""


class _Wire:
    """One fetch's HTTP: what azure-identity sends through, what was answered, what must not be shown."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.secrets: list[str] = []
        self._session: requests.Session | None = None

    def session(self) -> requests.Session:
        """Proxies and CAs of the environment count; a .netrc does not: it would replace our credentials."""
        import requests

        if self._session is None:
            self._session = requests.Session()
            self._session.auth = lambda request: request
            self._session.hooks["response"].append(
                lambda answer, **_: self.statuses.append(answer.status_code)
            )
        return self._session

    def options(self) -> dict[str, Any]:
        """For azure-identity: no retries of its own, since its sleeps cannot be cancelled."""
        from azure.core.pipeline.transport import RequestsTransport

        transport = RequestsTransport(
            session=self.session(), session_owner=False, connection_timeout=_CONNECT, read_timeout=_READ
        )
        return {"transport": transport, "retry_total": 0}

    def ask(self, method: str, url: str, bearer: str, headers: dict[str, str]) -> bytes:
        """The body of a 200, at most 64 KiB; never after a redirect."""
        sendable_token(bearer, "oidcRequestToken")
        with self.session().request(
            method,
            trusted_url(url, name="oidcRequestUrl"),
            headers={**headers, "Authorization": f"Bearer {bearer}"},
            timeout=(_CONNECT, _READ),
            allow_redirects=False,
            stream=True,
        ) as answer:
            body = b"".join(_bounded(answer.iter_content(8192), _LARGEST_ASSERTION))
        if answer.status_code != 200:
            where = urlsplit(url).hostname
            raise SignInFailed(
                f"{where} gave no OIDC token: HTTP {answer.status_code}",
                next_step=(
                    "The request token lives as long as the pipeline's job; it must come from the same job."
                    if answer.status_code in (301, 302, 401, 403)
                    else ""
                ),
                transient=answer.status_code in (408, 429) or answer.status_code >= 500,
            )
        return body


def _bounded(pieces: Any, most: int) -> list[bytes]:
    taken, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise SignInFailed(f"The OIDC endpoint answered with more than {most} bytes")
        taken.append(piece)
    return taken


def _member(body: bytes, name: str, who: str) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    token = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token:
        raise SignInFailed(f"{who} answered without a token")
    return token


def _with_query(url: str, **more: str) -> str:
    parts = urlsplit(url)
    kept = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in more
    ]
    return urlunsplit(parts._replace(query=urlencode([*kept, *more.items()], quote_via=quote)))


def _read(path: str, what: str) -> bytes:
    """A small file's bytes; the content never reaches an exception."""
    path = os.path.expanduser(path)
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        reason = re.sub(r"^\[Errno \d+\] ", "", plain_words(error.strerror or type(error).__name__))
        unreadable = Failure(f"{what} {path} cannot be read: {reason}")
    else:
        if len(data) <= _LARGEST_FILE:
            return data
        unreadable = Failure(f"{what} {path} is larger than {_LARGEST_FILE} bytes")
    raise unreadable.error()

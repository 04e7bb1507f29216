"""Fetching a token for real: with azure-identity, which is imported here, inside the fetch, and nowhere else.

Every fetch makes its credential anew. The libraries cache tokens, so that an old credential would hand out again the
token that was just rejected; and a rotated certificate or token file is read again this way. `_tokens` caches.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from providers.azure_marketplace.bounds import BoundedSession
from providers.azure_marketplace.credentials._choice import WAYS_IN, Method, SignIn
from providers.azure_marketplace.credentials._failures import explain
from providers.azure_marketplace.credentials._tokens import THREAD, Token, sendable
from providers.azure_marketplace.errors import SignInFailed
from providers.azure_marketplace.settings import plain_address
from providers.azure_marketplace.text import plain

if TYPE_CHECKING:
    from azure.core.credentials import SupportsTokenInfo
    from azure.core.pipeline.transport import RequestsTransport

__all__ = ["fetch"]

_CONNECT, _READ = 10, 30  # seconds for one request; nothing is retried here, since those sleeps cannot be cancelled
_SECRET = frozenset(("clientSecret", "clientCertificatePassword", "oidcToken", "oidcRequestToken"))
_OF_MACHINES = (Method.MANAGED_IDENTITY, Method.DEFAULT_AZURE_CREDENTIAL)
_SECRETS_OF_AZURE = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD")
_LARGEST_TOKEN = 64 * 1024  # bytes
_LARGEST_ANSWER = 1024 * 1024  # bytes
_PROGRAM = 30  # seconds; azure-identity's 10 are too few for `az` on a busy runner


def fetch(sign_in: SignIn, scope: str, *, worked_before: bool) -> Token:
    """`_tokens.Fetch`."""
    answer = _attempt(sign_in, scope, worked_before)
    if isinstance(answer, SignInFailed):
        raise answer  # outside every `except`: its context would hold requests
    return answer


def _attempt(sign_in: SignIn, scope: str, worked_before: bool) -> Token | SignInFailed:
    doing = f"Signing in by {sign_in}"
    try:
        from azure.core.pipeline.transport import RequestsTransport
        from azure.identity import CredentialUnavailableError
    except ImportError:
        return SignInFailed(f"{doing} needs azure-identity", next_step="Install it: `pip install azure-identity`.")
    statuses: list[int] = []
    secrets = [found.value for key, found in sign_in.found.items() if key in _SECRET]
    session = BoundedSession()
    try:
        with ExitStack() as stack:
            # A request with an auth of its own does not read .netrc, which would replace our headers.
            session.auth = lambda request: request
            session.hooks["response"] = [_whole]
            times = {"connection_timeout": _CONNECT, "read_timeout": _READ}
            transport = stack.enter_context(RequestsTransport(session=session, **times))
            options = {
                "transport": transport,
                "retry_total": 0,
                "raw_response_hook": lambda answer: statuses.append(answer.http_response.status_code),
            }
            credential = _credential(sign_in, options, secrets)
            _hush()
            info = credential.get_token_info(scope)
        refresh_on = None if info.refresh_on is None else float(info.refresh_on)
        return Token(sendable(info.token, sign_in.method.value), float(info.expires_on), refresh_on)
    except SignInFailed as error:
        # A setting's own value may be in it, such as a path.
        return SignInFailed(plain(error.what), next_step=error.next_step, transient=error.transient or worked_before)
    except Exception as error:
        failure = explain(
            error,
            doing,
            secrets=secrets,
            statuses=statuses,
            worked_before=worked_before,
            asked=session.asked,
            # That a machine has no identity shows in its address, which leads nowhere.
            hindered=None if sign_in.method in _OF_MACHINES else session.obstacle,
        )
        if sign_in.by_default and isinstance(error, CredentialUnavailableError):
            failure.missing, failure.next_step = True, WAYS_IN
        return failure


def _credential(sign_in: SignIn, options: dict[str, Any], secrets: list[str]) -> SupportsTokenInfo:
    from azure import identity

    method, tenant, client = sign_in.method, sign_in.value("tenantId"), sign_in.value("clientId")
    if method is Method.AZURE_CLI:
        return identity.AzureCliCredential(tenant_id=tenant, process_timeout=_PROGRAM)
    if method is Method.AZURE_DEVELOPER_CLI:
        return identity.AzureDeveloperCliCredential(tenant_id=tenant, process_timeout=_PROGRAM)
    if method is Method.MANAGED_IDENTITY:
        return identity.ManagedIdentityCredential(client_id=client or None, **options)
    entra = {
        **options,
        "authority": _authority(sign_in),
        "disable_instance_discovery": sign_in.value("disableInstanceDiscovery").lower() in ("true", "1"),
    }
    if method is Method.DEFAULT_AZURE_CREDENTIAL:
        for variable in ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"):
            if os.environ.get(variable):
                _file(os.environ[variable], variable)
        secrets += [os.environ[name] for name in _SECRETS_OF_AZURE if os.environ.get(name)]
        chosen = {"managed_identity_client_id": client} if client else {}
        return identity.DefaultAzureCredential(process_timeout=_PROGRAM, **chosen, **entra)
    if method is Method.CLIENT_SECRET:
        return identity.ClientSecretCredential(tenant, client, sign_in.value("clientSecret"), **entra)
    if method is Method.CLIENT_CERTIFICATE:
        path, password = _path(sign_in, "clientCertificatePath"), sign_in.value("clientCertificatePassword")
        try:
            return identity.CertificateCredential(tenant, client, str(path), password=password or None, **entra)
        except (ValueError, TypeError, OSError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise SignInFailed(
                f"The certificate {path} cannot be used: {plain(why, longest=200)}",
                next_step="It must be a PEM or PFX file with its RSA private key, and clientCertificatePassword the "
                "password of that file.",
            ) from None
    asked: Callable[[], str] = {
        Method.OIDC_TOKEN: lambda: sign_in.value("oidcToken"),
        Method.OIDC_TOKEN_FILE: lambda: _token_of_file(sign_in),
        Method.OIDC_REQUEST: lambda: _assertion_of_github(sign_in, options["transport"]),
        Method.AZURE_PIPELINES: lambda: _assertion_of_pipelines(sign_in, options["transport"]),
    }[method]

    def assertion() -> str:
        secrets.append(sendable(asked(), method.value))
        return secrets[-1]

    return identity.ClientAssertionCredential(tenant, client, assertion, **entra)


def _authority(sign_in: SignIn) -> str | None:
    """None for Microsoft's own. MSAL and urllib3 read a strange address as two different hosts'."""
    host = sign_in.value("authorityHost")
    if not host:
        return None
    try:
        return plain_address(host if "://" in host else f"https://{host}")
    except ValueError:
        raise SignInFailed(
            "authorityHost is no address that begins with https://, and nothing was sent to it",
            next_step="Without it, it is https://login.microsoftonline.com, which is right for most.",
        ) from None


def _path(sign_in: SignIn, key: str) -> Path:
    return _file(sign_in.value(key), sign_in.found[key].source)


def _file(value: str, source: str) -> Path:
    if len(value) > 250 or not value.isprintable() or not re.search(r"[./\\]", value):
        # Without the value: it may be what should stand in that file, a private key or a token.
        raise SignInFailed(
            f"{source} must be the path of a file, and is none",
            next_step="Write the certificate with its key, or the token, to a file, and set the file's path.",
        )
    path = Path(value).expanduser()
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe or a device would be read for ever
        raise SignInFailed(f"{source} names {path}, which is no file", next_step="Set the path of a file.")
    return path


def _token_of_file(sign_in: SignIn) -> str:
    path = _path(sign_in, "oidcTokenFilePath")
    try:
        with path.open("rb") as file:
            read = file.read(_LARGEST_TOKEN + 1)
        if len(read) > _LARGEST_TOKEN:
            raise ValueError("too large")
        return read.decode("utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise SignInFailed(
            f"The token file {path} cannot be read: {plain(why, longest=200)}",
            next_step=f"See that {sign_in.found['oidcTokenFilePath'].source} names the file that the cluster or the "
            "pipeline writes.",
        ) from None


def _assertion_of_github(sign_in: SignIn, transport: RequestsTransport) -> str:
    """docs.github.com, OpenID Connect reference: `GET <request URL>&audience=...` answers `{"value": "<JWT>"}`."""
    audience = sign_in.value("oidcAudience") or "api://AzureADTokenExchange"
    return _assertion(sign_in, transport, "GET", {"audience": audience}, "value")


def _assertion_of_pipelines(sign_in: SignIn, transport: RequestsTransport) -> str:
    """As azure-identity's AzurePipelinesCredential, which takes the address from the environment alone."""
    connection = {"api-version": "7.1", "serviceConnectionId": sign_in.value("adoPipelineServiceConnectionId")}
    return _assertion(sign_in, transport, "POST", connection, "oidcToken")


def _assertion(sign_in: SignIn, transport: RequestsTransport, method: str, query: dict[str, str], member: str) -> str:
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest, HttpResponse

    url = sign_in.value("oidcRequestUrl")
    parts = urlsplit(url)
    try:
        plain_address(url.partition("?")[0])
        if re.search(r"[^\x21-\x7e]|[\\#]", url):
            raise ValueError
    except ValueError:
        raise SignInFailed(
            f"{sign_in.found['oidcRequestUrl'].source} must begin with https://, and be a plain address: a token is "
            "sent there"
        ) from None
    bearer = sendable(sign_in.value("oidcRequestToken"), sign_in.found["oidcRequestToken"].source)
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {bearer}",
        "X-TFS-FedAuthRedirect": "Suppress",  # Azure DevOps: 401 instead of a redirect to a page for people
    }
    request = HttpRequest(method, f"{url}{'&' if parts.query else '?'}{urlencode(query)}", headers=headers)
    # No policies: no retries, no redirects, no logs. The transport is shared, and closed by whoever opened it.
    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(url, policies=[], transport=transport)
    answer = client.send_request(request)
    if answer.status_code != 200:
        raise SignInFailed(
            f"{parts.hostname} gave no token for {sign_in.method.value}: it answered {answer.status_code}",
            next_step="The request token lives as long as the pipeline's job, and is for that job only.",
            transient=answer.status_code in (408, 429) or answer.status_code >= 500,
        )
    try:
        return str(answer.json()[member])
    except Exception:
        raise SignInFailed(f"{parts.hostname} answered without a token") from None


def _whole(answer: Any, **_: Any) -> None:
    """Takes in an answer of a sign-in, which is small; refuses a compressed one, which was not asked for."""
    if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        answer.close()
        raise OSError("the answer is compressed, which was not asked for")
    taken = bytearray()
    for part in answer.iter_content(64 * 1024):
        taken += part
        if len(taken) > _LARGEST_ANSWER:
            answer.close()
            raise OSError(f"the answer is larger than {_LARGEST_ANSWER >> 20} MiB")
    answer._content = bytes(taken)


def _hush() -> None:
    """On this thread the libraries log nothing: azure-identity quotes answers that it cannot read, token and all.

    What there is to say is in our error. Loggers are silenced one by one, for a filter is not inherited.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in ("azure", "msal", "urllib3") and isinstance(logger, logging.Logger):
            logger.addFilter(_of_other_threads)  # adding it twice changes nothing


def _of_other_threads(_record: logging.LogRecord) -> bool:
    return threading.current_thread().name != THREAD

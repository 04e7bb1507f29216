"""Microsoft Entra on loopback, as far as programs sign in there; and what hands them proofs and tokens beside it.

Applications prove themselves at the token endpoint (v1 and v2 forms) by a secret, a certificate or a federated token.
GitHub's and Azure Pipelines' endpoints give federated tokens; those of a virtual machine and of App Service give a
managed identity's access tokens. What is issued here, the portal accepts: for its own audience, until it runs out or is
revoked. Outages are faults on these paths (`faults`); Entra's own refusals can be put in line (`refuse_next`).

Facts: learn.microsoft.com, "Microsoft identity platform and the OAuth 2.0 client credentials flow", its certificate and
error code pages, "How to use managed identities to acquire an access token", "REST endpoint reference" of App Service;
docs.github.com, "OpenID Connect reference"; Azure DevOps REST, "Oidctoken - Create" [D]. Bodies of errors: as they are
quoted in issues of Azure/login, azure-sdk-for-python and azure-workload-identity [O].
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field

from simulator.clock import Clock
from simulator.http_terms import Answer, Call, Handler
from simulator.tokens import Tokens
from simulator.wire import zulu

AUDIENCES = ("https://cloudpartner.azure.com", "https://graph.microsoft.com", "https://api.partner.microsoft.com")
EXCHANGE = "api://AzureADTokenExchange"  # the audience of federated tokens [D]
GITHUB = "https://token.actions.githubusercontent.com"
PIPELINES = "https://vstoken.dev.azure.com/00000000-0000-0000-0000-0000000000aa"
TENANT = "11111111-2222-3333-4444-555555555555"
_KNOWN_HOSTS = ("login.microsoftonline.com", "login.microsoft.com", "login.windows.net", "sts.windows.net")
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_REFUSALS: Mapping[int, tuple[int, str, str]] = {
    7000215: (401, "invalid_client", "Invalid client secret provided. Send the secret's value, not its ID."),
    7000222: (401, "invalid_client", "The provided client secret keys for app '{client}' are expired."),
    7000218: (401, "invalid_client", "The request must contain 'client_assertion' or 'client_secret'."),
    700027: (401, "invalid_client", "The certificate used to sign the client assertion is not registered on it."),
    700024: (401, "invalid_client", "Client assertion is not within its valid time range."),
    50027: (401, "invalid_client", "JWT token is invalid or malformed."),
    700211: (401, "invalid_client", "No matching federated identity record found for presented issuer '{detail}'."),
    700212: (401, "invalid_client", "No matching federated identity record found for presented audience '{detail}'."),
    700213: (401, "invalid_client", "No matching federated identity record found for presented subject '{detail}'."),
    700016: (400, "unauthorized_client", "Application '{client}' was not found in the directory '{tenant}'."),
    90002: (400, "invalid_request", "Tenant '{tenant}' not found."),
    500011: (400, "invalid_resource", "The resource principal named {detail} was not found in the tenant '{tenant}'."),
    1002012: (400, "invalid_scope", "The scope '{detail}' is not valid: it must be a resource with /.default."),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type '{detail}'."),
    50196: (400, "invalid_grant", "The server terminated an operation because it encountered a client request loop."),
    53003: (400, "invalid_grant", "Access has been blocked by Conditional Access policies."),
    90033: (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
}


class Federated(BaseModel):
    """Whose tokens an application accepts as a proof; compared letter by letter [D]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = GITHUB
    subject: str = "repo:contoso/offers:ref:refs/heads/main"
    audience: str = EXCHANGE


class Application(BaseModel):
    """An application, or a managed identity. publishers: those it was added to in Partner Center; None: all."""

    model_config = ConfigDict(extra="forbid")

    object_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    secrets: dict[str, float | None] = Field(default_factory=dict)  # value -> until, seconds since 1970
    certificates: list[str] = Field(default_factory=list)  # PEM
    federated: list[Federated] = Field(default_factory=list)
    publishers: list[str] | None = None
    managed: bool = False  # an identity of the machine that the managed identity endpoints serve
    system_assigned: bool = False


class Job(BaseModel):
    """A pipeline's job, which may ask for federated tokens. connection: the service connection, in Azure Pipelines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = GITHUB
    subject: str = "repo:contoso/offers:ref:refs/heads/main"
    connection: str = ""


class _Refused(Exception):
    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class Entra:
    """One tenant. Everything in it may be changed while it runs.

    >>> entra.add(CLIENT, secrets={"s3cr3t": None})
    >>> requests.post(f"{url}/{entra.tenant}/oauth2/v2.0/token", {"grant_type": "client_credentials", ...})
    """

    def __init__(self, clock: Clock, tokens: Tokens) -> None:
        self._clock = clock
        self._tokens = tokens
        self._key = secrets.token_bytes(32)  # signs everything here, also in the name of GitHub and of clusters
        self.clear()

    def clear(self) -> None:
        self.tenant = TENANT
        self.lifetime = 3599.0  # seconds
        self.applications: dict[str, Application] = {}
        self.jobs: dict[str, Job] = {}  # by the request token
        self.identity_header = "identity-header"  # what App Service's endpoint wants to see
        self.issued: list[tuple[str, str]] = []  # client id, token
        self._refusals: deque[int] = deque()

    # -- Behind its back

    def add(self, client_id: str, **what: Any) -> Application:
        """Add or replace an application. From then on the portals accept only tokens that are known."""
        application = Application.model_validate(what)
        self.applications[client_id] = application
        self._tokens.restricted = True
        return application

    def refuse_next(self, *codes: int) -> None:
        """Answer the next token requests with these AADSTS codes."""
        unknown = [code for code in codes if code not in _REFUSALS]
        if unknown:
            raise ValueError(f"the simulator does not know AADSTS{unknown[0]}")
        self._refusals.extend(codes)

    def revoke(self, client_id: str) -> None:
        """The tokens issued to an application so far are no longer accepted; new ones are."""
        for owner, token in self.issued:
            if owner == client_id:
                self._tokens.revoke(token)

    def federated_token(self, proof: Federated, *, lives: float = 300.0) -> str:
        """What a cluster writes into a pod's token file, and what GitHub gives a job."""
        now = self._clock.now()
        return self._jwt(
            {"iss": proof.issuer, "sub": proof.subject, "aud": proof.audience, "nbf": now, "exp": now + lives}
        )

    # -- Routes

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        return {
            "/common/discovery/instance": {"GET": self.instance},
            "/{tenant}/.well-known/openid-configuration": {"GET": self.metadata},
            "/{tenant}/v2.0/.well-known/openid-configuration": {"GET": self.metadata},
            "/{tenant}/oauth2/token": {"POST": self._answering(self.token_v1)},
            "/{tenant}/oauth2/v2.0/token": {"POST": self._answering(self.token_v2)},
            "/github/idtoken": {"GET": self.github},
            "/pipelines/oidctoken": {"POST": self.pipelines},
            "/metadata/identity/oauth2/token": {"GET": self.machine},
            "/msi/token": {"GET": self.app_service},
        }

    def instance(self, call: Call) -> Answer:
        """Which hosts are Microsoft's; MSAL asks before it trusts one that it does not know."""
        asked = (call.one("authorization_endpoint") or "").split("/")
        if len(asked) < 4 or asked[2] not in _KNOWN_HOSTS:
            text = f"AADSTS50049: Unknown or invalid instance.\r\nTrace ID: {uuid.uuid4()}"
            return Answer(400, {"error": "invalid_instance", "error_description": text, "error_codes": [50049]})
        network = {
            "preferred_network": _KNOWN_HOSTS[0],
            "preferred_cache": _KNOWN_HOSTS[2],
            "aliases": list(_KNOWN_HOSTS),
        }
        endpoint = f"https://{asked[2]}/{asked[3]}/v2.0/.well-known/openid-configuration"
        return Answer(200, {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [network]})

    def metadata(self, call: Call) -> Answer:
        tenant = call.path_params["tenant"]
        if tenant != self.tenant:
            return self._refusal(_Refused(90002), tenant, "")
        base, version = f"{call.base_url}/{tenant}/oauth2", "/v2.0" if "/v2.0/" in call.path else ""
        return Answer(
            200,
            {
                "issuer": f"{call.base_url}/{tenant}{version}",
                "authorization_endpoint": f"{base}{version}/authorize",
                "token_endpoint": f"{base}{version}/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "response_types_supported": ["code", "id_token"],
            },
        )

    def token_v1(self, form: Mapping[str, str]) -> Answer:
        """The form with `resource` [D ORIG/prerequisites]: numbers come as texts."""
        resource = form.get("resource", "")
        token = self._issue(form.get("client_id", ""), resource)
        return Answer(200, {**self._times(texts=True), "resource": resource, "access_token": token})

    def token_v2(self, form: Mapping[str, str]) -> Answer:
        """The form with `scope`."""
        scope = form.get("scope", "")
        if not scope.endswith("/.default"):
            raise _Refused(1002012, scope)
        token = self._issue(form.get("client_id", ""), scope.removesuffix("/.default"))
        life = int(self.lifetime)
        return Answer(200, {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token})

    def github(self, call: Call) -> Answer:
        job = self._job(call)
        if job is None:
            return Answer(401, {"message": "The request token is not valid."})
        audience = call.one("audience") or "https://github.com/contoso"
        token = self.federated_token(Federated(issuer=job.issuer, subject=job.subject, audience=audience))
        return Answer(200, {"count": len(token), "value": token})

    def pipelines(self, call: Call) -> Answer:
        job = self._job(call)
        if job is None and "x-tfs-fedauthredirect" not in call.headers:
            return Answer(302, None, (("Location", "https://spsprodeus27.vssps.visualstudio.com/_signin"),))
        if job is None or not call.one("api-version"):
            return Answer(401 if job is None else 400, {"message": "TF400813: The user is not authorized."})
        if call.one("serviceConnectionId") != job.connection:
            return Answer(404, {"message": "The service connection does not exist, or the job may not use it."})
        proof = Federated(issuer=job.issuer, subject=job.subject)
        return Answer(200, {"oidcToken": self.federated_token(proof, lives=600)})

    def machine(self, call: Call) -> Answer:
        """The metadata service of a virtual machine."""
        if call.headers.get("metadata", "").lower() != "true":
            return _machine_refuses("Required metadata header not specified")
        if not call.one("api-version"):
            return _machine_refuses("Required api-version parameter not specified")
        client_id = self._identity(call.one("client_id"))
        if client_id is None:
            return _machine_refuses("Identity not found")
        return self._managed(client_id, call.one("resource") or "")

    def app_service(self, call: Call) -> Answer:
        if call.headers.get("x-identity-header") != self.identity_header:
            return Answer(401, {"statusCode": 401, "message": "The identity header is not valid."})
        client_id = self._identity(call.one("client_id"))
        if client_id is None:
            return Answer(400, {"statusCode": 400, "message": "No managed identity found for specified ClientId."})
        return self._managed(client_id, call.one("resource") or "")

    # -- Proofs

    def _answering(self, handler: Callable[[Mapping[str, str]], Answer]) -> Handler:
        def answer(call: Call) -> Answer:
            tenant = call.path_params["tenant"]
            form = {name: values[0] for name, values in parse_qs(call.body.decode("latin-1")).items()}
            try:
                if self._refusals:
                    raise _Refused(self._refusals.popleft())
                self._prove(call, tenant, form)
                return handler(form)
            except _Refused as refused:
                return self._refusal(refused, tenant, form.get("client_id", ""))

        return answer

    def _prove(self, call: Call, tenant: str, form: Mapping[str, str]) -> None:
        if tenant != self.tenant:
            raise _Refused(90002)
        if form.get("grant_type") != "client_credentials":
            raise _Refused(70003, form.get("grant_type", ""))
        application = self.applications.get(form.get("client_id", ""))
        if application is None or application.managed:
            raise _Refused(700016)
        if "client_assertion" in form and form.get("client_assertion_type") == _JWT_BEARER:
            self._check_assertion(call, application, form["client_id"], form["client_assertion"])
        elif "client_secret" in form:
            if form["client_secret"] not in application.secrets:
                raise _Refused(7000215)
            until = application.secrets[form["client_secret"]]
            if until is not None and until <= self._clock.now():
                raise _Refused(7000222)
        else:
            raise _Refused(7000218)

    def _check_assertion(self, call: Call, application: Application, client_id: str, assertion: str) -> None:
        try:
            header, claims = (json.loads(_unbase64(part)) for part in assertion.split(".")[:2])
            signed, _, signature = assertion.rpartition(".")
            inside = float(claims.get("nbf", 0)) <= self._clock.now() < float(claims["exp"])
            issuer, subject, audience = claims["iss"], claims["sub"], claims["aud"]
        except (ValueError, KeyError, TypeError):
            raise _Refused(50027) from None
        if issuer == client_id:  # signed with its own certificate
            if not any(_signed_by(pem, header, signed, signature) for pem in application.certificates):
                raise _Refused(700027)
            if not inside or subject != client_id or not str(audience).startswith(f"{call.base_url}/{self.tenant}/"):
                raise _Refused(700024 if not inside else 50027)
            return
        if not hmac.compare_digest(signature, self._signature(signed)):
            raise _Refused(50027)
        if not inside:
            raise _Refused(700024)
        trusted = application.federated
        for code, presented, known in (
            (700211, issuer, {one.issuer for one in trusted}),
            (700212, audience, {one.audience for one in trusted}),
            (700213, subject, {one.subject for one in trusted}),
        ):
            if presented not in known:
                raise _Refused(code, presented)

    def _job(self, call: Call) -> Job | None:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        return self.jobs.get(token) if scheme.lower() == "bearer" else None

    def _identity(self, client_id: str | None) -> str | None:
        for known, application in self.applications.items():
            if application.managed and (known == client_id or (not client_id and application.system_assigned)):
                return known
        return None

    # -- Answers

    def _issue(self, client_id: str, audience: str) -> str:
        audience = audience.removesuffix("/")  # samples write https://graph.microsoft.com/ too [D private-offers-api]
        if audience not in AUDIENCES:
            raise _Refused(500011, audience)
        application, now = self.applications[client_id], self._clock.now()
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "tid": self.tenant,
            "appid": client_id,
            "oid": application.object_id,
            "exp": int(now + self.lifetime),
            "uti": secrets.token_urlsafe(12),
        }
        token = self._jwt(claims)
        publishers = None if application.publishers is None else tuple(application.publishers)
        self._tokens.add(token, publishers=publishers, expires_at=now + self.lifetime, audience=audience)
        self.issued.append((client_id, token))
        return token

    def _managed(self, client_id: str, resource: str) -> Answer:
        try:
            token = self._issue(client_id, resource.removesuffix("/"))
        except _Refused as refused:
            return self._refusal(refused, self.tenant, client_id)
        body = {**self._times(texts=True), "resource": resource, "client_id": client_id, "access_token": token}
        return Answer(200, body)

    def _times(self, *, texts: bool) -> dict[str, Any]:
        now, life = int(self._clock.now()), int(self.lifetime)
        times = {"expires_in": life, "ext_expires_in": life, "expires_on": now + life, "not_before": now}
        return {"token_type": "Bearer", **{name: str(value) if texts else value for name, value in times.items()}}

    def _refusal(self, refused: _Refused, tenant: str, client: str) -> Answer:
        status, error, text = _REFUSALS[refused.code]
        trace, correlation, now = str(uuid.uuid4()), str(uuid.uuid4()), zulu(self._clock.now())
        text = text.format(tenant=tenant, client=client, detail=refused.detail)
        body = {
            "error": error,
            "error_description": f"AADSTS{refused.code}: {text}\r\nTrace ID: {trace}\r\n"
            f"Correlation ID: {correlation}\r\nTimestamp: {now}",
            "error_codes": [refused.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={refused.code}",
        }
        return Answer(status, body)

    def _jwt(self, claims: Mapping[str, Any]) -> str:
        signed = f"{_base64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_base64(json.dumps(claims))}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _base64(hmac.digest(self._key, signed.encode(), "sha256"))


def _machine_refuses(why: str) -> Answer:
    return Answer(400, {"error": "invalid_request", "error_description": why})


def _signed_by(pem: str, header: Mapping[str, Any], signed: str, signature: str) -> bool:
    """Whether a certificate's key signed this, and the header names it by its thumbprint [D]."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.x509 import load_pem_x509_certificate

    certificate = load_pem_x509_certificate(pem.encode())
    der, key = certificate.public_bytes(serialization.Encoding.DER), certificate.public_key()
    thumbprints = {
        "x5t": _base64(hashlib.sha1(der, usedforsecurity=False).digest()),
        "x5t#S256": _base64(hashlib.sha256(der).digest()),
    }
    if not any(str(header.get(name, "")).rstrip("=") == value for name, value in thumbprints.items()):
        return False
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
    scheme: Any = {"RS256": padding.PKCS1v15(), "PS256": pss}.get(str(header.get("alg")))
    try:
        key.verify(_unbase64(signature), signed.encode(), scheme, hashes.SHA256())
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _base64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

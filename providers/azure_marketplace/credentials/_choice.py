"""Which way to sign in: one method, chosen from the configuration and the environment. Pure; nothing is sent.

The configuration, then AZUREMARKETPLACE_*, then ARM_*, then AZURE_*: the first of these levels that names a method
decides. On one level the order is that of pulumi-azure-native (newSingleMethodAuthCredential): DefaultAzureCredential,
certificate, secret, OIDC, managed identity, command line; an access token comes before them all. What else the method
needs is looked up through the same levels in the same order. Where nothing names a method, it is the Azure CLI.

A chosen method of which something is missing, or which then fails, is an error: nothing else is tried in its place.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NoReturn

from providers.azure_marketplace.errors import SignInFailed
from providers.azure_marketplace.settings import NAMESPACE, environment_name

__all__ = ["KEYS", "WAYS_IN", "Found", "Level", "Method", "SignIn", "Sources", "choose"]

WAYS_IN = (
    "On a laptop run `az login`. In a pipeline set ARM_USE_OIDC, ARM_CLIENT_ID and ARM_TENANT_ID; on an Azure machine "
    "ARM_USE_MSI; elsewhere ARM_CLIENT_ID, ARM_TENANT_ID and ARM_CLIENT_SECRET or ARM_CLIENT_CERTIFICATE_PATH. "
    "docs/signing-in.md has every way, with its commands."
)


class Method(str, Enum):
    """The value is what people call it."""

    ACCESS_TOKEN = "access token"  # noqa: S105 - a name, as below  # nosec B105
    DEFAULT_AZURE_CREDENTIAL = "DefaultAzureCredential"
    CLIENT_CERTIFICATE = "client certificate"
    CLIENT_SECRET = "client secret"  # noqa: S105  # nosec B105
    OIDC_TOKEN = "OIDC token"  # noqa: S105  # nosec B105
    OIDC_TOKEN_FILE = "workload identity (OIDC token file)"  # noqa: S105  # nosec B105
    OIDC_REQUEST = "GitHub OIDC"
    AZURE_PIPELINES = "Azure Pipelines OIDC"
    MANAGED_IDENTITY = "managed identity"
    AZURE_CLI = "Azure CLI"
    AZURE_DEVELOPER_CLI = "Azure Developer CLI"


class Level(IntEnum):
    CONFIGURATION = 0
    OWN = 1  # AZUREMARKETPLACE_*
    ARM = 2
    AZURE = 3
    PLATFORM = 4  # what a pipeline sets by itself: it completes a method and never names one


# Beside `azuremarketplace:<key>` and AZUREMARKETPLACE_<KEY>, which every key has.
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "clientId": ("ARM_CLIENT_ID", "AZURE_CLIENT_ID", "AZURESUBSCRIPTION_CLIENT_ID"),
    "tenantId": ("ARM_TENANT_ID", "AZURE_TENANT_ID", "AZURESUBSCRIPTION_TENANT_ID"),
    "clientSecret": ("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
    "clientCertificatePath": ("ARM_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "clientCertificatePassword": ("ARM_CLIENT_CERTIFICATE_PASSWORD", "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    "useOidc": ("ARM_USE_OIDC",),
    "oidcToken": ("ARM_OIDC_TOKEN",),
    "oidcTokenFilePath": ("ARM_OIDC_TOKEN_FILE_PATH", "AZURE_FEDERATED_TOKEN_FILE"),
    "oidcRequestUrl": ("ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL", "SYSTEM_OIDCREQUESTURI"),
    "oidcRequestToken": ("ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SYSTEM_ACCESSTOKEN"),
    "oidcAudience": ("ARM_OIDC_AUDIENCE",),
    "adoPipelineServiceConnectionId": (
        *("ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"),
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    ),
    "useMsi": ("ARM_USE_MSI",),
    "useCli": ("ARM_USE_CLI",),
    "useDefaultAzureCredential": ("ARM_USE_DEFAULT_AZURE_CREDENTIAL",),
    "authorityHost": ("AZURE_AUTHORITY_HOST",),
    "disableInstanceDiscovery": ("ARM_DISABLE_INSTANCE_DISCOVERY",),
}
_ANY_OIDC = Method.OIDC_TOKEN
_NAMED_BY: tuple[tuple[str, Method], ...] = (
    ("accessToken", Method.ACCESS_TOKEN),
    ("useDefaultAzureCredential", Method.DEFAULT_AZURE_CREDENTIAL),
    ("clientCertificatePath", Method.CLIENT_CERTIFICATE),
    ("clientSecret", Method.CLIENT_SECRET),
    ("useOidc", _ANY_OIDC),
    ("oidcToken", _ANY_OIDC),
    ("oidcTokenFilePath", _ANY_OIDC),
    ("adoPipelineServiceConnectionId", _ANY_OIDC),
    ("oidcRequestUrl", _ANY_OIDC),
    ("useMsi", Method.MANAGED_IDENTITY),
    ("useCli", Method.AZURE_CLI),
    ("useDeveloperCli", Method.AZURE_DEVELOPER_CLI),
)
KEYS = frozenset((*_VARIABLES, *(key for key, _ in _NAMED_BY)))
"""Every key of signing in."""
_APPLICATION = ("clientId", "tenantId")
_NEEDS: Mapping[Method, tuple[str, ...]] = {
    Method.ACCESS_TOKEN: ("accessToken",),
    Method.CLIENT_CERTIFICATE: (*_APPLICATION, "clientCertificatePath"),
    Method.CLIENT_SECRET: (*_APPLICATION, "clientSecret"),
    Method.OIDC_TOKEN: (*_APPLICATION, "oidcToken"),
    Method.OIDC_TOKEN_FILE: (*_APPLICATION, "oidcTokenFilePath"),
    Method.OIDC_REQUEST: (*_APPLICATION, "oidcRequestUrl", "oidcRequestToken"),
    Method.AZURE_PIPELINES: (
        *_APPLICATION,
        *("adoPipelineServiceConnectionId", "oidcRequestUrl", "oidcRequestToken"),
    ),
}
_TAKES: Mapping[Method, tuple[str, ...]] = {
    Method.CLIENT_CERTIFICATE: ("clientCertificatePassword",),
    Method.OIDC_REQUEST: ("oidcAudience",),
    Method.DEFAULT_AZURE_CREDENTIAL: ("clientId",),
    Method.MANAGED_IDENTITY: ("clientId",),
    Method.AZURE_CLI: ("tenantId",),
    Method.AZURE_DEVELOPER_CLI: ("tenantId",),
}
_COMMON = ("authorityHost", "disableInstanceDiscovery")
_NAMING = (Level.CONFIGURATION, Level.OWN, Level.ARM, Level.AZURE)
# In a pipeline the service connection's own ids come before AZURE_*, which may be the agent's.
_IN_PIPELINES = (Level.CONFIGURATION, Level.OWN, Level.ARM, Level.PLATFORM, Level.AZURE)


@dataclass(frozen=True, slots=True)
class Found:
    """A setting. source: where it is from, in the user's words."""

    value: str = field(repr=False)
    level: Level
    source: str

    def __reduce__(self) -> NoReturn:
        raise TypeError("what may be a secret is not pickled: it would end up in the state")


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to sign in, decided. `str` is for people: `client secret (ARM_CLIENT_ID, ARM_TENANT_ID, ...)`, no value.

    by_default: nothing names a method; the Azure CLI is tried because it is installed.
    """

    method: Method
    found: Mapping[str, Found] = field(default_factory=dict)
    by_default: bool = False

    def __str__(self) -> str:
        if self.by_default:
            return f"{self.method.value} (nothing else is configured)"
        return f"{self.method.value} ({', '.join(found.source for found in self.found.values())})"

    def value(self, key: str) -> str:
        """The value of a setting; empty where it is not set."""
        found = self.found.get(key)
        return found.value if found else ""


class Sources:
    """What is set, by key and level. Blank counts as not set: pipelines set variables to nothing."""

    def __init__(self, configured: Callable[[str], str | None], environment: Mapping[str, str]) -> None:
        self._configured = configured
        self._environment = environment

    def at(self, key: str, level: Level) -> Found | None:
        if level is Level.CONFIGURATION:
            return _found(self._configured(key), level, f"{NAMESPACE}:{key}")
        for name in _names(key, level):
            if found := _found(self._environment.get(name), level, name):
                return found
        return None

    def find(self, key: str, levels: Iterable[Level] = _NAMING) -> Found | None:
        return next((found for level in levels if (found := self.at(key, level))), None)

    def switch(self, key: str) -> bool | None:
        """Whether a `use...` switch is on; None where it is not set. The first level that sets it decides."""
        found = self.find(key)
        if found and found.value.lower() not in ("true", "1", "false", "0"):
            raise SignInFailed(f"{found.source} must be true or false")
        return found.value.lower() in ("true", "1") if found else None


def choose(sources: Sources, *, which: Callable[[str], str | None] = shutil.which) -> SignIn:
    """The one method to sign in with. which: finds a program, as `shutil.which` does.

    Raises `SignInFailed` for half a method, and with `missing` where there is nothing to sign in with at all.
    """
    no_oidc = sources.switch("useOidc") is False
    for level in _NAMING:
        for key, method in _NAMED_BY:
            named = sources.at(key, level)
            if named is None or (method is _ANY_OIDC and no_oidc):
                continue
            if key.startswith("use") and not (sources.switch(key) and named == sources.find(key)):
                continue
            return _whole(sources, _kind_of_oidc(sources, level) if method is _ANY_OIDC else method, named_by=key)
    halves = (
        ("clientId", "clientSecret"),
        ("clientCertificatePassword", "clientCertificatePath"),
        ("oidcRequestToken", "oidcRequestUrl"),
    )
    for key, needs in halves:
        if alone := sources.find(key):
            raise SignInFailed(
                f"{alone.source} is set, but nothing to prove it with",
                next_step=f"Set {_ways_to_set(needs)}; or say which other way is meant: useOidc, useMsi or useCli.",
            )
    if sources.switch("useCli") is not False and which("az"):
        return _whole(sources, Method.AZURE_CLI)
    raise SignInFailed("There is nothing to sign in with", next_step=WAYS_IN, missing=True)


def _kind_of_oidc(sources: Sources, named_at: Level) -> Method:
    if named_at is Level.AZURE:
        return Method.OIDC_TOKEN_FILE
    for level in _IN_PIPELINES:
        if sources.at("oidcToken", level):
            return Method.OIDC_TOKEN
        if sources.at("oidcTokenFilePath", level):
            return Method.OIDC_TOKEN_FILE
        if sources.at("adoPipelineServiceConnectionId", level):
            return Method.AZURE_PIPELINES
        if url := sources.at("oidcRequestUrl", level):
            pipelines = url.source == "SYSTEM_OIDCREQUESTURI" or sources.find(
                "adoPipelineServiceConnectionId", _IN_PIPELINES
            )
            return Method.AZURE_PIPELINES if pipelines else Method.OIDC_REQUEST
    raise SignInFailed(
        "OIDC is asked for, but there is neither a token nor a place to ask for one",
        next_step="On GitHub give the job `permissions: id-token: write`; in Azure Pipelines set "
        f"{_ways_to_set('adoPipelineServiceConnectionId')}; elsewhere set {_ways_to_set('oidcTokenFilePath')}.",
    )


def _whole(sources: Sources, method: Method, named_by: str = "") -> SignIn:
    levels = {Method.AZURE_PIPELINES: _IN_PIPELINES, Method.OIDC_REQUEST: tuple(Level)}.get(method, _NAMING)
    needs = _NEEDS.get(method, ())
    keys = (named_by, *needs, *_TAKES.get(method, ()), *_COMMON)
    found = {key: setting for key in keys if key and (setting := sources.find(key, levels))}
    missing = [key for key in needs if key not in found]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        step = " and ".join(_ways_to_set(key) for key in missing)
        if method is Method.AZURE_PIPELINES and "oidcRequestToken" in missing:
            step += "; in the pipeline's step, `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`"
        raise SignInFailed(
            f"To sign in by {method.value} ({found[named_by].source} is set) {' and '.join(missing)} {are} missing",
            next_step=f"Set {step}.",
        )
    _refuse_two_applications(sources, found)
    _refuse_two_platforms(found)
    return SignIn(method, found, by_default=not named_by)


def _refuse_two_platforms(found: Mapping[str, Found]) -> None:
    """A platform's token for its jobs is not sent to another platform's address."""
    url, token = found.get("oidcRequestUrl"), found.get("oidcRequestToken")
    platforms = {each.source.partition("_")[0] for each in (url, token) if each} & {"ACTIONS", "SYSTEM"}
    if url and token and len(platforms) == 2:
        raise SignInFailed(
            f"{url.source} is GitHub's or Azure Pipelines', and {token.source} the other's: nothing was sent",
            next_step="On GitHub give the job `permissions: id-token: write`; in Azure Pipelines unset the other's.",
        )


def _refuse_two_applications(sources: Sources, found: Mapping[str, Found]) -> None:
    """A secret is not sent for another application than the one it stands beside."""
    client = found.get("clientId")
    for key in ("clientSecret", "clientCertificatePath"):
        proof = found.get(key)
        beside = sources.at("clientId", proof.level) if proof else None
        if client and proof and beside and beside.value.lower() != client.value.lower():
            raise SignInFailed(
                f"{proof.source} belongs to the application of {beside.source}, but {client.source}, which comes "
                "first, names another one",
                next_step="Set both in the same place.",
            )


def _found(value: str | None, level: Level, source: str) -> Found | None:
    value = (value or "").strip()
    return Found(value, level, source) if value else None


def _names(key: str, level: Level) -> tuple[str, ...]:
    if level is Level.OWN:
        return (environment_name(key),)
    return tuple(name for name in _VARIABLES.get(key, ()) if _level_of(name) is level)


def _level_of(variable: str) -> Level:
    prefixes = {"ARM_": Level.ARM, "AZURE_": Level.AZURE}
    return next((level for prefix, level in prefixes.items() if variable.startswith(prefix)), Level.PLATFORM)


def _ways_to_set(key: str) -> str:
    """`azuremarketplace:tenantId (or ARM_TENANT_ID)`."""
    return f"{NAMESPACE}:{key} (or {[*_names(key, Level.ARM), environment_name(key)][0]})"

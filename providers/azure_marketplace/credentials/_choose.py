"""Which way to sign in: one method, chosen from the configuration and the environment. Pure; nothing is sent.

The order, which docs/signing-in.md tells users:

1. The configuration, then AZUREMARKETPLACE_*, then ARM_*, then AZURE_*: the first of these four levels that
   speaks of any method decides.
2. Within one level: `accessToken`; the methods asked for by name (`useDefaultAzureCredential`, `useOidc`,
   `useMsi`, `useCli`, `useDeveloperCli`); then those that follow from what is set (certificate, secret,
   OIDC).
3. Nothing at any level: the Azure CLI, if it is installed and `useCli` is not false.

A setting of the chosen method that its own level lacks comes from a level below or above, with two limits, so
that two identities never mix: ARM_* and AZURE_* do not complete each other, and a proof (secret, certificate,
OIDC token) is not used for another application than the one its own level names.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from providers.azure_marketplace.credentials._secret import Secret
from providers.azure_marketplace.errors import InvalidInput, SignInFailed

__all__ = ["KEYS", "Method", "SignIn", "choose_sign_in", "trusted_url"]

NAMESPACE = "azuremarketplace"


class Method(str, Enum):
    """The ways to sign in; the value is how a person calls it."""

    ACCESS_TOKEN = "access token"  # noqa: S105 - a name
    CLIENT_SECRET = "client secret"  # noqa: S105 - a name
    CLIENT_CERTIFICATE = "client certificate"
    OIDC_TOKEN = "OIDC token"  # noqa: S105 - a name
    OIDC_TOKEN_FILE = "workload identity (OIDC token file)"  # noqa: S105 - a name
    OIDC_REQUEST = "GitHub OIDC"
    AZURE_PIPELINES = "Azure Pipelines OIDC"
    MANAGED_IDENTITY = "managed identity"
    AZURE_CLI = "Azure CLI"
    AZURE_DEVELOPER_CLI = "Azure Developer CLI"
    DEFAULT_AZURE_CREDENTIAL = "DefaultAzureCredential"


class Key(NamedTuple):
    """One configuration key: its other names, and whether its value is secret.

    around: variables that a platform sets by itself (a pipeline, a cluster), used once a method is chosen but
    never to choose it.
    """

    name: str
    secret: bool = False
    arm: tuple[str, ...] = ()
    azure: tuple[str, ...] = ()
    around: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The variable of this provider's own: `clientId` is AZUREMARKETPLACE_CLIENT_ID."""
        return f"{NAMESPACE.upper()}_{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', self.name).upper()}"


KEYS: Mapping[str, Key] = MappingProxyType(
    {
        key.name: key
        for key in (
            Key("accessToken", secret=True),
            Key("clientId", arm=("ARM_CLIENT_ID",), azure=("AZURE_CLIENT_ID",)),
            Key("tenantId", arm=("ARM_TENANT_ID",), azure=("AZURE_TENANT_ID",)),
            Key("clientSecret", True, ("ARM_CLIENT_SECRET",), ("AZURE_CLIENT_SECRET",)),
            Key(
                "clientCertificatePath",
                arm=("ARM_CLIENT_CERTIFICATE_PATH",),
                azure=("AZURE_CLIENT_CERTIFICATE_PATH",),
            ),
            Key(
                "clientCertificatePassword",
                True,
                ("ARM_CLIENT_CERTIFICATE_PASSWORD",),
                ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
            ),
            Key("useOidc", arm=("ARM_USE_OIDC",)),
            Key("oidcToken", True, ("ARM_OIDC_TOKEN",)),
            Key(
                "oidcTokenFilePath",
                arm=("ARM_OIDC_TOKEN_FILE_PATH",),
                azure=("AZURE_FEDERATED_TOKEN_FILE",),
                around=("AZURE_FEDERATED_TOKEN_FILE",),
            ),
            Key("oidcRequestUrl", arm=("ARM_OIDC_REQUEST_URL",), around=("ACTIONS_ID_TOKEN_REQUEST_URL",)),
            Key(
                "oidcRequestToken",
                True,
                ("ARM_OIDC_REQUEST_TOKEN",),
                around=("ACTIONS_ID_TOKEN_REQUEST_TOKEN",),
            ),
            Key("oidcAudience", arm=("ARM_OIDC_AUDIENCE",)),
            Key(
                "adoPipelineServiceConnectionId",
                arm=("ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID"),
                around=("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",),
            ),
            Key("useMsi", arm=("ARM_USE_MSI",)),
            Key("useCli", arm=("ARM_USE_CLI",)),
            Key("useDeveloperCli"),
            Key("useDefaultAzureCredential", arm=("ARM_USE_DEFAULT_AZURE_CREDENTIAL",)),
            Key("environment", arm=("ARM_ENVIRONMENT",)),
            Key(
                "authorityHost",
                arm=("ARM_ACTIVE_DIRECTORY_AUTHORITY_HOST",),
                azure=("AZURE_AUTHORITY_HOST",),
            ),
            Key("disableInstanceDiscovery", arm=("ARM_DISABLE_INSTANCE_DISCOVERY",)),
        )
    }
)

# In Azure Pipelines the same three things have other names; they count only for that method.
_PIPELINES_AROUND = {
    "oidcRequestUrl": "SYSTEM_OIDCREQUESTURI",
    "oidcRequestToken": "SYSTEM_ACCESSTOKEN",
    "clientId": "AZURESUBSCRIPTION_CLIENT_ID",
    "tenantId": "AZURESUBSCRIPTION_TENANT_ID",
}
_LEVELS = ("configuration", "own", "arm", "azure")
_ASKED_FOR = {
    "useDefaultAzureCredential": Method.DEFAULT_AZURE_CREDENTIAL,
    "useOidc": None,  # which kind of OIDC, its other settings say
    "useMsi": Method.MANAGED_IDENTITY,
    "useCli": Method.AZURE_CLI,
    "useDeveloperCli": Method.AZURE_DEVELOPER_CLI,
}
_OIDC_KEYS = (
    "oidcToken",
    "oidcTokenFilePath",
    "adoPipelineServiceConnectionId",
    "oidcRequestUrl",
    "oidcRequestToken",
)
_CLOUDS = {
    "public": "login.microsoftonline.com",
    "azurepubliccloud": "login.microsoftonline.com",
    "azurecloud": "login.microsoftonline.com",
    "usgovernment": "login.microsoftonline.us",
    "azureusgovernment": "login.microsoftonline.us",
    "azureusgovernmentcloud": "login.microsoftonline.us",
    "china": "login.chinacloudapi.cn",
    "azurechinacloud": "login.chinacloudapi.cn",
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\Z")


@dataclass(frozen=True)
class SignIn:
    """How to sign in, decided. Nothing in it is shown that is secret.

    settings, secrets: the values, by configuration key. sources: where each came from, in the user's words.
    authority: the sign-in service, `https://login.microsoftonline.com`.
    by_default: nothing was configured; the Azure CLI is tried because it is there.
    """

    method: Method
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    authority: str = "https://login.microsoftonline.com"
    by_default: bool = False

    @property
    def description(self) -> str:
        """For the log: `client secret of application 12345678… (clientId from configuration, ...)`."""
        words: str = self.method.value
        client_id = self.settings.get("clientId", "")
        if self.method is Method.MANAGED_IDENTITY:
            words = (
                f"user-assigned managed identity {_short(client_id)}"
                if client_id
                else "system-assigned managed identity"
            )
        elif client_id:
            words += f" of application {_short(client_id)}"
        if self.by_default:
            return f"{words} (nothing else is configured)"
        origins = ", ".join(f"{name} from {source}" for name, source in self.sources.items())
        return f"{words} ({origins})" if origins else words


def choose_sign_in(
    configuration: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    find_program: Callable[[str], str | None] = shutil.which,
) -> SignIn:
    """The one method to sign in with.

    configuration: by key without the namespace (`clientId`), secrets decrypted. environment: `os.environ`.
    Raises SignInFailed where half a method is configured, or (`missing=True`) nothing at all; InvalidInput
    where a value cannot be meant.
    """
    return _Chooser(_Settings(configuration, environment), find_program).choose()


def trusted_url(url: str, *, name: str) -> str:
    """`url`, if a secret may be sent there: https, or http on this machine; no user name, no blanks.

    Raises InvalidInput, which tells the host but not the query, for it may hold a token.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    plain = parts.scheme == "http" and host in _LOOPBACK
    if not host or not (parts.scheme == "https" or plain) or re.search(r"[\s\\\x00-\x1f\x7f]", url):
        raise InvalidInput(f"{name} is not an https address", name=name)
    if "@" in parts.netloc or parts.fragment:
        raise InvalidInput(
            f"{name} holds a user name or a fragment, which an address here may not", name=name
        )
    return url


class _Found(NamedTuple):
    value: str
    level: str
    source: str


class _Settings:
    """What is set, by key and level. Empty values count as not set: pipelines set variables to nothing."""

    def __init__(self, configuration: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._configuration = configuration
        self._environment = environment

    def at(self, level: str, name: str) -> _Found | None:
        key = KEYS[name]
        if level == "configuration":
            value = _as_text(self._configuration.get(name), name)
            return _Found(value, level, "configuration") if value else None
        variables = {"own": (key.variable,), "arm": key.arm, "azure": key.azure, "around": key.around}[level]
        return self.variable(variables, level)

    def variable(self, names: Iterable[str], level: str = "around") -> _Found | None:
        for name in names:
            value = self._environment.get(name, "")
            if value:
                return _Found(value, level, name)
        return None

    def first(self, levels: Iterable[str], name: str) -> _Found | None:
        return next((found for level in levels if (found := self.at(level, name))), None)

    def flag(self, name: str) -> tuple[bool, str] | None:
        """Whether a `use...` switch is on, and at which level: the highest that says anything."""
        found = self.first(_LEVELS, name)
        if found is None:
            return None
        value = {"true": True, "1": True, "false": False, "0": False}.get(found.value.strip().lower())
        if value is None:
            raise InvalidInput(f"{_named(name, found)} is neither true nor false", name=name)
        return value, found.level


class _Chooser:
    def __init__(self, settings: _Settings, find_program: Callable[[str], str | None]) -> None:
        self._settings = settings
        self._find_program = find_program

    def choose(self) -> SignIn:
        flags = {name: self._settings.flag(name) for name in _ASKED_FOR}
        for level in _LEVELS:
            if token := self._settings.at(level, "accessToken"):
                return self._decided(Method.ACCESS_TOKEN, {"accessToken": token})
            for name, method in _ASKED_FOR.items():
                if flags[name] == (True, level):
                    return self._asked_for(name, method, level)
            oidc_off = flags["useOidc"] is not None and not flags["useOidc"][0]
            if found := self._inferred(level, oidc_off):
                return found
        self._refuse_half()
        cli_off = flags["useCli"] is not None and not flags["useCli"][0]
        if not cli_off and self._find_program("az"):
            tenant = self._settings.first(_LEVELS, "tenantId")
            return self._decided(Method.AZURE_CLI, {"tenantId": tenant}, by_default=True)
        raise SignInFailed("Nothing to sign in with is configured", next_step=_WAYS_IN, missing=True)

    def _asked_for(self, flag: str, method: Method | None, level: str) -> SignIn:
        if method is None:
            return self._oidc(level, flag)
        found: dict[str, _Found | None] = {flag: self._settings.at(level, flag)}
        if method in (Method.MANAGED_IDENTITY, Method.DEFAULT_AZURE_CREDENTIAL):
            found["clientId"] = self._first_of(level, ("clientId",), "clientId")
        if method in (Method.AZURE_CLI, Method.AZURE_DEVELOPER_CLI):
            found["tenantId"] = self._first_of(level, ("tenantId",), "tenantId")
        return self._decided(method, found)

    def _inferred(self, level: str, oidc_off: bool) -> SignIn | None:
        if self._settings.at(level, "clientCertificatePath"):
            names = ("clientId", "tenantId", "clientCertificatePath")
            optional = ("clientCertificatePassword",)
            return self._whole(Method.CLIENT_CERTIFICATE, level, "clientCertificatePath", names, optional)
        if self._settings.at(level, "clientSecret"):
            names = ("clientId", "tenantId", "clientSecret")
            return self._whole(Method.CLIENT_SECRET, level, "clientSecret", names)
        told = next((name for name in _OIDC_KEYS if self._settings.at(level, name)), None)
        if told is not None and not oidc_off:
            return self._oidc(level, told)
        return None

    def _oidc(self, level: str, told: str) -> SignIn:
        """Which kind of OIDC: that of the highest level; on one level a token, a file, then a request."""
        names = ("clientId", "tenantId")
        for at in self._levels_for(level, (*_OIDC_KEYS, *names)):
            if self._settings.at(at, "oidcToken"):
                return self._whole(Method.OIDC_TOKEN, level, told, (*names, "oidcToken"))
            if self._settings.at(at, "oidcTokenFilePath"):
                return self._whole(Method.OIDC_TOKEN_FILE, level, told, (*names, "oidcTokenFilePath"))
            if self._settings.at(at, "adoPipelineServiceConnectionId"):
                return self._pipelines(level, told)
            if self._settings.at(at, "oidcRequestUrl") or self._settings.at(at, "oidcRequestToken"):
                in_pipelines = self._settings.at("around", "adoPipelineServiceConnectionId")
                return self._pipelines(level, told) if in_pipelines else self._request(level, told)
        if self._settings.at("around", "adoPipelineServiceConnectionId"):
            return self._pipelines(level, told)
        if self._settings.at("around", "oidcRequestUrl"):
            return self._request(level, told)
        if self._settings.at("around", "oidcTokenFilePath"):
            return self._whole(Method.OIDC_TOKEN_FILE, level, told, (*names, "oidcTokenFilePath"))
        raise self._no_oidc_source()

    def _request(self, level: str, told: str) -> SignIn:
        names = ("clientId", "tenantId", "oidcRequestUrl", "oidcRequestToken")
        return self._whole(Method.OIDC_REQUEST, level, told, names, ("oidcAudience",))

    def _pipelines(self, level: str, told: str) -> SignIn:
        names = (
            "clientId",
            "tenantId",
            "adoPipelineServiceConnectionId",
            "oidcRequestUrl",
            "oidcRequestToken",
        )
        return self._whole(Method.AZURE_PIPELINES, level, told, names)

    def _no_oidc_source(self) -> SignInFailed:
        if self._settings.variable(("GITHUB_ACTIONS",)):
            next_step = "Give the GitHub job `permissions: id-token: write`."
        elif self._settings.variable(("SYSTEM_OIDCREQUESTURI", "TF_BUILD")):
            next_step = (
                "In Azure Pipelines set adoPipelineServiceConnectionId (or"
                " ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID), and pass SYSTEM_ACCESSTOKEN:"
                " $(System.AccessToken)."
            )
        else:
            next_step = (
                "Set oidcTokenFilePath (ARM_OIDC_TOKEN_FILE_PATH), or oidcRequestUrl and oidcRequestToken"
                " (ARM_OIDC_REQUEST_URL and ARM_OIDC_REQUEST_TOKEN), or oidcToken (ARM_OIDC_TOKEN)."
            )
        return SignInFailed(
            "OIDC is asked for, but there is no OIDC token and no place to ask for one", next_step=next_step
        )

    def _whole(
        self, method: Method, level: str, told: str, names: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> SignIn:
        found: dict[str, _Found | None] = {
            name: self._look_up(method, level, name, names + optional) for name in names + optional
        }
        missing = [name for name in names if found[name] is None]
        if missing:
            raise self._half(method, level, told, missing)
        self._refuse_mixture(found)
        return self._decided(method, found)

    def _look_up(self, method: Method, level: str, name: str, together: tuple[str, ...]) -> _Found | None:
        if found := self._first_of(level, together, name):
            return found
        if method is Method.AZURE_PIPELINES and name in _PIPELINES_AROUND:
            return self._settings.variable((_PIPELINES_AROUND[name],))
        return self._settings.at("around", name)

    def _first_of(self, level: str, together: tuple[str, ...], name: str) -> _Found | None:
        return self._settings.first(self._levels_for(level, together), name)

    def _levels_for(self, level: str, together: tuple[str, ...]) -> tuple[str, ...]:
        """The levels that may complete each other; of ARM_* and AZURE_* only one."""
        if level in ("arm", "azure"):
            return ("configuration", "own", level)
        arm = any(self._settings.at("arm", name) for name in together)
        return ("configuration", "own", "arm" if arm else "azure")

    def _refuse_mixture(self, found: Mapping[str, _Found | None]) -> None:
        """A proof of one level with the application of another, though the proof's level names its own."""
        client = found["clientId"]
        for name in ("clientSecret", "clientCertificatePath", "oidcToken"):
            proof = found.get(name)
            beside = self._settings.at(proof.level, "clientId") if proof else None
            if client and proof and beside and beside.value.strip().lower() != client.value.strip().lower():
                raise SignInFailed(
                    f"clientId from {client.source} is {_short(client.value)}, but {name} from {proof.source}"
                    f" stands beside clientId {_short(beside.value)} from {beside.source}",
                    next_step=f"Set {name} where clientId is set, or make the two ids the same.",
                )

    def _half(self, method: Method, level: str, told: str, missing: list[str]) -> SignInFailed:
        found = self._settings.at(level, told)
        what = (
            f"To sign in by {method.value}, {_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
        if found:
            what += f" ({told} is set, from {found.source})"
        ways = "; ".join(_where_to_set(name, level) for name in missing)
        return SignInFailed(
            what, next_step=f"Set {ways}.{self._not_mixed(level, missing)}{self._platform(method, missing)}"
        )

    def _not_mixed(self, level: str, missing: list[str]) -> str:
        other = {"arm": "azure", "azure": "arm"}.get(level)
        there = [found.source for name in missing if other and (found := self._settings.at(other, name))]
        return f" ({_listed(there)} is set, but ARM_* and AZURE_* are never mixed.)" if there else ""

    def _platform(self, method: Method, missing: list[str]) -> str:
        if method is Method.AZURE_PIPELINES and "oidcRequestToken" in missing:
            return " In Azure Pipelines pass SYSTEM_ACCESSTOKEN: $(System.AccessToken) to the step."
        return ""

    def _refuse_half(self) -> None:
        """An id, or the password of a certificate, and nothing that it belongs to."""
        if password := self._settings.first(_LEVELS, "clientCertificatePassword"):
            raise SignInFailed(
                f"clientCertificatePassword is set (from {password.source}), but there is no certificate",
                next_step=f"Set {_where_to_set('clientCertificatePath', password.level)}.",
            )
        if client := self._settings.first(_LEVELS, "clientId"):
            raise SignInFailed(
                f"clientId is set (from {client.source}), but nothing that proves it",
                next_step=(
                    f"Set {_where_to_set('clientSecret', client.level)}; or clientCertificatePath; or say"
                    " which identity is meant: useOidc for a pipeline, useMsi for a managed identity, useCli for"
                    " `az login`."
                ),
            )

    def _decided(
        self, method: Method, found: Mapping[str, _Found | None], *, by_default: bool = False
    ) -> SignIn:
        here = {name: at for name, at in found.items() if at is not None}
        settings: dict[str, str] = {}
        for name, at in here.items():
            if KEYS[name].secret or name.startswith("use"):
                continue
            settings[name] = _checked(name, at)
        discovery = self._settings.flag("disableInstanceDiscovery")
        if discovery is not None and discovery[0]:
            settings["disableInstanceDiscovery"] = "true"
        return SignIn(
            method=method,
            settings=MappingProxyType(settings),
            secrets=MappingProxyType(
                {name: Secret(at.value) for name, at in here.items() if KEYS[name].secret}
            ),
            sources=MappingProxyType({name: at.source for name, at in here.items()}),
            authority=self._authority(),
            by_default=by_default,
        )

    def _authority(self) -> str:
        for level in _LEVELS:
            if host := self._settings.at(level, "authorityHost"):
                return _authority_url(host)
            if cloud := self._settings.at(level, "environment"):
                known = _CLOUDS.get(cloud.value.strip().lower())
                if known is None:
                    raise InvalidInput(
                        f"{_named('environment', cloud)} is none of public, usgovernment and china",
                        name="environment",
                    )
                return f"https://{known}"
        return "https://login.microsoftonline.com"


def _authority_url(found: _Found) -> str:
    """`login.microsoftonline.us` or `https://login.microsoftonline.us/`, as an address without a slash."""
    name = _named("authorityHost", found)
    text = found.value.strip().rstrip("/")
    parts = urlsplit(trusted_url(text if "://" in text else f"https://{text}", name=name))
    if parts.scheme != "https" or parts.path or parts.query:
        raise InvalidInput(f"{name} is not the https address of a host, without a path", name="authorityHost")
    return f"https://{parts.netloc}"


def _checked(name: str, found: _Found) -> str:
    value = found.value.strip()
    if name in ("clientId", "tenantId", "adoPipelineServiceConnectionId") and not _IDENTIFIER.match(value):
        raise InvalidInput(
            f"{_named(name, found)} is not an id: letters, digits, dots and hyphens", name=name
        )
    if name == "oidcRequestUrl":
        return trusted_url(value, name=_named(name, found))
    return value


def _as_text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Secret):
        return value.reveal()
    if not isinstance(value, str):
        raise InvalidInput(f"{NAMESPACE}:{name} is not a text", name=name)
    return value


def _named(name: str, found: _Found) -> str:
    return f"{NAMESPACE}:{name}" if found.level == "configuration" else found.source


def _short(identifier: str) -> str:
    return identifier if len(identifier) <= 8 else f"{identifier[:8]}…"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _where_to_set(name: str, level: str) -> str:
    """`azuremarketplace:tenantId (or AZUREMARKETPLACE_TENANT_ID, or ARM_TENANT_ID)`."""
    key = KEYS[name]
    others = [key.variable, *(key.azure if level == "azure" else key.arm)[:1]]
    return f"{NAMESPACE}:{name} (or {', or '.join(others)})"


_WAYS_IN = (
    "On a laptop run `az login`. In a pipeline set useOidc, clientId and tenantId (ARM_USE_OIDC,"
    " ARM_CLIENT_ID, ARM_TENANT_ID). On an Azure machine set useMsi (ARM_USE_MSI). Elsewhere set clientId,"
    " tenantId and clientSecret or clientCertificatePath (ARM_CLIENT_ID, ...), or accessToken."
    " docs/signing-in.md has each with its commands."
)

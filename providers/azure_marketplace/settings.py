"""Configuration: the stack's `azuremarketplace:` keys, each also as an environment variable; configuration wins.

Holds no secret: what is for signing in is read by `credentials.py` alone. Pure but for the environment handed in.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from providers.azure_marketplace.errors import InvalidInput
from providers.azure_marketplace.inputs import APIS

__all__ = [
    "DEFAULT_ENDPOINTS",
    "KEYS",
    "NAMESPACE",
    "Preflight",
    "Settings",
    "environment_name",
    "misspelt_variable",
    "plain_address",
    "read_settings",
    "unknown_key",
]

NAMESPACE = "azuremarketplace"
Preflight = Literal["fail", "warn", "off"]
T = TypeVar("T")
D = TypeVar("D")

DEFAULT_ENDPOINTS: Mapping[str, str] = {
    "cloudPartnerPortal": "https://cloudpartner.azure.com",
    "productIngestion": "https://graph.microsoft.com/rp/product-ingestion",
    "partnerCenter": "https://api.partner.microsoft.com/v1.0/ingestion",
}
_ENDPOINT_KEYS = {
    "cloudPartnerPortal": "endpoint",
    "productIngestion": "productIngestionEndpoint",
    "partnerCenter": "partnerCenterEndpoint",
}
KEYS = (
    *("api", *_ENDPOINT_KEYS.values()),
    *("minPollInterval", "maxPollInterval", "requestTimeout", "preflight", "resubmitFailed", "extraHeaders"),
)
"""Every key but those of signing in."""

# A header that the transport sets itself, or that would change what the request is.
_OWN_HEADERS = frozenset(
    (
        *("authorization", "proxy-authorization", "cookie", "host", "user-agent"),
        *("accept", "accept-encoding", "content-type", "content-length", "transfer-encoding"),
        *("connection", "expect", "te", "trailer", "upgrade"),
    )
)


_HOST = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """Validated. endpoints: by API, without a slash at the end. Intervals and the timeout are seconds.

    resubmit_failed: whether a go-live that failed or was cancelled is submitted again by the next `up`, as a person
    means it who runs that; False for runs on a schedule.
    job_interval: what `minPollInterval` says of an API's own lower bound between two polls, which only an endpoint on
    loopback, a simulator that is, may go below; None where it is not set.
    """

    api: str = "cloudPartnerPortal"
    endpoints: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ENDPOINTS))
    min_poll_interval: float = 5.0
    max_poll_interval: float = 300.0
    request_timeout: float = 120.0
    preflight: Preflight = "fail"
    resubmit_failed: bool = True
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    job_interval: float | None = None

    def interval(self, api: str, documented: float) -> float:
        """Seconds between two polls of an operation, for an API that documents a lower bound for them."""
        host = urlsplit(self.endpoints[api]).hostname or ""
        return self.job_interval if self.job_interval is not None and _is_loopback(host) else documented


def environment_name(key: str) -> str:
    """`minPollInterval` -> `AZUREMARKETPLACE_MIN_POLL_INTERVAL`."""
    return f"{NAMESPACE.upper()}_{re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', key).upper()}"


def read_settings(configured: Callable[[str], str | None], environment: Mapping[str, str]) -> Settings:
    """The settings. configured: the value of a key of the namespace, or None. Raises `InvalidInput`."""

    def read(key: str, parse: Callable[[str], T], default: D) -> T | D:
        value, where = configured(key), f"configuration {NAMESPACE}:{key}"
        if value is None or value == "":
            value, where = (
                environment.get(environment_name(key)),
                f"environment variable {environment_name(key)}",
            )
        if value is None or value == "":
            return default
        try:
            return parse(value)
        except ValueError as error:
            raise InvalidInput(f"The {where} {error}", name=key, next_step="Nothing was sent.") from None

    settings = Settings(
        api=read("api", _api, "cloudPartnerPortal"),
        endpoints={api: read(key, plain_address, DEFAULT_ENDPOINTS[api]) for api, key in _ENDPOINT_KEYS.items()},
        min_poll_interval=read("minPollInterval", _seconds(3600), 5.0),
        max_poll_interval=read("maxPollInterval", _seconds(86400), 300.0),
        request_timeout=read("requestTimeout", _seconds(3600), 120.0),
        preflight=read("preflight", _preflight, "fail"),
        resubmit_failed=read("resubmitFailed", _bool, True),
        extra_headers=read("extraHeaders", _headers, {}),
        job_interval=read("minPollInterval", _seconds(3600), None),
    )
    if settings.min_poll_interval > settings.max_poll_interval:
        raise InvalidInput(
            f"{NAMESPACE}:minPollInterval ({settings.min_poll_interval:g} s) is larger than maxPollInterval "
            f"({settings.max_poll_interval:g} s)",
            name="minPollInterval",
            next_step="Nothing was sent.",
        )
    return settings


def unknown_key(keys: Iterable[str], known: Collection[str]) -> InvalidInput | None:
    """What is wrong with a stack that sets a key of the namespace that nobody reads, such as one that is misspelt.

    keys: all that the stack sets, with their namespaces.
    """
    for namespace, _, key in (name.partition(":") for name in keys):
        if namespace == NAMESPACE and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f"{NAMESPACE}:{near[0]} is one" if near else f"its keys are {', '.join(sorted(known))}"
            return InvalidInput(
                f"The configuration {NAMESPACE}:{key[:60]} is no key of OfferGoLive: {meant}",
                name=key[:60],
                next_step=f"Remove it: `pulumi config rm {NAMESPACE}:{key[:60]}`. Nothing was sent.",
            )
    return None


def misspelt_variable(environment: Iterable[str], known: Collection[str]) -> InvalidInput | None:
    """What is wrong with a variable whose name is nearly that of a setting's, such as one that is misspelt.

    Others that begin alike are a program's own. known: every key, those of signing in too.
    """
    names = {environment_name(key) for key in known}
    for name in environment:
        if name.startswith(f"{NAMESPACE.upper()}_") and name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.93)
            if near:
                return InvalidInput(
                    f"The environment variable {name[:80]} is none of OfferGoLive's: {near[0]} is one",
                    name=name[:80],
                    next_step="Rename or unset it. Nothing was sent.",
                )
    return None


def _api(value: str) -> str:
    if value not in APIS:
        raise ValueError(f"must be one of {', '.join(APIS)}, not {value[:60]!r}")
    return value


def plain_address(value: str) -> str:
    """An https address that every reader reads alike; plain http for loopback only, since secrets travel there.

    Raises `ValueError`, which shows no secret.
    """
    # A user, a query or what hides one may hold a password.
    shown = repr(value[:100]) if re.fullmatch(r"[A-Za-z0-9:/._\[\]~ -]*", value) else "one with other characters"
    wrong = ValueError(
        f"must be an address such as https://cloudpartner.azure.com, without user, query or fragment, not {shown}"
    )
    if re.search(r"[^\x21-\x7e]|\\", value):
        raise wrong
    try:
        address = urlsplit(value)
        _ = address.port
    except ValueError:
        raise wrong from None
    # Only hosts that every reader of addresses reads alike.
    if (
        address.scheme not in ("https", "http")
        or not address.hostname
        or not _HOST.fullmatch(address.netloc)
        or ".." in address.netloc
    ):
        raise wrong
    if "?" in value or "#" in value or any(part in (".", "..") for part in address.path.split("/")):
        raise wrong
    if address.scheme == "http" and not _is_loopback(address.hostname):
        raise ValueError(
            f"must begin with https:// (the token is sent there; plain http is for loopback only), not {shown}"
        )
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _seconds(longest: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number <= longest:
            raise ValueError(f"must be a number of seconds, more than 0 and at most {longest:g}, not {value[:60]!r}")
        return number

    return parse


def _preflight(value: str) -> Preflight:
    words: Mapping[str, Preflight] = {
        "fail": "fail", "true": "fail", "warn": "warn", "off": "off", "false": "off",
    }  # fmt: skip
    word = words.get(value.lower())
    if word is None:
        raise ValueError(f"must be fail, warn or off, not {value[:60]!r}")
    return word


def _bool(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"must be true or false, not {value[:60]!r}")
    return value.lower() == "true"


def _headers(value: str) -> dict[str, str]:
    try:
        headers = json.loads(value)
    except (ValueError, RecursionError):
        headers = None
    if not isinstance(headers, dict):
        raise ValueError('must be an object of headers such as {"x-ms-publisherId": "123"}')
    for name, content in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", name) or name.lower() in _OWN_HEADERS:
            raise ValueError(f"must not set the header {name[:60]!r}")
        if not isinstance(content, str) or not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]{0,1000}[\x21-\x7e])?", content):
            raise ValueError(f"must give the header {name!r} a text without control characters")
    return headers

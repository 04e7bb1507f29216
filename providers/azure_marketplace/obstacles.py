"""Why a request did not leave this machine, in the words of whoever has to mend it: proxies, certificates, names.

What the libraries say of that is for programmers ("InvalidSchema"). Nothing is sent here, and no value of a variable is
told but paths and hosts: the address of a proxy may hold a password.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from providers.azure_marketplace.text import plain

__all__ = ["CA_VARIABLES", "Obstacle", "causes", "obstacle"]

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where a company's CA is taken from: the first that is set."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """why: follows "could not be reached: ". of_settings: whether it stays until somebody changes a setting."""

    host: str
    why: str
    next_step: str
    of_settings: bool = False


def obstacle(
    error: BaseException, address: str, *, proxy: str | None = None, environment: Mapping[str, str] = os.environ
) -> Obstacle:
    """What kept a request to `address` from leaving. proxy: the one that it was to go through, as it is set."""
    try:
        host = plain(urlsplit(address).netloc.rpartition("@")[2], longest=100) or "nowhere"
    except ValueError:
        host = "nowhere"
    errors = list(causes(error))
    return (
        _of_certificates(errors, host, environment)
        or (_of_proxy(errors, host, proxy, environment) if proxy is not None else None)
        or _of_network(errors, host)
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: requests and urllib3 keep causes in `args` and `reason` as well."""
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        wrapped = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        todo.extend(item for item in wrapped if isinstance(item, BaseException))


def _of_certificates(errors: list[BaseException], host: str, environment: Mapping[str, str]) -> Obstacle | None:
    name = next((name for name in CA_VARIABLES if environment.get(name)), "")
    unverified = next((each for each in errors if isinstance(each, ssl.SSLCertVerificationError)), None)
    unreadable = any(
        isinstance(each, OSError) and re.search("CA certificate bundle|NO_CERTIFICATE_OR_CRL|X509:|PEM", str(each))
        for each in errors
    )
    if name and (unverified or unreadable) and (wrong := _wrong_with(environment[name])):
        return Obstacle(
            host,
            f"{name} names {plain(environment[name], longest=120)!r}, {wrong}",
            f"Set it to a {'folder' if name == 'SSL_CERT_DIR' else 'PEM file'} with the company's CA (and the public "
            "ones), or unset it.",
            of_settings=True,
        )
    if unverified is None:
        return None
    said = plain(unverified.verify_message or str(unverified), longest=120).rstrip(".")
    if unverified.verify_code in (9, 10):  # not yet, or no longer, valid
        step = "Check this machine's clock; if it is right, the certificate must be renewed by whoever runs that host."
    elif unverified.verify_code in (62, 64):  # of another host, of another address
        step = "Something else answers under that name: check the configured endpoint, DNS and the proxy."
    elif name:
        step = f"{name} is set: what it names must hold the CA that issued that certificate, such as your company's."
    else:
        step = "Where a company's proxy looks into TLS, set REQUESTS_CA_BUNDLE to a PEM file with the company's CA."
    return Obstacle(host, f"certificate verify failed: {said}", step)


def _wrong_with(value: str) -> str:
    """What is wrong with the files of a CA; empty where nothing is."""
    paths = [Path(each) for each in value.split(os.pathsep) if each] if not os.path.exists(value) else [Path(value)]
    try:
        if not any(path.exists() for path in paths):
            return "which does not exist"
        if any(path.is_dir() for path in paths):
            hashed = (each.name for path in paths if path.is_dir() for each in path.iterdir())
            there = any(re.fullmatch(r"[0-9a-f]{8}\.\d+", each) for each in hashed)
            return "" if there else "where no certificate has its hashed name (`openssl rehash` gives it one)"
        ssl.create_default_context(cafile=value)
    except PermissionError:
        return "which may not be read"
    except (OSError, ValueError):
        return "which holds no certificate"
    return ""


def _of_proxy(errors: list[BaseException], host: str, proxy: str, environment: Mapping[str, str]) -> Obstacle:
    name = next((name for name, value in environment.items() if value == proxy and "proxy" in name.lower()), "")
    name = name or "HTTPS_PROXY"
    kinds = {type(each).__name__ for each in errors}
    said = " ".join(str(each) for each in errors)
    example = f"It has the form {name}=http://proxy.example:3128."
    around = f"list {host.partition(':')[0]} in NO_PROXY if it can be reached without"
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        known = bool(parts.hostname) and re.fullmatch(r"[\w.:%-]+", parts.hostname or "") is not None
        where = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
    except ValueError:
        known, where, parts = False, "", urlsplit("")
    if known and parts.scheme.startswith("socks") and "SOCKS" in said:
        step = f"Install it (`pip install pysocks`), or set {name} to a proxy that speaks HTTP."
        return Obstacle(host, f"{name} names a SOCKS proxy, which needs the package PySocks", step, of_settings=True)
    if not known or parts.scheme not in ("http", "https", "socks5", "socks5h", "socks4", "socks4a"):
        return Obstacle(host, f"{name} is not the address of a proxy", example, of_settings=True)
    if refused := re.search(r"Tunnel connection failed: (\d{3})", said):
        if refused[1] == "407":
            step = f"It wants a name and a password: {name}=http://name:password@{where}."
        else:
            step = f"Ask whoever runs the proxy to let {host} through, or {around}."
        return Obstacle(host, f"the proxy at {where} ({name}) refused to let it through ({refused[1]})", step)
    if kinds & {"InvalidURL", "InvalidProxyURL", "LocationParseError", "InvalidSchema", "ProxySchemeUnknown"}:
        return Obstacle(host, f"{name} is not the address of a proxy", example, of_settings=True)
    return Obstacle(
        host,
        f"the proxy at {where} ({name}) does not let it through: {_said(errors)}",
        f"Check {name}, or {around}.",
    )


def _of_network(errors: list[BaseException], host: str) -> Obstacle:
    said = _said(errors)
    step = "Check the network, the proxy and the configured endpoint."
    if any(isinstance(each, socket.gaierror) for each in errors):
        step = "Check the name and this machine's DNS; where only a proxy leads out, set HTTPS_PROXY."
    elif "WRONG_VERSION_NUMBER" in said or "UNKNOWN_PROTOCOL" in said:
        said, step = "what answers there does not speak TLS", "Check the configured endpoint and the proxy."
    return Obstacle(host, said, step)


def _said(errors: list[BaseException]) -> str:
    """The last cause that says something: "Connection refused" rather than three layers of wrapping."""
    words = [
        each.strerror or str(each)
        for each in errors
        # What requests raises is an OSError too, and quotes the whole address.
        if isinstance(each, OSError) and not type(each).__module__.startswith("requests")
    ]
    if said := next((each for each in reversed(words) if each), ""):
        return plain(re.sub(r" ?\(?_ssl\.c:\d+[:)] ?", "", said), longest=200)
    kinds = {type(each).__name__ for each in errors}
    if kinds & {"ConnectTimeout", "ConnectTimeoutError", "ReadTimeout", "ReadTimeoutError", "TimeoutError"}:
        return "no answer in time"
    if kinds & {"InvalidURL", "InvalidSchema", "MissingSchema", "LocationParseError", "UnicodeError"}:
        return "its address is none"
    return "what came back is not HTTP"

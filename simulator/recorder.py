"""What was asked of the portals: every request, without its secrets, the last ten thousand of them."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

KEPT = 10_000


@dataclass
class Recorded:
    """One request and its answer. `status` 0: not answered. `at`: the simulator's seconds since 1970."""

    number: int
    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body_size: int = 0
    status: int = 0
    seconds: float = 0.0  # real time until the answer was handed over
    faults: list[str] = field(default_factory=list)


class Recorder:
    def __init__(self, kept: int = KEPT) -> None:
        self._requests: deque[Recorded] = deque(maxlen=kept)
        self.total = 0

    def begin(self, at: float, method: str, path: str, query: str, headers: Iterable[tuple[str, str]]) -> Recorded:
        self.total += 1
        recorded = Recorded(self.total, at, method, path, query, dict(map(_without_secret, headers)))
        self._requests.append(recorded)
        return recorded

    def find(
        self, *, method: str | None = None, path: str | None = None, status: int | None = None, after: int = 0
    ) -> list[Recorded]:
        """Those of this method, path (a glob: `*/golive`) and status, numbered above `after`, in order."""
        return [
            one
            for one in list(self._requests)
            if one.number > after
            and (method is None or one.method == method.upper())
            and (path is None or fnmatchcase(one.path, path))
            and (status is None or one.status == status)
        ]

    def count(
        self, *, method: str | None = None, path: str | None = None, status: int | None = None, after: int = 0
    ) -> int:
        return len(self.find(method=method, path=path, status=status, after=after))

    def clear(self) -> None:
        self._requests.clear()


def _without_secret(header: tuple[str, str]) -> tuple[str, str]:
    name, value = header
    if name.lower() not in ("authorization", "proxy-authorization", "cookie"):
        return name, value
    scheme, _, secret = value.partition(" ")
    if not secret:  # no scheme: all of it may be the secret
        scheme, secret = "", value
    short = hashlib.sha256(secret.encode()).hexdigest()[:8]
    return name, f"{scheme} sha256:{short}".strip()

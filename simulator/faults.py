"""Which requests meet which fault: settings, and a seeded, replayable choice. `weather` carries them out.

A fault names the requests it is for (offer, method, path), when it strikes among those (nth, probability,
count), and what happens. The same list of faults, applied to the same requests in the same order,
strikes the same ones with the same delays: each fault draws from its own generator, seeded by its `seed`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Kind = Literal[
    # another answer
    "error",
    "internal_error",
    "service_error",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "too_many_requests",
    "not_found",
    "redirect",
    # the answer, damaged
    "truncated",
    "malformed",
    "huge",
    "deep",
    # the connection: toxiproxy's eight
    "latency",
    "down",
    "bandwidth",
    "slow_close",
    "timeout",
    "reset_peer",
    "slicer",
    "limit_data",
]
Body = Literal["envelope", "service", "html", "empty"]
_ALIASES = {"reset": "reset_peer", "slow": "latency"}
# kind -> status and body, from portal-api sections 3.5 and 9
ERRORS: dict[str, tuple[int, Body]] = {
    "internal_error": (500, "envelope"),
    "service_error": (500, "service"),
    "bad_gateway": (502, "html"),
    "unavailable": (503, "html"),
    "gateway_timeout": (504, "html"),
    "too_many_requests": (429, "envelope"),
    "not_found": (404, "envelope"),
    "error": (500, "envelope"),
}
_LOG_KEPT = 10_000


class Fault(BaseModel):
    """One fault. Times in seconds, sizes in bytes, rates in bytes per second."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    id: str = ""  # given by the book when empty
    # For which requests: all that are given must fit.
    offer: str | None = None  # publisher/offer; globs
    method: str | None = None
    path: str = "*"  # a glob over the whole path, such as */golive
    # When, among those.
    nth: tuple[int, ...] | None = None  # counted from 1
    probability: float | None = Field(default=None, ge=0, le=1)
    count: int | None = Field(default=None, ge=1)  # at most so often
    seed: int | None = None
    # What happens. `after`: the portal has acted, and its answer is lost or late.
    when: Literal["before", "after"] = "before"
    status: int | None = Field(default=None, ge=300, le=599)
    body: Body | None = None
    retry_after: float | None = Field(default=None, ge=0)
    retry_after_date: bool = False  # as an HTTP date instead of seconds
    seconds: float = Field(default=0.0, ge=0)  # latency, timeout (0: for ever), reset_peer, slow_close, down
    jitter: float = Field(default=0.0, ge=0)  # latency: up to so much more or less
    rate: int = Field(default=1024, ge=1)  # bandwidth
    bytes: int = Field(default=64, ge=0)  # limit_data: passed before the end; huge: see size
    size: int = Field(default=16, ge=1)  # slicer: the average slice
    size_variation: int = Field(default=0, ge=0)  # slicer
    padding: int = Field(default=16 * 1024 * 1024, ge=0)  # huge
    depth: int = Field(default=100_000, ge=1)  # deep
    location: str = "https://attacker.example"  # redirect

    @field_validator("kind", mode="before")
    @classmethod
    def _alias(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        word = value.strip().lower().replace(" ", "_").replace("-", "_")
        return _ALIASES.get(word, word)

    @field_validator("nth", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, int) else value

    @model_validator(mode="after")
    def _sensible(self) -> Fault:
        if self.nth is not None and any(n < 1 for n in self.nth):
            raise ValueError("nth counts from 1")
        if self.kind == "redirect" and self.status is not None and self.status >= 400:
            raise ValueError("a redirect has a status from 300 to 399")
        return self

    def fits(self, method: str, path: str, offer: str | None) -> bool:
        if self.method is not None and self.method.upper() != method:
            return False
        if not fnmatchcase(path, self.path):
            return False
        if self.offer is None:
            return True
        wanted = self.offer if "/" in self.offer else f"{self.offer}/*"
        return offer is not None and fnmatchcase(offer, wanted)


@dataclass
class Fired:
    """One strike: what a replay must repeat."""

    fault: str
    kind: str
    request: int  # the number under which the request was recorded
    method: str
    path: str
    match: int  # the how many-th fitting request it was
    seed: int
    delay: float  # seconds, drawn
    slice_seed: int  # drawn


class _Armed:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.matches = 0
        self.strikes = 0
        self.random = random.Random(fault.seed)  # noqa: S311 - replayable, not secret

    def strike(self, request: int, method: str, path: str, offer: str | None) -> Fired | None:
        f = self.fault
        if not f.fits(method, path, offer):
            return None
        self.matches += 1
        # Draw always, so that one strike more or less leaves later draws alone.
        chance, wobble, slice_seed = self.random.random(), self.random.random(), self.random.getrandbits(32)
        if f.nth is not None and self.matches not in f.nth:
            return None
        if f.probability is not None and chance >= f.probability:
            return None
        if f.count is not None and self.strikes >= f.count:
            return None
        self.strikes += 1
        delay = max(0.0, f.seconds + (2 * wobble - 1) * f.jitter)
        return Fired(f.id, f.kind, request, method, path, self.matches, f.seed or 0, delay, slice_seed)


class FaultBook:
    """The faults that are set, in order, and the log of their strikes."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self._log: deque[Fired] = deque(maxlen=_LOG_KEPT)
        self._given = 0
        self.seed = 0

    @property
    def faults(self) -> list[Fault]:
        """As set, with the ids and seeds that were given to them: what `replace` takes for a replay."""
        return [armed.fault for armed in self._armed]

    @property
    def log(self) -> list[Fired]:
        return list(self._log)

    def replace(self, faults: Iterable[Fault], *, seed: int = 0) -> None:
        """These and no others, counted from the start; faults without a seed get one drawn from `seed`."""
        self._armed.clear()
        self._log.clear()
        self._given = 0
        self.seed = seed
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> Fault:
        self._given += 1
        own = random.Random(f"{self.seed}:{self._given}").getrandbits(32)  # noqa: S311
        complete = fault.model_copy(
            update={
                "id": fault.id or f"{fault.kind}-{self._given}",
                "seed": own if fault.seed is None else fault.seed,
            }
        )
        self._armed.append(_Armed(complete))
        return complete

    def remove(self, fault_id: str) -> bool:
        kept = [armed for armed in self._armed if armed.fault.id != fault_id]
        found = len(kept) < len(self._armed)
        self._armed = kept
        return found

    @property
    def by_offer(self) -> bool:
        """Whether any fault asks which offer a request is about."""
        return any(fault.offer is not None for fault in self.faults)

    def choose(self, request: int, method: str, path: str, offer: str | None = None) -> list[tuple[Fault, Fired]]:
        """The faults that strike this request, which is about `offer`, as far as that can be told."""
        struck = []
        for armed in self._armed:
            fired = armed.strike(request, method, path, offer)
            if fired is not None:
                struck.append((armed.fault, fired))
                self._log.append(fired)
        return struck

    def as_json(self) -> dict[str, Any]:
        """The log: applying `faults` with `seed` again, to the same requests, strikes the same."""
        return {
            "seed": self.seed,
            "faults": [fault.model_dump(exclude_defaults=True) for fault in self.faults],
            "fired": [asdict(fired) for fired in self.log],
        }

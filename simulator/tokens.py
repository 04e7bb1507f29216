"""Which bearer tokens the portals accept. Pure; time comes from the clock that is handed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.clock import Clock


@dataclass(frozen=True)
class Token:
    """A token that is known by name. `expires_at` in seconds since 1970; `publishers`, `audience` None: all of them."""

    value: str
    publishers: tuple[str, ...] | None = None
    expires_at: float | None = None
    revoked: bool = False
    audience: str | None = None


class Tokens:
    """At first any non-empty bearer token is accepted; once restricted, only those that were added."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, Token] = {}
        self.restricted = False

    @property
    def known(self) -> list[Token]:
        return list(self._known.values())

    def add(
        self,
        value: str,
        *,
        publishers: tuple[str, ...] | None = None,
        expires_at: float | None = None,
        audience: str | None = None,
    ) -> None:
        self._known[value] = Token(value, publishers, expires_at, audience=audience)

    def revoke(self, value: str) -> None:
        self._known[value] = replace(self._known.get(value, Token(value)), revoked=True)

    def expire(self, value: str, at: float | None = None) -> None:
        """From `at` on, or now, the token is no longer accepted."""
        moment = self._clock.now() if at is None else at
        self._known[value] = replace(self._known.get(value, Token(value)), expires_at=moment)

    def clear(self) -> None:
        self._known.clear()
        self.restricted = False

    def accepts(self, value: str, audience: str) -> bool:
        """Whether the portal whose tokens are for `audience` takes this one."""
        token = self._known.get(value)
        if token is None:
            return bool(value) and not self.restricted
        expired = token.expires_at is not None and token.expires_at <= self._clock.now()
        return not (token.revoked or expired) and token.audience in (None, audience)

    def may_use(self, value: str, publisher_id: str) -> bool:
        token = self._known.get(value)
        return token is None or token.publishers is None or publisher_id in token.publishers

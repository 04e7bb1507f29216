"""A value that is never shown, and the refusal of tokens that cannot be sent."""

from __future__ import annotations

from typing import NoReturn

from providers.azure_marketplace.errors import SignInFailed

__all__ = ["Secret", "sendable_token"]

_LONGEST_TOKEN = 32 * 1024  # characters; Entra's tokens have some 1,000 to 3,000


class Secret:
    """Holds a text that repr, str, format, comparison and pickle do not give away; `reveal` alone does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled: it would end up in the state")


def sendable_token(token: object, source: str) -> str:
    """`token` itself, if it can stand in an Authorization header; otherwise SignInFailed, without showing it.

    A line break in a token would add headers to the request; other bytes fail deep in the HTTP library, which
    then quotes them.
    """
    if not isinstance(token, str) or not token:
        raise SignInFailed(f"The access token from {source} is empty")
    if len(token) > _LONGEST_TOKEN:
        raise SignInFailed(f"The access token from {source} has {len(token)} characters, which no token has")
    if all("!" <= character <= "~" for character in token):
        return token
    next_step = "Set the bare token: one line, without quotes and without blanks."
    if token.lower().startswith("bearer "):
        next_step = "Set the token alone, without the word Bearer before it."
    elif not token.strip("\r\n\t ") or all("!" <= character <= "~" for character in token.strip("\r\n\t ")):
        next_step = "It has blanks or a line break at its start or end: set it without."
    raise SignInFailed(
        f"The access token from {source} holds characters that cannot be sent in an HTTP header",
        next_step=next_step,
    )

"""A call and an answer as the portals' handlers see them: plain data, no sockets and no framework.

A handler is a pure function of a call, so tests can ask it without HTTP, and the app can serve it with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    path_params: Mapping[str, Any] = field(default_factory=dict)
    base_url: str = "https://cloudpartner.azure.com"

    def one(self, name: str) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else None

    def json_object(self) -> dict[str, Any]:
        """The body; `{}` for an empty one. Raises ValueError for what is no JSON object."""
        if not self.body.strip():
            return {}
        data = json.loads(self.body)
        if not isinstance(data, dict):
            raise ValueError("the body is not a JSON object")
        return data


@dataclass(frozen=True)
class Answer:
    """`body` None: an empty one, with Content-Length 0. Else JSON; or `text` as it is, which is not JSON."""

    status: int
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None

    @property
    def content(self) -> bytes:
        """The body as it goes out."""
        if self.text is not None:
            return self.text.encode()
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


Handler = Callable[[Call], Answer]

"""Text from outside, made fit to show: no markup, no terminal escapes, no surprises in length. Pure."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

__all__ = ["harmless", "plain", "spelt"]

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|\x1b."
)
# Cc: controls; Cf: bidirectional overrides and other invisible formatting; Cs, Co, Cn: not text at all.
_DROPPED = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
_BLOCKS = frozenset(("br", "p", "div", "li", "tr", "ul", "ol", "h1", "h2", "h3", "h4", "table"))
# Whatever has the form of a JWT, or of the beginning of one: a server may quote the token back, in whatever encoding.
_TOKEN = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*")
_HIDDEN = frozenset(("script", "style", "title"))
_MARKUP = re.compile(r"<[a-zA-Z/!]|&[a-zA-Z#]")


class _TextOf(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _BLOCKS:
            self.parts.append(" ")
        elif tag == "a":
            target = next((value for name, value in attrs if name == "href"), None)
            self.parts.append(f"({target}) " if target and target.startswith("https://") else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain(text: str, *, longest: int = 600) -> str:
    """One line of plain text: HTML made text, escapes and control characters gone, at most `longest` characters."""
    # What is cut away is cut before the work is done: the time is bounded by `longest`, not by the sender.
    text = text[: longest * 8]
    if _MARKUP.search(text):
        text = _text_of(text)
    text = _SEQUENCES.sub("", text)
    text = "".join(
        " " if char.isspace() else char for char in text if char.isspace() or unicodedata.category(char) not in _DROPPED
    )
    text = _TOKEN.sub("[a token]", text)
    # Pulumi takes these for its own colours, and would paint with them.
    text = " ".join(text.split()).replace("<{%", "< {%")
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def harmless(text: str, *, longest: int = 100_000) -> str:
    """Lines of text, with nothing left that would draw on a terminal or break it: for what leaves us last of all."""
    kept = "".join(char for char in text[:longest] if char in "\n\t" or unicodedata.category(char) not in _DROPPED)
    return kept.replace("<{%", "< {%")


def _text_of(markup: str) -> str:
    reader = _TextOf()
    try:
        reader.feed(markup)
        reader.close()
    except AssertionError:  # how Python's parser gives up on declarations that are none, such as `<![`
        return re.sub(r"<[^>]*>?", " ", markup)
    return "".join(reader.parts)


def spelt(token: str) -> re.Pattern[str]:
    """The token with any of its characters written as an address or a page may write them, time and again.

    Its beginning, and whatever of its characters follow: a pattern of all of a long token takes long to make.
    """

    def spellings(code: str, number: str) -> str:
        return rf"%(?:25){{0,3}}{code}|&(?:amp;){{0,3}}#(?:x0*{code}|0*{number});?"

    begins = "".join(rf"(?:{re.escape(each)}|{spellings(f'{ord(each):02x}', str(ord(each)))})" for each in token[:16])
    goes_on = rf"(?:[{re.escape(''.join(sorted(set(token))))}]|{spellings('[0-9a-f]{2}', '[0-9]{2,3}')})*"
    return re.compile(begins + (goes_on if len(token) > 16 else ""), re.IGNORECASE)

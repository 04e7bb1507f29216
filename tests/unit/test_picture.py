"""The picture of the display: what stood on the screen, as SVG, and the one that is committed."""

from __future__ import annotations

from xml.etree import ElementTree

import pyte

from tools import picture

TEXT = "{http://www.w3.org/2000/svg}text"


def frame(shown: str) -> picture.Frame:
    screen = pyte.Screen(60, 5)
    pyte.Stream(screen).feed(shown)
    return picture.frame_of(screen)


def test_each_run_of_one_look_stands_where_it_stood() -> None:
    drawn = ElementTree.fromstring(picture.drawn(frame("a \x1b[32;1m<&>\x1b[0m\r\n  b")))
    found = [(each.text, each.get("fill"), each.get("font-weight"), each.get("x")) for each in drawn.iter(TEXT)]
    plain = picture.COLOURS["default"]
    assert found == [
        ("a ", plain, None, "16.0"),
        ("<&>", picture.COLOURS["green"], "bold", f"{16 + 2 * picture.WIDTH:.1f}"),
        ("  b", plain, None, "16.0"),
    ]


def test_a_frame_tells_something_when_offers_are_under_way() -> None:
    row = " + OfferGoLive vm creating 3/6, 4 %, 3 s so far\r\n"
    assert picture.is_telling(frame("Updating (local):\r\n" + row * 2)) == 2
    assert picture.is_telling(frame(row)) == 0
    assert picture.is_telling(frame("Updating (local):\r\n + OfferGoLive vm created\r\n")) == 0


def test_the_committed_picture_is_whole() -> None:
    texts = [each.text or "" for each in ElementTree.parse(picture.PICTURE).iter(TEXT)]
    assert sum("OfferGoLive" in text for text in texts) == 4
    assert any("%" in text for text in texts)

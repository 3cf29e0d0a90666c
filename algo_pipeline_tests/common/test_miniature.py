from __future__ import annotations

import xml.etree.ElementTree as ET
from urllib.parse import unquote

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from algo_pipeline.common.miniature import (
    HEIGHT_PX,
    MAX_CHARACTERS,
    WIDTH_PX,
    Blocks,
    Dots,
    Line,
    Miniature,
    Note,
)

_SVG = "{http://www.w3.org/2000/svg}"


def _drawn(picture: Miniature) -> ET.Element:
    """The picture as a browser would parse it."""
    text = picture.markdown()
    prefix = f"![{picture.title}](<data:image/svg+xml,"
    assert text.startswith(prefix)
    assert text.endswith(">)")
    return ET.fromstring(unquote(text.removeprefix(prefix).removesuffix(">)")))  # noqa: S314 - our own


def _path(picture: Miniature) -> str:
    (path,) = _drawn(picture).iter(f"{_SVG}path")
    return path.attrib["d"]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=2_000))
def test_a_picture_of_any_values_is_short_enough_to_be_shown_at_once(values: list[float]) -> None:
    picture = Miniature("Any", lines=(Line(values), Line(values[::-1])), notes=(Note(0, 0.2, "100 % & <more>"),))
    assert len(picture.markdown()) <= MAX_CHARACTERS


def test_a_line_goes_from_edge_to_edge_and_from_low_to_high() -> None:
    assert _path(Miniature("Rise", lines=(Line([0.0, 1.0, 0.5]),))) == f"M4,{HEIGHT_PX - 4}l0,0,166-76,166,38"


def test_a_value_that_is_missing_breaks_the_line() -> None:
    path = _path(Miniature("Gap", lines=(Line([1.0, 1.0, np.nan, 1.0, 1.0]),)))
    assert path.count("M") == 2


def test_values_beyond_given_edges_stay_inside_of_the_picture() -> None:
    path = _path(Miniature("Cut", lines=(Line([-5.0, 5.0]),), low=0.0, high=1.0))
    assert path == f"M4,{HEIGHT_PX - 4}l0,0,{WIDTH_PX - 8}-{HEIGHT_PX - 8}"


def test_dots_and_blocks_stand_where_they_are_put() -> None:
    assert _path(Miniature("Dots", dots=(Dots([0.0, 1.0], [0.0, 1.0]),))) == "M4,80h0M336,4h0"
    assert _path(Miniature("Block", blocks=(Blocks([(0.0, 0.5, 0.0, 1.0)]),))) == "M4,0h166v84h-166"


def test_words_are_shown_as_written_but_for_what_markdown_can_not_hold() -> None:
    (text,) = _drawn(Miniature("Words", notes=(Note(1.0, 0.5, "63.3 % < #1 & more", ends=True),))).iter(f"{_SVG}text")
    assert text.text == "63.3 % < #1 & more"
    assert text.attrib["text-anchor"] == "end"


def test_a_title_can_not_end_the_picture() -> None:
    assert Miniature("a [b]").markdown().startswith("![a (b)](<data:")


def test_what_can_not_be_made_short_is_drawn_all_the_same() -> None:
    picture = Miniature("Many", dots=(Dots(list(np.linspace(0, 1, 200)), [0.0] * 200),))
    assert _path(picture).count("M") == 200


def test_words_of_any_length_leave_room_for_the_picture() -> None:
    picture = Miniature("Long", (Line(list(range(500))),), notes=(Note(0, 0, "x" * 5_000),))
    assert len(picture.markdown()) <= MAX_CHARACTERS


def test_flat_and_empty_lines_are_drawn_in_the_middle() -> None:
    assert _path(Miniature("Flat", lines=(Line([3.0, 3.0]),))) == "M4,42l0,0,332,0"
    assert _path(Miniature("None", lines=(Line([]),))) == ""

"""The pictures of the documentation are those that the script takes, and small."""

from __future__ import annotations

from algo_pipeline_tests.screenshots import IMAGES, MOST_BYTES, PICTURES


def test_every_picture_is_taken_by_the_script_and_none_is_missing():
    assert {path.stem for path in IMAGES.glob("*.png")} == {picture.name for picture in PICTURES}


def test_no_picture_is_large():
    assert [path.name for path in IMAGES.glob("*.png") if path.stat().st_size >= MOST_BYTES] == []

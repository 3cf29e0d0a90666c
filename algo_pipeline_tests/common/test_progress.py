"""Progress is told to whoever listens in this context, and changes nothing for those who work."""

from __future__ import annotations

import threading

from algo_pipeline.common.progress import Progress, listening, tell, tracked


def test_every_piece_is_told_before_it_is_worked_on_and_the_end_after_the_last() -> None:
    heard: list[Progress] = []
    with listening(heard.append):
        worked_on = [(item, heard[-1].done) for item in tracked("abc", "letters")]
    assert worked_on == [("a", 0), ("b", 1), ("c", 2)]
    assert heard == [Progress("letters", done, 3) for done in range(4)]
    assert [told.is_done for told in heard] == [False, False, False, True]


def test_work_is_the_same_where_nobody_listens() -> None:
    tell("fits", 1, 2)
    assert list(tracked((1, 2), "numbers")) == [1, 2]
    assert list(tracked((), "nothing")) == []


def test_the_inner_listener_hears_alone_and_the_outer_again_after_it_even_after_an_error() -> None:
    outer: list[Progress] = []
    inner: list[Progress] = []
    with listening(outer.append):
        try:
            with listening(inner.append):
                tell("inner")
                raise ValueError
        except ValueError:
            tell("outer")
    tell("nobody")
    assert [told.what for told in inner] == ["inner"]
    assert [told.what for told in outer] == ["outer"]


def test_another_thread_is_not_heard() -> None:
    heard: list[Progress] = []
    with listening(heard.append):
        thread = threading.Thread(target=tell, args=("elsewhere",))
        thread.start()
        thread.join()
    assert heard == []


def test_what_cannot_be_counted_is_never_done() -> None:
    assert not Progress("loading").is_done

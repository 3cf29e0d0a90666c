from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from algo_pipeline.common.errors import StorageError
from algo_pipeline.registry.search_study import SearchStudy
from algo_pipeline.research.search import SearchTrial
from algo_pipeline.research.search_space import Choices, Numbers

_SPACE = {"C": Numbers(1e-4, 1.0, log=True), "depth": Numbers(1, 6, whole=True), "kind": Choices(("a", "b"))}
_FIRST: dict[str, Any] = {"C": 0.1, "depth": 3, "kind": "a"}
_N_STEPS = 3


def scores(point: Mapping[str, Any]) -> Generator[float, None, None]:
    """Best near C = 0.01 and depth 2, the same at every fold up to a trend."""
    worth = -abs(point["C"] - 0.01) - 0.1 * abs(point["depth"] - 2) - (0.2 if point["kind"] == "b" else 0.0)
    for step in range(_N_STEPS):
        yield worth + 0.01 * step


class Killed(BaseException):
    """The process ends."""


def dying_at(number: int) -> Any:
    asked = 0

    def evaluate(point: Mapping[str, Any]) -> Generator[float, None, None]:
        nonlocal asked
        asked += 1
        for score in scores(point):
            if asked == number:
                raise Killed
            yield score

    return evaluate


def test_the_first_point_is_the_given_one_and_all_lie_in_the_space(tmp_path: Path) -> None:
    trials = SearchStudy(tmp_path / "s.db", "search", _SPACE).run(12, _N_STEPS, scores, _FIRST)
    assert trials[0].parameters == _FIRST
    assert [trial.number for trial in trials] == list(range(12))
    for trial in trials:
        assert all(_SPACE[name].holds(value) for name, value in trial.parameters.items())


def test_trials_that_fall_behind_are_given_up_and_still_count(tmp_path: Path) -> None:
    trials = SearchStudy(tmp_path / "s.db", "search", _SPACE).run(16, _N_STEPS, scores, _FIRST)
    pruned = [trial for trial in trials if trial.pruned]
    assert pruned
    assert all(trial.n_folds < _N_STEPS for trial in pruned)
    assert all(trial.n_folds == _N_STEPS for trial in trials if not trial.pruned)
    assert not trials[0].pruned


def test_equal_seeds_give_equal_trials_and_another_seed_others(tmp_path: Path) -> None:
    made = [
        SearchStudy(tmp_path / f"{number}.db", "search", _SPACE, seed).run(8, _N_STEPS, scores)
        for number, seed in enumerate((0, 0, 50))
    ]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("dies_at", [1, 4, 13])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path: Path, dies_at: int) -> None:
    straight = SearchStudy(tmp_path / "straight.db", "search", _SPACE).run(16, _N_STEPS, scores, _FIRST)
    study = SearchStudy(tmp_path / "broken.db", "search", _SPACE)
    with pytest.raises(Killed):
        study.run(16, _N_STEPS, dying_at(dies_at), _FIRST)
    resumed = SearchStudy(tmp_path / "broken.db", "search", _SPACE).run(16, _N_STEPS, scores, _FIRST)
    assert resumed == straight


def test_a_trial_of_a_process_that_died_is_given_up(tmp_path: Path) -> None:
    import optuna

    straight = SearchStudy(tmp_path / "straight.db", "search", _SPACE).run(6, _N_STEPS, scores, _FIRST)
    study = SearchStudy(tmp_path / "s.db", "search", _SPACE)
    study.run(3, _N_STEPS, scores, _FIRST)
    optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path / 's.db'}").ask()  # and nobody tells
    assert study.run(6, _N_STEPS, scores, _FIRST) == straight


def test_more_trials_go_on_with_the_same_ones_and_fewer_make_none(tmp_path: Path) -> None:
    study, told = SearchStudy(tmp_path / "s.db", "search", _SPACE), list[SearchTrial]()
    first = study.run(5, _N_STEPS, scores, _FIRST, told.append)
    more = study.run(9, _N_STEPS, scores, _FIRST, told.append)
    assert more[:5] == first
    assert tuple(told) == more
    assert study.run(4, _N_STEPS, scores, _FIRST, told.append) == more
    assert len(told) == 9


def test_what_an_evaluation_records_on_closing_is_never_behind(tmp_path: Path) -> None:
    ended: list[int] = []

    def evaluate(point: Mapping[str, Any]) -> Generator[float, None, None]:
        try:
            yield from scores(point)
        finally:
            ended.append(len(ended))

    def tell(trial: SearchTrial) -> None:
        assert len(ended) == trial.number + 1

    SearchStudy(tmp_path / "s.db", "search", _SPACE).run(16, _N_STEPS, evaluate, _FIRST, tell)
    assert len(ended) == 16


def test_judged_recipes_are_counted_once_over_all_searches_of_a_file(tmp_path: Path) -> None:
    one, other = (SearchStudy(tmp_path / "s.db", name, _SPACE) for name in ("one", "other"))
    assert [one.judge("aa"), one.judge("aa"), other.judge("bb"), one.judge("bb"), other.judge("cc")] == [1, 1, 2, 2, 3]


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    with pytest.raises(StorageError, match=r"s\.db"):
        SearchStudy(path, "search", _SPACE).run(1, _N_STEPS, scores)

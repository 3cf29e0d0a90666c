from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.registry.trials import Forecast, Trial, TrialKind, TrialLedger

BTC = Forecast("BTC/USD", "direction_1h", "binance", "a" * 64)
SCOPE = ("BTC/USD", "direction_1h", "binance")


@pytest.fixture
def ledger(tmp_path: Path) -> TrialLedger:
    return TrialLedger(tmp_path)


def trial(strategy: int, sharpe: float = 0.01, days: int = 1000, **changes: object) -> Trial:
    return replace(Trial(BTC, f"{strategy:064x}"[::-1], TrialKind.RESEARCH, sharpe, days), **changes)


def sweep(n: int, seed: int = 0, days: int = 1000) -> list[Trial]:
    sharpes = np.random.default_rng(seed).normal(0.0, 0.05, n)
    return [trial(k, float(sharpe), days, kind=TrialKind.SWEEP) for k, sharpe in enumerate(sharpes)]


def test_an_absent_ledger_knows_no_trial(ledger: TrialLedger) -> None:
    summary = ledger.summary(*SCOPE)
    assert summary.n_trials == 0
    assert math.isnan(summary.variance_of_sharpe)
    assert summary.is_known
    assert not ledger.path.exists()


def test_trials_count_by_recipe_and_strategy_within_their_symbol_label_and_source(ledger: TrialLedger) -> None:
    other_recipe = trial(1, 0.03, forecast=replace(BTC, recipe_hash="b" * 64))
    elsewhere = [
        trial(1, forecast=replace(BTC, **{field: "other"}))  # type: ignore[arg-type]
        for field in ("symbol", "label", "source")
    ]
    assert ledger.record([trial(1, 0.01), trial(2, 0.05), other_recipe, *elsewhere]) == 6
    summary = ledger.summary(*SCOPE)
    assert summary.n_trials == 3
    assert summary.variance_of_sharpe == pytest.approx(0.0004)  # of 0.01, 0.05 and 0.03
    assert ledger.summary("other", "direction_1h", "binance").n_trials == 1
    assert ledger.verify() == 6


def test_the_same_trial_again_counts_once_whatever_evaluated_it(ledger: TrialLedger) -> None:
    assert ledger.record([trial(1, 0.01)]) == 1
    before = ledger.path.read_bytes()
    assert ledger.record([trial(1, 0.02, 1050, kind=TrialKind.SWEEP)]) == 0
    assert ledger.path.read_bytes() == before
    assert ledger.summary(*SCOPE).n_trials == 1


def test_figures_on_a_tenth_more_days_replace_older_ones(ledger: TrialLedger) -> None:
    ledger.record([trial(1, 0.50, 20), trial(2, 0.02)])
    assert ledger.record([trial(1, 0.04, 1000)]) == 0
    summary = ledger.summary(*SCOPE)
    assert summary.n_trials == 2
    assert summary.variance_of_sharpe == pytest.approx(0.0002)  # of 0.04 and 0.02
    assert len(ledger.path.read_text().splitlines()) == 3


def test_what_never_traded_is_no_trial(ledger: TrialLedger) -> None:
    assert ledger.record([trial(1, math.nan), trial(2, math.inf)]) == 0
    assert not ledger.path.exists()


def test_a_sweep_of_ten_thousand_is_one_small_line_and_quick_to_read(ledger: TrialLedger) -> None:
    trials = sweep(10_000)
    assert ledger.record(trials) == 10_000
    assert len(ledger.path.read_text().splitlines()) == 1
    assert ledger.path.stat().st_size < 400_000
    assert ledger.record(trials) == 0
    start = time.process_time()
    summary = ledger.summary(*SCOPE)
    assert time.process_time() - start < 0.5
    assert summary.n_trials == 10_000
    sharpes = [each.daily_sharpe for each in trials]
    assert summary.variance_of_sharpe == pytest.approx(np.var(sharpes, ddof=1), rel=1e-6)


def test_a_line_tells_when_and_by_what_its_trials_were_evaluated(ledger: TrialLedger) -> None:
    ledger.record([trial(1, 0.123456789, 1000), trial(2, -0.5, 1000)])
    line = json.loads(ledger.path.read_text())
    assert (line["kind"], line["n_days"], line["symbol"]) == ("research", 1000, "BTC/USD")
    assert line["at"].endswith("+00:00")
    assert line["strategies"] == ["1" + "0" * 15, "2" + "0" * 15]
    assert line["daily_sharpes"] == [0.12345679, -0.5]


def test_a_torn_line_is_recorded_again(ledger: TrialLedger) -> None:
    ledger.record([trial(1)])
    whole = ledger.path.read_bytes()
    ledger.record([trial(2, 0.03)])
    ledger.path.write_bytes(whole + b'{"at": "20')
    ledger.path.with_name("trials.jsonl.head").unlink()  # killed before it was written
    assert ledger.summary(*SCOPE).n_trials == 1
    assert ledger.record([trial(2, 0.03)]) == 1
    assert ledger.summary(*SCOPE).n_trials == 2


@pytest.mark.parametrize("harm", ["change", "shorten", "remove"])
def test_a_harmed_ledger_is_told_and_takes_no_more(ledger: TrialLedger, harm: str) -> None:
    ledger.record([trial(1)])
    ledger.record([trial(2)])
    if harm == "remove":
        ledger.path.unlink()
    else:
        lines = ledger.path.read_bytes().splitlines(keepends=True)
        lines[-1] = b"" if harm == "shorten" else lines[-1].replace(b'"n_days": 1000', b'"n_days": 2000')
        ledger.path.write_bytes(b"".join(lines))
    with pytest.raises(CorruptFileError, match=r"trials\.jsonl"):
        ledger.summary(*SCOPE)
    with pytest.raises(CorruptFileError):
        ledger.record([trial(3)])


def test_writers_at_the_same_time_lose_no_trial_and_count_none_twice(ledger: TrialLedger, tmp_path: Path) -> None:
    start, new = threading.Barrier(4), []

    def record(writer: int) -> None:
        start.wait()
        new.extend(TrialLedger(tmp_path).record([trial(0), trial(10 * writer + k)]) for k in range(1, 5))

    threads = [threading.Thread(target=record, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == ledger.summary(*SCOPE).n_trials == 17


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-1, 1), st.integers(2, 3000)), max_size=30), st.data())
def test_however_the_trials_come_the_summary_is_that_of_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory, given_trials: list[tuple[int, float, int]], data: st.DataObject
) -> None:
    ledger = TrialLedger(tmp_path_factory.mktemp("ledger"))
    known: dict[int, tuple[float, int]] = {}
    left = given_trials
    while left:
        cut = data.draw(st.integers(1, len(left)))
        batch, left = {each[0]: each for each in left[:cut]}.values(), left[cut:]
        ledger.record([trial(*each) for each in batch])
        for strategy, sharpe, days in batch:
            if strategy not in known or 10 * days >= 11 * known[strategy][1]:
                known[strategy] = (sharpe, days)
    summary = ledger.summary(*SCOPE)
    assert summary.n_trials == len(known)
    if len(known) > 1:
        expected = np.var([sharpe for sharpe, _ in known.values()], ddof=1)
        assert summary.variance_of_sharpe == pytest.approx(expected, abs=1e-7)

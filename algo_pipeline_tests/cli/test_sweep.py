"""The command sweep: what it reads and writes, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.storage import write_frame, write_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.trials import TrialLedger
from algo_pipeline.sources.store import BarStore, StoredBars
from algo_pipeline_tests.backtest.sweep_samples import knowing_probability
from algo_pipeline_tests.cli.ended import Command, Ended, assert_says
from algo_pipeline_tests.live_shop import exit_code
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.workshop import Workshop, fingerprints, workshop

_SMALL = ("--set", "enter_threshold=0.52,0.55,0.6", "--set", "fee_bps=0,25")
_BTC, _ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")


def store_run(shop: Workshop, symbol: Symbol = _BTC, source: str = "file") -> None:
    """What a research run of some weeks would leave for a sweep."""
    bars = random_bars(1_500, seed=4)
    BarStore(shop.artifacts / "data").save(source, symbol, StoredBars(bars, venue_symbol="x"))
    oos = pd.DataFrame({"probability": knowing_probability(bars, 0.6)}).iloc[200:-1]
    write_frame(shop.artifacts / "research" / source / "oos_probabilities" / f"{symbol.slug}.parquet", oos)
    report = {"source": source, "label": "direction_1h", "recipe": "logistic+platt", "recipe_hash": "a" * 64}
    write_json(shop.artifacts / "backtest" / symbol.slug / "report.json", report)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = workshop(tmp_path / "work", ALGO_TRADER_SYMBOLS="BTC/USD,ETH/USD")
    made.root.mkdir()
    return made


@pytest.fixture
def command(shop: Workshop, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command in this process, in a workshop of its own."""
    # Its own, undone before the workshop is left: a fixture's would be undone after, to what the workshop had set.
    with shop.active(), pytest.MonkeyPatch.context() as monkeypatch:

        def run(*arguments: str, **settings: str) -> Ended:
            return Ended(exit_code(monkeypatch, "sweep", *arguments, **settings), *capfd.readouterr())

        yield run


def test_it_says_that_it_sweeps_thresholds_where_another_strategy_is_configured(
    command: Command, shop: Workshop
) -> None:
    store_run(shop)
    assert "fixed thresholds" not in command(*_SMALL).err
    ended = command(*_SMALL, ALGO_TRADER_STRATEGY="cost_aware")
    assert ended.code == 0
    assert "a sweep is one of fixed thresholds" in " ".join(ended.err.split())


def test_it_prints_the_best_the_verdict_and_where_the_page_is(command: Command, shop: Workshop) -> None:
    store_run(shop)
    ended = command(*_SMALL)
    folder = shop.artifacts / "backtest" / "BTC-USD" / "sweep"
    words = " ".join(ended.out.replace("│", " ").split())
    assert ended.code == 0
    assert "The best of 3 combinations" in words
    assert "under fee_bps 25" in words
    assert "6 combinations in" in words
    assert "kill switch off" in words
    assert "Probability of backtest overfitting 0." in words
    assert f"{folder / 'sweep.html'}" in ended.out
    assert ended.err == ""
    assert len(pd.read_csv(folder / "sweep.csv")) == 6
    assert "The best of 3 combinations" in (folder / "sweep.html").read_text("utf-8")


def test_json_says_the_same_to_a_program(command: Command, shop: Workshop, tmp_path: Path) -> None:
    store_run(shop)
    ended = command(*_SMALL, "--json", "--top", "2", "--metric", "total_return", "--output", str(tmp_path / "out"))
    document = json.loads(ended.out)
    assert ended.code == 0
    assert ended.err == ""
    assert (document["symbol"], document["source"], document["combinations"]) == ("BTC/USD", "file", 6)
    assert document["span"]["bars"] == 1_299
    returns = [row["total_return"] for row in document["top"]]
    assert returns == sorted(returns, reverse=True)
    assert len(returns) == 2
    assert {Path(path) for path in document["files"].values()} == set((tmp_path / "out").iterdir())
    assert not (shop.artifacts / "backtest" / "BTC-USD" / "sweep").exists()


def test_without_values_the_default_grid_is_swept_with_the_configured_fee(command: Command, shop: Workshop) -> None:
    store_run(shop)
    document = json.loads(command("--json", ALGO_TRADER_FEE_BPS="17").out)
    assert document["combinations"] == 13 * 13 * 3 * 3
    assert document["judged"]["conditions"] == {"fee_bps": 17.0}


def test_the_last_run_counts_whatever_source_is_configured(command: Command, shop: Workshop) -> None:
    store_run(shop, _ETH, "binance")
    ended = command(*_SMALL, "--symbol", "eth/usd", "--json", ALGO_TRADER_DATA_SOURCE="file")
    assert ended.code == 0
    assert json.loads(ended.out)["source"] == "binance"


def test_each_combination_that_traded_is_a_trial_and_the_same_sweep_again_adds_none(
    command: Command, shop: Workshop
) -> None:
    store_run(shop)
    ledger = TrialLedger(shop.artifacts)
    first = json.loads(command(*_SMALL, "--json").out)
    ratio = pytest.approx(first["judged"]["deflated_sharpe_ratio"], rel=1e-6)
    assert first["trials"] == {"new": 3, "known": 3, "problem": None, "deflated_sharpe_ratio": ratio}
    assert first["judged"]["trials"] == 3
    summary = ledger.summary("BTC/USD", "direction_1h", "file")
    assert summary.n_trials == 3
    assert summary.variance_of_sharpe == pytest.approx(first["judged"]["variance_of_daily_sharpes"], rel=1e-6)
    before = ledger.path.read_bytes()
    assert json.loads(command(*_SMALL, "--json").out)["trials"] == {**first["trials"], "new": 0}
    assert ledger.path.read_bytes() == before
    more = command("--set", "enter_threshold=0.52,0.57")
    assert "1 new, 4 in all" in " ".join(more.out.split())


def test_sweeping_bit_by_bit_is_judged_over_all_that_was_swept(command: Command, shop: Workshop) -> None:
    store_run(shop)
    for pair in ("0.5,0.51", "0.52,0.53", "0.54,0.55"):
        command("--set", f"enter_threshold={pair}")
    last = ("--set", "enter_threshold=0.56,0.57")
    document = json.loads(command(*last, "--json").out)
    summary = TrialLedger(shop.artifacts).summary("BTC/USD", "direction_1h", "file")
    assert document["judged"]["trials"] == 2
    assert document["trials"]["known"] == summary.n_trials == 8
    assert document["trials"]["deflated_sharpe_ratio"] < document["judged"]["deflated_sharpe_ratio"]
    words = " ".join(command(*last).out.replace("│", " ").split())
    assert "Over all of them this best has a deflated Sharpe ratio of " in words


def test_a_ledger_that_takes_no_more_trials_is_told_beside_the_result(command: Command, shop: Workshop) -> None:
    store_run(shop)
    command(*_SMALL)
    TrialLedger(shop.artifacts).path.unlink()
    ended = command(*_SMALL)
    words = " ".join(ended.err.split())
    assert ended.code == 1
    assert "error: These trials could not be recorded" in words
    assert "the file is missing" in words
    assert " try: " in words
    assert "Verdict" in ended.out
    told = command(*_SMALL, "--json")
    document = json.loads(told.out)
    assert (told.code, document["error"]["code"]) == (1, "storage")
    assert "trials.jsonl" in document["error"]["message"]
    assert document["trials"]["problem"] == document["error"]["message"]


def test_only_its_own_folder_and_the_ledger_of_trials_are_written(command: Command, shop: Workshop) -> None:
    store_run(shop)
    before = fingerprints(shop.artifacts)
    assert command(*_SMALL).code == 0
    after = fingerprints(shop.artifacts)
    new = {name for name in after if name not in before and not name.startswith(("logs/", "registry/trials."))}
    assert new == {"backtest/BTC-USD/sweep/sweep.csv", "backtest/BTC-USD/sweep/sweep.html"}
    assert {name: after[name] for name in before} == before


def test_a_real_run_is_swept(
    materialized: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = materialized.copy(tmp_path / "shop")
    with shop.active():
        assert exit_code(monkeypatch, "sweep", *_SMALL, "--json", "--output", str(tmp_path)) == 0
    swept = json.loads(capfd.readouterr().out)
    reported = json.loads((materialized.artifacts / "backtest" / "BTC-USD" / "report.json").read_text("utf-8"))
    assert swept["span"] == reported["span"]
    table = pd.read_csv(tmp_path / "sweep.csv")
    own = table[(table["enter_threshold"] == 0.55) & (table["fee_bps"] == 25)].iloc[0]
    assert swept["judged"]["trials"] == 3
    assert swept["trials"]["new"] == 2  # research itself had tried 0.55
    for name, value in reported["metrics"]["strategy"].items():
        assert own[name] == pytest.approx(value, rel=1e-9, nan_ok=True) or value is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "enter_treshold=0.5,0.6"), ("enter_treshold", "enter_threshold")),
        (("--set", "enter_threshold=high"), ("enter_threshold", "numbers", "START:STOP:COUNT")),
        (("--set", "exit_threshold=0.5,0.6"), ("exit_threshold", "0.55")),
        (("--symbol", "bitcoin"), ("bitcoin", "BTC/USD")),
        (("--metric", "beauty"), ("beauty", "sharpe")),
        (("--top", "0"), ("--top",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_misuse_ends_with_exit_code_2_before_anything_is_read(
    command: Command, shop: Workshop, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    ended = command(*arguments)
    assert_says(ended, 2, *words)
    assert not (shop.artifacts / "backtest").exists()


def test_a_symbol_without_a_run_is_named_with_the_command_to_run(command: Command) -> None:
    assert_says(command(), 1, "BTC/USD", "algo-pipeline research --symbol BTC/USD")
    error = json.loads(command("--json", "--symbol", "SOL/USD").out)["error"]
    assert error["code"] == "storage"
    assert error["remedy"] == "algo-pipeline research --symbol SOL/USD"


def test_a_damaged_file_is_named(command: Command, shop: Workshop) -> None:
    store_run(shop)
    path = shop.artifacts / "research" / "file" / "oos_probabilities" / "BTC-USD.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    assert_says(command(), 1, str(path))


def test_missing_bars_are_named(command: Command, shop: Workshop) -> None:
    store_run(shop)
    (shop.artifacts / "data" / "file" / "BTC-USD" / "bars.parquet").unlink()
    assert_says(command(), 1, "No bars of BTC/USD")


def test_probabilities_of_other_bars_are_refused(command: Command, shop: Workshop) -> None:
    store_run(shop)
    later = StoredBars(random_bars(1_500, start="2025-01-01"), venue_symbol="x")
    BarStore(shop.artifacts / "data").save("file", _BTC, later)
    assert_says(command(), 1, "not about the stored bars")


def test_a_report_that_is_not_ours_is_named(command: Command, shop: Workshop) -> None:
    store_run(shop)
    write_json(shop.artifacts / "backtest" / "BTC-USD" / "report.json", ["hello"])
    assert_says(command(), 1, "report.json")


def test_a_file_in_the_way_of_the_output_is_named(command: Command, shop: Workshop, tmp_path: Path) -> None:
    store_run(shop)
    way = tmp_path / "way"
    way.write_text("a file")
    assert_says(command(*_SMALL, "--output", str(way / "below")), 1, str(way))
    assert way.read_text() == "a file"


def test_help_teaches_the_kill_switch_and_the_verdict(command: Command) -> None:
    ended = command("--help")
    assert ended.code == 0
    for words in ("max_drawdown=1", "deflated Sharpe ratio", "--set enter_threshold=0.52,0.55,0.6"):
        assert words in ended.out

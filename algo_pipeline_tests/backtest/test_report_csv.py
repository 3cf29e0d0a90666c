from __future__ import annotations

import io

import pandas as pd

from algo_pipeline.backtest.report import equity_curve_csv, trades_csv
from algo_pipeline_tests.backtest.report_samples import constant_inputs, sample_inputs


def _read(text: str, *times: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), float_precision="round_trip", parse_dates=list(times))


def test_the_curve_reads_back_bit_for_bit() -> None:
    result = sample_inputs().strategy
    text = equity_curve_csv(result)
    assert text.splitlines()[0] == "timestamp,equity,cash,quantity,drawdown"
    assert text.splitlines()[1].startswith("2024-01-01T00:00:00Z,100000.0,100000.0,0.0,0.0")
    read = _read(text, "timestamp").set_index("timestamp")
    pd.testing.assert_frame_equal(read, result.curve, check_exact=True, check_index_type=False, check_freq=False)


def test_the_trades_read_back_bit_for_bit() -> None:
    result = sample_inputs().strategy
    text = trades_csv(result)
    assert text.splitlines()[0] == "entry_time,exit_time,quantity,entry_price,exit_price,fees,pnl,return"
    assert len(result.trades) > 20
    read = _read(text, "entry_time", "exit_time")
    pd.testing.assert_frame_equal(read, result.trades, check_exact=True, check_dtype=False)


def test_without_trades_only_the_header_remains() -> None:
    result = constant_inputs(30).strategy
    assert trades_csv(result) == "entry_time,exit_time,quantity,entry_price,exit_price,fees,pnl,return\n"
    assert len(equity_curve_csv(result).splitlines()) == 31


def test_an_undefined_number_is_an_empty_field() -> None:
    result = sample_inputs(300).strategy
    result.trades.loc[0, "return"] = float("nan")
    assert trades_csv(result).splitlines()[1].endswith(",")

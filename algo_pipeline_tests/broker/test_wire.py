"""Alpaca's JSON as records, and quantities as JSON numbers."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.broker.wire import account_from, exact_float, positions_from, symbol_from
from algo_pipeline.common.types import Symbol
from algo_pipeline.interfaces.broker import Position

D = Decimal
POSITION = {"symbol": "BTCUSD", "asset_class": "crypto", "qty": "0.5", "qty_available": "0.2"}


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTC/USD", "BTC/USD"),
        ("BTCUSD", "BTC/USD"),
        ("SHIBUSD", "SHIB/USD"),
        ("BTCUSDT", "BTC/USDT"),
        ("BTCUSDC", "BTC/USDC"),
        ("ETHBTC", "ETH/BTC"),
        ("WBTCUSD", "WBTC/USD"),
        ("USDTUSD", "USDT/USD"),
        ("USDCUSD", "USDC/USD"),
        ("USDTUSDC", "USDT/USDC"),
        ("USDGUSD", "USDG/USD"),
        ("BTCEUR", "BTCEUR/CRYPTO"),
        ("USD", "USD/CRYPTO"),
    ],
)
def test_both_spellings_of_a_coin_are_one_symbol(text: str, symbol: str) -> None:
    assert str(symbol_from(text)) == symbol
    assert str(symbol_from(text, None)) == symbol.replace("CRYPTO", "UNKNOWN")


@pytest.mark.parametrize(
    ("text", "asset_class", "symbol"),
    [
        ("BTC", "us_equity", "BTC/USEQUITY"),
        ("SOL", "us_equity", "SOL/USEQUITY"),
        ("BRK.B", "us_equity", "BRKB/USEQUITY"),
        ("GUSD", "us_equity", "GUSD/USEQUITY"),
        ("AAPL240119C00100000", "us_option", "AAPL240119C0010/USOPTION"),
        ("BTCUSD", "crypto_perp", "BTCUSD/CRYPTOPERP"),
        ("", "us_option", "UNKNOWN/USOPTION"),
        ("XYZ", None, "XYZ/UNKNOWN"),
        ("ÄÖ", "a class of its own, and a long one", "UNKNOWN/ACLASSOFITSOWNA"),
    ],
)
def test_what_is_no_coin_is_never_taken_for_one_and_can_be_journalled(
    text: str, asset_class: str | None, symbol: str
) -> None:
    found = symbol_from(text, asset_class)
    assert str(found) == symbol
    assert Symbol.parse(str(found)) == found


def test_a_position_has_what_no_order_holds_back() -> None:
    without = {"symbol": "ETHUSD", "asset_class": "crypto", "qty": "1e-9"}
    stock = {**POSITION, "symbol": "BTC", "asset_class": "us_equity", "qty": "-3", "qty_available": "-3"}
    assert positions_from([POSITION, without, stock]) == (
        Position(Symbol("BTC", "USD"), D("0.5"), D("0.2")),
        Position(Symbol("ETH", "USD"), D("1e-9"), D("1e-9")),
        Position(Symbol("BTC", "USEQUITY"), D(-3), D(-3)),
    )


def test_numbers_may_come_as_json_numbers() -> None:
    raw = json.loads('{"id": "a", "cash": 0.1, "equity": 100000}', parse_float=Decimal)
    account = account_from(raw)
    assert (account.cash, account.equity) == (D("0.1"), D(100_000))


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("0.5", "0.5"),
        ("0.00001", "1e-05"),
        ("0.123456789", "0.123456789"),
        ("1234.5678901234567", "1234.5678901234567"),
        ("0.1234567890123456789", "0.12345678901234566"),
        ("0.1230000000000000000000001", "0.123"),
        ("100000000", "100000000.0"),
        ("9007199254740993", "9007199254740992.0"),
    ],
)
def test_a_quantity_is_sent_as_it_is_or_as_the_nearest_number_below(quantity: str, text: str) -> None:
    assert json.dumps(exact_float(D(quantity))) == text


@settings(deadline=None, max_examples=300)
@given(st.decimals("1e-18", "1e9", allow_nan=False, places=18).filter(lambda quantity: quantity > 0))
def test_what_is_sent_is_never_more_than_the_quantity_and_less_by_two_steps_of_a_double_at_most(
    quantity: Decimal,
) -> None:
    sent = D(json.dumps(exact_float(quantity)))
    assert sent <= quantity
    assert quantity - sent <= quantity * D("4.5e-16")


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 10**15), st.integers(0, 9))
def test_a_quantity_of_up_to_nine_decimals_and_fifteen_digits_is_sent_exactly(digits: int, decimals: int) -> None:
    quantity = D(digits).scaleb(-decimals)
    assert D(json.dumps(exact_float(quantity))) == quantity

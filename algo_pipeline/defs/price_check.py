"""The second opinion on a price, asked for only where a decision hangs on it; its silence stops nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.coingecko import CoinGeckoPrices
from algo_pipeline.sources.retry import RetryPolicy

_LOOK_BACK = pd.Timedelta(hours=2)
_OLDEST = pd.Timedelta(minutes=90)
_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class SecondSource:
    """CoinGecko's newest price of a symbol.

    Parameters
    ----------
    prices : CoinGeckoPrices
        The client.
    now : callable
        The account's clock.
    """

    prices: CoinGeckoPrices
    now: Callable[[], pd.Timestamp]

    def __call__(self, symbol: Symbol) -> float | None:
        """The price, at most an hour and a half old; None if there is none or the source does not answer."""
        at = self.now()
        try:
            closes = self.prices.fetch_closes(symbol, at - _LOOK_BACK, at)
        except AlgoPipelineError as error:
            logger.info("No second opinion on {}: {}", symbol, error)
            return None
        if closes.empty or at - closes.index[-1] > _OLDEST:
            return None
        return float(closes.iloc[-1])


def second_source(base_url: str, now: Callable[[], pd.Timestamp]) -> SecondSource:
    """Ask once and wait little: a decision does not hang on an opinion."""
    prices = CoinGeckoPrices(base_url=base_url, policy=RetryPolicy(attempts=1), now=now, timeout_s=_TIMEOUT_S)
    return SecondSource(prices, now)

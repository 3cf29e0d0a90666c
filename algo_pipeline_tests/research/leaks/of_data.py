"""Leaks of features, labels and dataset. Each function injects one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from algo_pipeline.common.types import BoolArray
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import LabelSpec, build_labels
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline_tests.research.leaks.stages import Stages

Column = Callable[[pd.DataFrame, pd.DataFrame], "pd.Series[float]"]


def feature_shifted_back_by_one_bar(stages: Stages) -> Stages:
    """A feature of the next bar: ``shift(-1)`` where ``shift(1)`` was meant."""
    return _column(stages, "rsi_14", lambda features, bars: features["rsi_14"].shift(-1))


def feature_that_peeks_on_one_day_of_the_month(stages: Stages) -> Stages:
    """The next hour's return instead of the last one's, but only on the fifteenth of each month."""
    return _peeking(stages, lambda index: index.day == 15)


def feature_that_peeks_in_the_early_history(stages: Stages) -> Stages:
    """The next hour's return instead of the last one's, but only in the first thousand bars."""
    return _peeking(stages, lambda index: np.arange(len(index)) < 1_000)


def centred_window(stages: Stages) -> Stages:
    """A moving average around the bar instead of before it."""
    return _column(
        stages,
        "sma_ratio_24",
        lambda features, bars: bars["close"] / bars["close"].rolling(24, center=True, min_periods=1).mean() - 1.0,
    )


def feature_normalized_over_all_bars(stages: Stages) -> Stages:
    """A feature standardized by mean and deviation of the whole history."""
    return _column(
        stages,
        "realized_vol_24",
        lambda features, bars: (
            (features["realized_vol_24"] - features["realized_vol_24"].mean()) / features["realized_vol_24"].std()
        ),
    )


def future_volume_in_a_z_score(stages: Stages) -> Stages:
    """A volume z-score whose mean reaches a day ahead."""
    return _column(
        stages,
        "volume_zscore_168",
        lambda features, bars: (
            (bars["volume"] - bars["volume"].rolling(168).mean().shift(-24)) / bars["volume"].rolling(168).std()
        ),
    )


def daily_feature_stamped_at_its_open(stages: Stages) -> Stages:
    """The day's range, known at its end, stamped at its first hour."""

    def position(features: pd.DataFrame, bars: pd.DataFrame) -> pd.Series[float]:
        days = bars.groupby(pd.DatetimeIndex(bars.index).floor("D"))
        low, high = days["low"].transform("min"), days["high"].transform("max")
        return (bars["close"] - low) / (high - low)

    return _column(stages, "range_position_72", position)


def higher_frame_known_too_early(stages: Stages) -> Stages:
    """The close of the running 4 h candle, repeated on the hours before it."""

    def momentum(features: pd.DataFrame, bars: pd.DataFrame) -> pd.Series[float]:
        candles = bars["close"].groupby(pd.DatetimeIndex(bars.index).floor("4h")).transform("last")
        return np.log(candles / bars["close"].shift(4))

    return _column(stages, "log_return_6", momentum)


def smoothed_in_both_directions(stages: Stages) -> Stages:
    """A filter run forwards and then backwards, so that it has no lag and no honesty."""
    return _column(
        stages,
        "ema_ratio_12",
        lambda features, bars: bars["close"] / bars["close"].ewm(span=12).mean()[::-1].ewm(span=12).mean()[::-1] - 1.0,
    )


def feature_filled_back_across_a_gap(stages: Stages) -> Stages:
    """Values that a gap made unknown, taken from the first known bar after it."""

    def filled(bars: pd.DataFrame) -> pd.DataFrame:
        features = build_features(bars)
        return features.bfill().where(_warm(features))

    return replace(stages, build_features=filled)


def feature_carried_across_a_gap(stages: Stages) -> Stages:
    """Values that a gap made unknown, taken from the last bar before it, as if no hour were missing."""
    return replace(stages, build_features=lambda bars: build_features(bars).ffill())


def features_clipped_at_quantiles_of_all_rows(stages: Stages) -> Stages:
    """Features that were right when computed, clipped at quantiles of the whole history when stored."""

    def clipped(features: pd.DataFrame) -> pd.DataFrame:
        return features.clip(features.quantile(0.01), features.quantile(0.99), axis=1)

    return replace(stages, store_features=clipped)


def dataset_scaled_over_all_rows(stages: Stages) -> Stages:
    """Features divided by their deviation over all rows when they are joined with the label."""
    return _rows(stages, lambda data: data.assign(**(data.iloc[:, :33] / data.iloc[:, :33].std())))


def label_from_the_same_bar(stages: Stages) -> Stages:
    """A label from this bar's open, which nobody who knows its close can still get."""
    return _labels(stages, lambda bars: build_labels(bars).shift(1))


def label_that_ends_a_bar_later(stages: Stages) -> Stages:
    """Labels stamped one bar early: they are known a bar later than the purge believes."""
    return _labels(stages, lambda bars: build_labels(bars).shift(-1))


def label_filled_across_a_gap(stages: Stages) -> Stages:
    """Labels of rows before a gap, taken from the rows behind it."""
    return _labels(stages, lambda bars: build_labels(bars).bfill())


def label_to_the_next_bar_that_exists(stages: Stages) -> Stages:
    """A label that counts rows instead of hours, and so reaches across a gap."""

    def by_rows(bars: pd.DataFrame) -> pd.DataFrame:
        labels, open_ = build_labels(bars), bars["open"]
        change = open_.shift(-2) / open_.shift(-1) - 1.0
        return labels.assign(direction_1h=(change > 0.0).astype(np.float64).where(change.notna()))

    return _labels(stages, by_rows)


def barriers_from_a_later_volatility(stages: Stages) -> Stages:
    """Barriers as wide as the volatility of the day that they are set for."""

    def barriers(bars: pd.DataFrame) -> pd.DataFrame:
        labels = build_labels(bars)
        return labels.assign(triple_barrier_24h=labels["triple_barrier_24h"].shift(-24).fillna(0.0))

    return _labels(stages, barriers)


def rows_in_another_order(stages: Stages) -> Stages:
    """Rows sorted by a feature, under an index that still looks like time: train and test are mixed."""
    return _rows(stages, lambda data: data.sort_values("realized_vol_168").set_axis(data.index))


def rows_written_twice(stages: Stages) -> Stages:
    """Every tenth row repeats the one before it, so that a row of the train part turns up in the test block."""

    def doubled(data: pd.DataFrame) -> pd.DataFrame:
        take = np.arange(len(data))
        take[9::10] -= 1
        return data.iloc[take].set_axis(data.index)

    return _rows(stages, doubled)


def target_encoding_on_all_rows(stages: Stages) -> Stages:
    """An hour of the day replaced by the mean outcome of that hour over all rows."""

    def encoded(data: pd.DataFrame) -> pd.DataFrame:
        hours = pd.DatetimeIndex(data.index).hour
        return data.assign(hour_sin=data.iloc[:, -1].groupby(hours).transform("mean"))

    return _rows(stages, encoded)


def features_without_the_hardest_rows(stages: Stages) -> Stages:
    """Rows whose outcome goes against the trend dropped as outliers."""

    def easy(data: pd.DataFrame) -> pd.DataFrame:
        against = (data["log_return_1"] > data["log_return_1"].quantile(0.9)) & (data.iloc[:, -1] == 0.0)
        return data[~against]

    return _rows(stages, easy)


def _column(stages: Stages, name: str, make: Column) -> Stages:
    """One feature made otherwise where it is known; unknown stays unknown."""

    def build(bars: pd.DataFrame) -> pd.DataFrame:
        features = build_features(bars)
        made = make(features, bars).replace([np.inf, -np.inf], np.nan)
        return features.assign(**{name: made.fillna(features[name]).where(features[name].notna())})

    return replace(stages, build_features=build)


def _peeking(stages: Stages, when: Callable[[pd.DatetimeIndex], BoolArray]) -> Stages:
    """Some hours of ``log_return_1`` are those of the hour that follows."""

    def peek(features: pd.DataFrame, bars: pd.DataFrame) -> pd.Series[float]:
        known = features["log_return_1"]
        return known.where(~when(pd.DatetimeIndex(bars.index)) | known.isna(), known.shift(-1))

    return _column(stages, "log_return_1", peek)


def _labels(stages: Stages, build: Callable[[pd.DataFrame], pd.DataFrame]) -> Stages:
    return replace(stages, build_labels=build)


def _rows(stages: Stages, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Stages:
    """The dataset's rows, features and label together, changed; nothing validates what comes of it."""

    def build(features: pd.DataFrame, labels: pd.DataFrame, label: LabelSpec) -> Dataset:
        changed = change(build_dataset(features, labels, label).to_frame())
        values = np.ascontiguousarray(changed.drop(columns=label.name).to_numpy())
        rows = pd.DataFrame(values, index=changed.index, columns=features.columns, copy=False)
        return Dataset(rows, changed[label.name], label)

    return replace(stages, build_dataset=build)


def _warm(features: pd.DataFrame) -> pd.DataFrame:
    """Whether a feature was known before, or is."""
    return features.notna().cummax()

"""A live decision taken apart: its bars and features computed again, its probability compared with the journal's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import OtherCodeError
from algo_pipeline.common.storage import frame_hash
from algo_pipeline.common.time import to_utc
from algo_pipeline.data.live_features import newest_row
from algo_pipeline.live.hour_story import HourStory
from algo_pipeline.models.contributions import Contributions, contributions
from algo_pipeline.models.linear_scorer import LinearScorer
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.registry.deployment import bundle_strategy_document
from algo_pipeline.strategy.catalog import shown_document

_SHOWN_BARS = 3


@dataclass(frozen=True, slots=True)
class BarsUsed:
    """The bars that a decision rested on.

    Attributes
    ----------
    n_bars : int
        From the bundle's history start to the hour.
    sha256 : str
        Hash of them all.
    last : tuple of mapping
        The newest few: ``timestamp, open, high, low, close, volume``.
    """

    n_bars: int
    sha256: str
    last: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Recomputation:
    """The decision's probability, computed again.

    Attributes
    ----------
    bars : BarsUsed
        What from.
    features : mapping of str to float
        By name.
    probability : float or None
        None where too few bars are there, or a feature is unknown.
    contributions : Contributions or None
        What each term adds; None for a model that is not linear.
    """

    bars: BarsUsed
    features: Mapping[str, float]
    probability: float | None
    contributions: Contributions | None

    def agreement(self, journalled: float | None) -> str:
        """How the probability compares with the journalled one."""
        if self.probability is None or journalled is None:
            same = self.probability is None and journalled is None
            return "neither has a probability" if same else "only one of them has a probability"
        if self.probability == journalled:
            return "equal to the last bit"
        return f"differs by {abs(self.probability - journalled):.3g}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole chain of one hour.

    Attributes
    ----------
    story : HourStory
        What the journal says.
    bundle : ChampionBundle or None
        The champion that decided; None if it is not kept.
    recomputed : Recomputation or None
        The probability anew; None where bars or bundle are not there.
    why_not : str
        Why it could not be computed again; empty where it was.
    """

    story: HourStory
    bundle: ChampionBundle | None
    recomputed: Recomputation | None
    why_not: str = ""

    @property
    def agreement(self) -> str:
        """What came of computing the probability again, in words."""
        if self.recomputed is None:
            return self.why_not
        decision = self.story.decision
        said = self.recomputed.agreement(None if decision is None else decision.prob)
        return f"{said}; {self.other_close}" if self.other_close else said

    @property
    def other_close(self) -> str:
        """What is odd about the bars: empty if the hour's close is the one that the decision was made on."""
        if self.recomputed is None or self.story.decision is None:
            return ""
        then, now = self.story.decision.details["close"], self.recomputed.bars.last[-1]["close"]
        return "" if then == now else f"the bars have changed since: this one closed at {then} then, at {now} now"

    @property
    def is_confirmed(self) -> bool | None:
        """Whether the probability is the journalled one to the bit; None where that could not be asked."""
        if self.recomputed is None or self.story.decision is None:
            return None
        return self.recomputed.probability == self.story.decision.prob

    @property
    def rule(self) -> str:
        """The strategy's name and parameters."""
        if self.bundle is None:
            return "unknown: the bundle is not kept"
        document = shown_document(bundle_strategy_document(self.bundle))
        name = document.pop("name")
        return f"{name} ({', '.join(f'{key} {value}' for key, value in document.items())})"


def explain(
    story: HourStory, bundle: ChampionBundle | None, bars: pd.DataFrame | None, own: Collection[str] = ()
) -> Explanation:
    """Compute a journalled decision's probability again.

    Parameters
    ----------
    story : HourStory
        The hour.
    bundle : ChampionBundle or None
        The one whose hash the decision names.
    bars : pd.DataFrame or None
        Bars of the symbol from the source that live decides on; later ones are left aside.
    own : collection of str
        The user's own classes that the settings of this machine name: no other is imported.
    """
    if story.decision is None:
        return Explanation(story, bundle, None, "nothing was decided in this hour")
    if bundle is None:
        named = story.decision.details["bundle"]
        why = "no champion was deployed" if named is None else f"the champion bundle {named[:16]} is not kept"
        return Explanation(story, None, None, why)
    used = None if bars is None else bars.loc[to_utc(bundle.history_start) : story.bar]
    if used is None or used.empty or used.index[-1] != story.bar:
        return Explanation(story, bundle, None, "the bar of this hour is not among the bars that are there")
    try:
        return Explanation(story, bundle, recompute(bundle, used, own))
    except OtherCodeError as error:
        return Explanation(story, bundle, None, error.message)


def recompute(bundle: ChampionBundle, bars: pd.DataFrame, own: Collection[str] = ()) -> Recomputation:
    """Features of the newest bar and the bundle's probability on them, as a live hour makes them."""
    champion = DeployedChampion(bundle, own)
    row = newest_row(champion.features, bars)
    inputs = champion.inputs(row)
    known = len(bars) >= champion.features.warmup_bars and not np.isnan(inputs).any()
    probability = champion.probability(row) if known else None
    parts = None
    if known and bundle.scorer is not None:
        parts = contributions(LinearScorer.from_document(bundle.scorer), inputs)
    values = dict(zip(champion.features.columns, inputs.tolist(), strict=True))
    return Recomputation(_bars_used(bars), values, probability, parts)


def _bars_used(bars: pd.DataFrame) -> BarsUsed:
    newest = bars.iloc[-_SHOWN_BARS:]
    rows = newest.reset_index(names="timestamp").to_dict("records")
    return BarsUsed(len(bars), frame_hash(bars), tuple({str(key): value for key, value in row.items()} for row in rows))

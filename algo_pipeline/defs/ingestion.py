"""Raw bars: fetched incrementally, validated, stored, and compared with a second source."""

from types import MappingProxyType

import dagster as dg
import pandas as pd

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.schemas import bar_problems
from algo_pipeline.common.time import BAR, utc_now
from algo_pipeline.data.crosscheck import compare_closes
from algo_pipeline.defs.partitions import SYMBOLS, partition_symbol
from algo_pipeline.defs.progress import NOT_ASKED
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import columns, facts, glance, picture, span_metadata, table
from algo_pipeline.defs.stage import stage
from algo_pipeline.sources.update import IngestProgress, IngestResult, update_bars

_SHOWN_GAPS = 20
_RECENT = 26 * BAR
_COMPARED = 72 * BAR
_CLOSE_TOLERANCE_BPS = 100.0
_MEANING = MappingProxyType(
    {
        "open": "First price of the hour.",
        "high": "Highest price of the hour.",
        "low": "Lowest price of the hour.",
        "close": "Last price of the hour: what is decided on.",
        "volume": "Coin traded in the hour.",
    }
)


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="bars_io_manager",
    group_name="market_data",
    kinds={"parquet", "pandas"},
    code_version="1",
    description="Closed hourly OHLCV bars of one symbol from the configured source: incremental, validated, with "
    "missing hours listed and never filled in.",
)
def raw_ohlcv(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult[pd.DataFrame]:
    """Fetch what the store lacks."""
    symbol = partition_symbol(context.partition_key)

    def show(progress: IngestProgress) -> None:
        if progress.total_bars > progress.done_bars:
            context.log.info(f"{progress.done_bars:,} of {progress.total_bars:,} hours, up to {progress.at:%Y-%m-%d}")

    with stage(context):
        result = update_bars(
            pipeline.market_data(),
            pipeline.bar_store(),
            symbol,
            pipeline.history_start(),
            pipeline.history_end(),
            on_progress=show,
        )
        return dg.MaterializeResult(value=result.bars, metadata=_metadata(result))


@dg.asset_check(asset=raw_ohlcv, blocking=True, partitions_def=SYMBOLS)
def bars_are_valid_and_on_the_hour(raw_ohlcv: pd.DataFrame) -> dg.AssetCheckResult:
    """Prices are finite and positive, low ≤ open, close ≤ high, volume ≥ 0, every bar opens on its own whole hour."""
    problems = list(bar_problems(raw_ohlcv))
    return dg.AssetCheckResult(
        passed=not problems and len(raw_ohlcv) > 0,
        description=" ".join(problems) or f"{len(raw_ohlcv):,} bars keep every rule.",
        metadata={"bars": len(raw_ohlcv)},
    )


@dg.asset_check(asset=raw_ohlcv, partitions_def=SYMBOLS)
def newest_bar_is_less_than_a_day_old(
    context: dg.AssetCheckExecutionContext, raw_ohlcv: pd.DataFrame, pipeline: Pipeline
) -> dg.AssetCheckResult:
    """The last closed bar is recent; asked only of a source that is a live market."""
    if not _is_live_market(pipeline):
        return _not_asked(pipeline)
    age = utc_now() - raw_ohlcv.index[-1]
    return dg.AssetCheckResult(
        passed=age <= _RECENT,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"The newest bar opened at {raw_ohlcv.index[-1]:%Y-%m-%d %H:%M} UTC, {age / BAR:,.0f} h ago.",
        metadata=facts({"age_hours": age / BAR}),
    )


@dg.asset_check(asset=raw_ohlcv, partitions_def=SYMBOLS)
def closes_agree_with_a_second_source(
    context: dg.AssetCheckExecutionContext, raw_ohlcv: pd.DataFrame, pipeline: Pipeline
) -> dg.AssetCheckResult:
    """The last days' closes lie within 1 % of CoinGecko's prices; asked only of a live market, and only a warning."""
    if not _is_live_market(pipeline):
        return _not_asked(pipeline)
    symbol, start = partition_symbol(context.partition_key), raw_ohlcv.index[-1] - _COMPARED
    try:
        closes = pipeline.price_check().fetch_closes(symbol, start, raw_ohlcv.index[-1] + BAR)
    except AlgoPipelineError as error:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.WARN, description=f"CoinGecko could not be asked: {error}"
        )
    compared = compare_closes(raw_ohlcv.loc[start:], closes, _CLOSE_TOLERANCE_BPS)
    return dg.AssetCheckResult(
        passed=compared.agrees,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{compared.n_compared} closes lie {compared.median_bps:.1f} bps from CoinGecko's at the median "
        f"and at most {compared.max_bps:.1f} bps; up to {_CLOSE_TOLERANCE_BPS:.0f} bps are tolerated.",
        metadata={
            **facts(
                {
                    "compared_hours": compared.n_compared,
                    "median_bps": compared.median_bps,
                    "largest_bps": compared.max_bps,
                }
            ),
            "offending": table(compared.offending.head(_SHOWN_GAPS)),
        },
    )


def _is_live_market(pipeline: Pipeline) -> bool:
    return _is_market(pipeline.settings().data_source) and not pipeline.until


def _is_market(source: str) -> bool:
    return source not in ("file", "simulated")


def _not_asked(pipeline: Pipeline) -> dg.AssetCheckResult:
    source = pipeline.settings().data_source
    why = f"the run ends at {pipeline.until}" if _is_market(source) else f"bars of the source {source} are no market's"
    return dg.AssetCheckResult(
        passed=True, severity=dg.AssetCheckSeverity.WARN, description=f"{NOT_ASKED}, so nothing is known: {why}."
    )


def _metadata(result: IngestResult) -> dict[str, dg.MetadataValue]:
    from algo_pipeline.backtest import miniatures
    from algo_pipeline.backtest.plots import price_with_trades

    gaps = pd.DataFrame(
        {"last": [gap.end for gap in result.gaps], "bars": [gap.n_bars for gap in result.gaps]},
        index=pd.Index([gap.start for gap in result.gaps], name="first missing"),
    )
    shown = {
        **glance(miniatures.price(result.bars)),
        "price": picture(price_with_trades(result.bars), "close"),
        **span_metadata(result.bars),
        **columns(result.bars, _MEANING),
        **facts(
            {
                "source": result.source,
                "venue_symbol": result.venue_symbol,
                "new_bars": result.n_new,
                "refetched_gaps": result.n_refetched,
                "repaired_bars": result.n_repaired,
                "bars_changed_at_the_source": result.n_conflicts,
                "gaps": len(gaps),
                "missing_bars": int(gaps["bars"].sum()),
            }
        ),
    }
    return shown | ({"gap_list": table(gaps.head(_SHOWN_GAPS))} if len(gaps) else {})

"""The one resource of the research graph: settings, and the adapters made from them when a run needs them."""

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd
from pydantic import Field, PrivateAttr

from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.locks import file_lock
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.time import last_closed_open, to_utc, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.partitions import partition_symbol
from algo_pipeline.defs.run_store import quick_store
from algo_pipeline.defs.sources import source_options
from algo_pipeline.defs.stage import SHELL_TAG
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline.registry.mlflow_registry import MlflowRegistry
from algo_pipeline.registry.trials import TrialLedger
from algo_pipeline.sources.catalog import make_price_check, make_source
from algo_pipeline.sources.store import BarStore

if TYPE_CHECKING:
    from algo_pipeline.data.feature_sets import FeatureSets
    from algo_pipeline.data.own_label import OwnLabel
    from algo_pipeline.interfaces.strategy import StrategyInterface
    from algo_pipeline.research.train import Recipe
    from algo_pipeline.sources.coingecko import CoinGeckoPrices

PARTITION_TAG = "dagster/partition"
_WAIT_FOR_OTHER_RUN_S = 600.0


class Pipeline(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What a run works on. Empty fields follow the settings (environment, then ``.env``, then defaults)."""

    source: str = Field(
        default="",
        description="Where bars come from: binance, alpaca, file or simulated. Empty: ALGO_TRADER_DATA_SOURCE.",
    )
    path: str = Field(default="", description="The user's own file, for the source file. Empty: ALGO_TRADER_DATA_PATH.")
    until: str = Field(
        default="", description="Use only bars closed at or before this time, such as 2024-01-31T00:00. Empty: now."
    )

    _settings: Settings | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Pipeline"]:
        """Set up logging, and keep every other run off the symbol while this one lasts."""
        self._set_up_logging(context)
        run = context.run
        if run is None or PARTITION_TAG not in run.tags:
            yield self
            return
        with self._alone(run), _quick_store(context):
            yield self

    def _alone(self, run: dg.DagsterRun) -> AbstractContextManager[None]:
        key, settings = run.tags[PARTITION_TAG], self.settings()
        lock = settings.artifacts_dir / "research" / settings.data_source / f".{key}.lock"
        wait_s = 0.0 if SHELL_TAG in run.tags else _WAIT_FOR_OTHER_RUN_S
        return file_lock(lock, f"Another run of {partition_symbol(key)}", wait_s)

    def _set_up_logging(self, context: dg.InitResourceContext) -> None:
        """Log to the artifacts folder, with every secret masked, in whatever process the run has."""
        settings = self.settings()
        run = context.run
        at_shell = run is not None and SHELL_TAG in run.tags  # a shell has progress lines instead
        folder = settings.artifacts_dir / "logs"
        configure_logging(settings.log_level, folder, settings.secret_values(), console=not at_shell)

    def settings(self) -> Settings:
        """The settings in force, read once a run."""
        if self._settings is None:
            self._settings = load_settings(data_source=self.source or None, data_path=self.path or None)
        return self._settings

    def history_start(self) -> pd.Timestamp:
        """The earliest time to ask a source for."""
        return self.settings().history_start_at()

    def history_end(self) -> pd.Timestamp:
        """Bars that close after this time do not exist for the run: ``until``, or the last full hour."""
        now = last_closed_open(utc_now()) + pd.Timedelta(hours=1)
        return min(to_utc(self.until), now) if self.until else now

    def market_data(self) -> MarketDataSource:
        """The configured source of bars."""
        return make_source(self.settings().data_source, source_options(self.settings()))

    def price_check(self) -> "CoinGeckoPrices":
        """The second opinion on closes."""
        return make_price_check(source_options(self.settings()))

    def bar_store(self) -> BarStore:
        """Where bars are kept."""
        return BarStore(self.settings().bars_dir())

    def bars(self, symbol: Symbol) -> pd.DataFrame:
        """The stored bars of the configured source that are part of this run."""
        stored = self.bar_store().load(self.settings().data_source, symbol)
        if stored is None:
            source = self.settings().data_source
            raise StorageError(f"No bars of {symbol} from {source} are stored.", "Materialize raw_ohlcv first.")
        bars = stored.bars
        return bars[(bars.index >= self.history_start()) & (bars.index + pd.Timedelta(hours=1) <= self.history_end())]

    def recipe(self) -> "Recipe":
        """What is trained and traded."""
        from algo_pipeline.research.recipe import configured_recipe

        return configured_recipe(self.settings())

    def feature_sets(self) -> "FeatureSets":
        """What models learn from: the standard features, and those of the user's own."""
        from algo_pipeline.data.feature_sets import configured_features

        return configured_features(self.settings().features)

    def own_label(self) -> "OwnLabel | None":
        """The label of the user's own that is trained and traded; None where it is one of this program's."""
        from algo_pipeline.data.own_label import configured_own_label

        return configured_own_label(self.settings().label)

    def challenger_recipe(self) -> "Recipe":
        """The same with the other kind of model, by its own parameters."""
        other = "boosting" if self.settings().model == "logistic" else "logistic"
        return dataclasses.replace(self.recipe(), model_kind=other, parameters={})

    def strategy(self, label: str | None = None) -> "StrategyInterface":
        """What turns probabilities of a label, the traded one unless another is named, into signals and sizes."""
        from algo_pipeline.data.labels import label_spec
        from algo_pipeline.data.own_label import configured_label_spec
        from algo_pipeline.strategy.catalog import configured_strategy

        settings, traded = self.settings(), configured_label_spec(self.settings().label)
        spec = traded if label in (None, traded.name) else label_spec(label)
        return configured_strategy(
            settings.strategy,
            settings.backtest_config(),
            horizon_bars=spec.horizon_bars,
            edge_multiple=settings.edge_multiple,
            kelly_fraction=settings.kelly_fraction,
            parameters=settings.strategy_parameters,
        )

    def trusted_types(self) -> tuple[str, ...]:
        """What a stored estimator may hold: our own reviewed list, and what the user's own model declares."""
        from algo_pipeline.models.calibration import TRUSTED_TYPES
        from algo_pipeline.models.catalog import make_model

        settings = self.settings()
        return (*TRUSTED_TYPES, *make_model(settings.model, settings.model_parameters).trusted_types)

    def registry(self) -> MlflowRegistry:
        """Experiments and registered models."""
        return MlflowRegistry.configured(self.settings())

    def mlflow_run_url(self, experiment_id: str, run_id: str) -> str:
        """Where the web UI shows a run."""
        page = f"experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"
        return f"http://127.0.0.1:{self.settings().mlflow_port}/#/{page}"

    def dagster_run_url(self, run_id: str) -> str:
        """Where the web UI shows a run of Dagster's."""
        return f"http://127.0.0.1:{self.settings().dagster_port}/runs/{run_id}"

    def bundles(self) -> BundleStore:
        """Deployed champions."""
        return BundleStore(self.settings().artifacts_dir)

    def trials(self) -> TrialLedger:
        """The record of everything that was tried."""
        return TrialLedger(self.settings().artifacts_dir)

    def ledger(self) -> PromotionLedger:
        """The record of promotions."""
        return PromotionLedger(self.settings().artifacts_dir)


def _quick_store(context: dg.InitResourceContext) -> AbstractContextManager[None]:
    """For the runs of the web UI and of schedules, which open the instance themselves."""
    instance = context.instance
    return quick_store(Path(instance.root_directory)) if instance and not instance.is_ephemeral else nullcontext()

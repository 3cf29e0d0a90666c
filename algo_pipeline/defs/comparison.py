"""Model comparison: a leaderboard and a search of parameters. Slow, so in jobs of their own."""

import dagster as dg
import pandas as pd
from pydantic import Field

from algo_pipeline.common.formatting import percent
from algo_pipeline.defs.automation import RESEARCH_TAG
from algo_pipeline.defs.dataset import load_dataset
from algo_pipeline.defs.partitions import SYMBOLS, partition_symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.shown import facts, glance, picture
from algo_pipeline.defs.stage import stage
from algo_pipeline.research.leaderboard import Leaderboard
from algo_pipeline.research.search import SearchOutcome


class LeaderboardConfig(dg.Config):
    """What is compared; an empty list means all there are."""

    labels: list[str] = Field(default=[], description="Binary labels, for example direction_1h.")
    models: list[str] = Field(default=[], description="Kinds of models, for example logistic and lightgbm.")
    calibrators: list[str] = Field(default=[], description="Calibrators, for example platt.")


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="document_io_manager",
    group_name="comparison",
    kinds={"json", "mlflow", "sklearn"},
    code_version="1",
    description="Every kind of model with every calibrator for every binary label, each on identical walk-forward "
    "folds and compared with the label's logistic baseline hour by hour. None is called better unless its interval, "
    "corrected for the number of comparisons, says so. Each candidate is a run in MLflow, and counts as a trial.",
)
def leaderboard(
    context: dg.AssetExecutionContext,
    config: LeaderboardConfig,
    pipeline: Pipeline,
    raw_ohlcv: pd.DataFrame,
    features: pd.DataFrame,
    labels: pd.DataFrame,
) -> Leaderboard:
    """Train and judge every candidate; nothing is promoted from here."""
    with stage(context):
        from algo_pipeline.defs.leaderboard_run import Wish, run_leaderboard
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.leaderboard_report import (
            leaderboard_markdown,
            leaderboard_picture,
            leaderboard_summary,
        )

        symbol = partition_symbol(context.partition_key)
        wish = Wish(tuple(config.labels), tuple(config.models), tuple(config.calibrators))
        done = run_leaderboard(context, pipeline, symbol, raw_ohlcv, features, labels, wish)
        skills = [row.log_loss_skill for row in done.board.rows]
        context.add_output_metadata(
            {
                "finding": dg.MetadataValue.text(leaderboard_summary(done.board)),
                **glance(miniatures.ranking(skills, f"{len(skills)} candidates, best first")),
                "skill": picture(leaderboard_picture(done.board), "log-loss skill"),
                "leaderboard": dg.MetadataValue.md(leaderboard_markdown(done.board)),
                **facts({"candidates": len(done.board.rows), "comparisons": done.board.n_comparisons}),
                "mlflow_run_id": dg.MetadataValue.text(done.logged.parent_run_id),
                "mlflow_run": dg.MetadataValue.url(
                    pipeline.mlflow_run_url(done.logged.experiment_id, done.logged.parent_run_id)
                ),
            }
        )
        return done.board


class SearchConfig(dg.Config):
    """What is searched, and for how long."""

    model: str = Field(default="", description="Kind of model; empty: the traded one.")
    trials: int = Field(default=40, ge=1, description="Trials of all runs together: a search goes on where it ended.")
    seed: int = Field(default=0, ge=0, description="Of the sampler.")


@dg.asset(
    partitions_def=SYMBOLS,
    io_manager_key="document_io_manager",
    group_name="comparison",
    kinds={"json", "mlflow", "optuna"},
    code_version="1",
    description="The best recipe that a hyper-parameter search found on inner folds of the early rows, judged once on "
    "the later half of the test blocks, which no trial saw, against the traded recipe. Offered as settings to copy, "
    "never promoted from here. Every trial is counted in the ledger.",
)
def searched_recipe(
    context: dg.AssetExecutionContext,
    config: SearchConfig,
    pipeline: Pipeline,
    raw_ohlcv: pd.DataFrame,
    dataset: pd.DataFrame,
) -> SearchOutcome:
    """Search, or go on searching, and judge the winner."""
    with stage(context):
        from algo_pipeline.defs.search_run import SearchWish, run_search
        from algo_pipeline.research import miniatures
        from algo_pipeline.research.search_report import search_picture, settings_markdown, trials_markdown

        symbol = partition_symbol(context.partition_key)
        wish = SearchWish(config.model or pipeline.settings().model, config.trials, config.seed)
        done = run_search(context, pipeline, symbol, raw_ohlcv, load_dataset(dataset, pipeline), wish)
        skills = [trial.log_loss_skill for trial in done.outcome.trials]
        context.add_output_metadata(
            {
                "finding": dg.MetadataValue.text(done.outcome.describe()),
                **glance(miniatures.best_so_far(skills, f"{len(skills)} trials, best {percent(max(skills), 2)}")),
                "progress": picture(search_picture(done.outcome), "progress of the search"),
                **facts({"trials": len(done.outcome.trials), "pruned": done.outcome.n_pruned}),
                "settings": dg.MetadataValue.md(settings_markdown(done.outcome)),
                "best_trials": dg.MetadataValue.md(trials_markdown(done.outcome)),
                "mlflow_run": dg.MetadataValue.url(
                    pipeline.mlflow_run_url(done.logged.experiment_id, done.logged.parent_run_id)
                ),
            }
        )
        return done.outcome


compare_models_job = dg.define_asset_job(
    "compare_models",
    selection=dg.AssetSelection.assets(leaderboard),
    executor_def=dg.in_process_executor,
    tags=RESEARCH_TAG,
    description="Compare kinds of models, labels and calibrators on the bars of the last research run. Minutes.",
)

search_job = dg.define_asset_job(
    "search",
    selection=dg.AssetSelection.assets(searched_recipe),
    executor_def=dg.in_process_executor,
    tags=RESEARCH_TAG,
    description="Search parameters of a kind of model on the dataset of the last research run. Minutes; resumable.",
)

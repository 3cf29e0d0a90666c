"""The whole graph, materialized once from the shell: what it leaves on disk, in MLflow and in Dagster."""

from __future__ import annotations

import csv
import json
import math
import re
import traceback
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.storage import frame_hash, read_frame
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import FEATURE_NAMES, build_features
from algo_pipeline.data.labels import LABEL_NAMES, build_labels, label_spec
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.progress import NOT_ASKED
from algo_pipeline.defs.runs import RunOutcome, Scope, run_research
from algo_pipeline.defs.shown import AT_A_GLANCE
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.registry.ledger import PromotionEntry, PromotionLedger
from algo_pipeline.registry.mlflow_registry import CHALLENGER, CHAMPION, MlflowRegistry
from algo_pipeline.research.dataset import build_dataset
from algo_pipeline.research.pipeline import run_research as research_path
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.train import Recipe
from algo_pipeline_tests.workshop import N_BARS, UNTIL, Workshop, fingerprints

_BTC = Symbol("BTC", "USD")
_SHOWN_AT_ONCE = 1_000  # characters; the web UI hides longer Markdown behind a click
_MODEL = "algo-pipeline-BTC-USD-direction_1h"
_METRICS = [
    *("total_return", "cagr", "sharpe", "sortino", "calmar", "max_drawdown", "max_drawdown_bars", "win_rate"),
    *("profit_factor", "exposure", "turnover", "n_trades", "avg_holding_bars", "costs_paid", "buy_and_hold_return"),
]
_SCORES = {"n", "auc", "log_loss", "log_loss_skill", "brier", "brier_skill", "ece"}
_SECRET_PARTS = ("MARKERkey71c9", "MARKERsecret8d2e", "MARKERalert5f0a")


def _bars(workshop: Workshop) -> pd.DataFrame:
    return read_frame(workshop.artifacts / "data" / "simulated" / "BTC-USD" / "bars.parquet")


def _report(workshop: Workshop) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((workshop.artifacts / "backtest" / "BTC-USD" / "report.json").read_text())
    return document


def _bundle(workshop: Workshop) -> ChampionBundle:
    bundle = BundleStore(workshop.artifacts).load(_BTC)
    assert bundle is not None
    return bundle


@pytest.fixture(scope="module")
def materializations(materialized: Workshop) -> dict[str, dg.AssetMaterialization]:
    names = [spec.key for spec in build_definitions().resolve_all_asset_specs()]
    with materialized.active() as settings, open_instance(settings) as instance:
        events = {key.to_user_string(): instance.get_latest_materialization_event(key) for key in names}
    return {
        name: event.asset_materialization for name, event in events.items() if event and event.asset_materialization
    }


def test_bars_are_those_closed_until_the_given_time(materialized: Workshop) -> None:
    bars = _bars(materialized)
    assert len(bars) == N_BARS
    assert bars.index[-1] + pd.Timedelta(hours=1) == pd.Timestamp(UNTIL)


def test_stored_features_and_labels_are_those_of_the_bars_to_the_bit(materialized: Workshop) -> None:
    bars = _bars(materialized)
    features, labels = (read_frame(materialized.research(name, "parquet")) for name in ("features", "labels"))
    assert tuple(features.columns) == FEATURE_NAMES
    assert tuple(labels.columns) == LABEL_NAMES
    assert frame_hash(features) == frame_hash(build_features(bars))
    assert frame_hash(labels) == frame_hash(build_labels(bars))


def test_the_graph_computes_what_the_research_path_computes(materialized: Workshop) -> None:
    recipe = Recipe("scaled_logistic", "shrunk", "direction_1h", SplitRule(n_folds=2), sample_weight="uniqueness")
    expected = research_path(_bars(materialized), recipe, n_resamples=10).oos
    stored = read_frame(materialized.research("oos_probabilities", "parquet"))
    pd.testing.assert_frame_equal(stored, expected, check_exact=True, check_freq=False)


def test_the_equity_curve_has_its_columns_and_ends_at_the_reported_return(materialized: Workshop) -> None:
    path = materialized.artifacts / "backtest" / "BTC-USD" / "equity_curve.csv"
    curve = pd.read_csv(path)
    assert list(curve.columns) == ["timestamp", "equity", "cash", "quantity", "drawdown"]
    oos = read_frame(materialized.research("oos_probabilities", "parquet"))
    assert pd.Timestamp(curve["timestamp"].iloc[0]) == oos.index[0]
    assert pd.Timestamp(curve["timestamp"].iloc[-1]) == oos.index[-1]
    final = curve["equity"].iloc[-1] / 100_000.0 - 1.0
    assert final == pytest.approx(_report(materialized)["metrics"]["strategy"]["total_return"], abs=1e-12)


def test_the_trades_have_their_columns_and_count(materialized: Workshop) -> None:
    with (materialized.artifacts / "backtest" / "BTC-USD" / "trades.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "pnl", "return"]
    assert len(rows) == _report(materialized)["metrics"]["strategy"]["n_trades"]


def test_the_report_has_every_metric_of_every_backtest(materialized: Workshop) -> None:
    metrics = _report(materialized)["metrics"]
    assert set(metrics) == {"strategy", "deployed", "at_zero_cost"}
    for values in metrics.values():
        assert list(values) == _METRICS


def test_the_reports_for_people_say_that_the_bars_are_simulated(materialized: Workshop) -> None:
    folder = materialized.artifacts / "backtest" / "BTC-USD"
    page = (folder / "report.html").read_text()
    for text in ((folder / "report.md").read_text(), page):
        assert "BTC/USD" in text
        assert "imulated" in text
    assert 'src="http' not in page
    assert _report(materialized)["verdict"] in page.replace("&#39;", "'").replace("&#34;", '"')


def test_the_scores_have_the_agreed_form(materialized: Workshop) -> None:
    folder = materialized.artifacts / "reports" / "BTC-USD"
    document = json.loads((folder / "metrics.json").read_text())
    assert set(document) >= {"symbol", "label", "source", "model", "oos", "folds", "intervals"}
    assert (document["symbol"], document["label"], document["source"]) == ("BTC/USD", "direction_1h", "simulated")
    assert set(document["oos"]) >= _SCORES
    assert len(document["folds"]) == 2
    assert all(set(fold) >= _SCORES for fold in document["folds"])
    assert sum(fold["n"] for fold in document["folds"]) == document["oos"]["n"]
    for name in ("log_loss_skill", "auc"):
        interval = document["intervals"][name]
        assert interval["lower"] < document["oos"][name] < interval["upper"]
    assert "BTC/USD" in (folder / "metrics.md").read_text()


def test_mlflow_has_one_version_per_recipe_and_the_aliases_point_at_them(materialized: Workshop) -> None:
    with materialized.active():
        registry = MlflowRegistry(materialized.mlflow_uri)
        champion = registry.alias_version(_MODEL, CHAMPION)
        challenger = registry.alias_version(_MODEL, CHALLENGER)
    assert {champion, challenger} == {"1", "2"}
    assert _bundle(materialized).model_version == champion
    listened_to = BundleStore(materialized.artifacts, "challenger").load(_BTC)
    assert listened_to is not None
    assert (listened_to.model_version, listened_to.trading.value) == (challenger, "flat")
    assert listened_to.recipe_hash != _bundle(materialized).recipe_hash


def test_the_champions_run_holds_scores_backtest_gate_and_lineage(materialized: Workshop) -> None:
    import mlflow

    with materialized.active():
        client = mlflow.MlflowClient(materialized.mlflow_uri, materialized.mlflow_uri)
        run = client.get_run(_bundle(materialized).run_id)
        experiment = client.get_experiment_by_name("algo-pipeline/BTC-USD")
    assert experiment is not None
    assert experiment.artifact_location == (materialized.root / "mlruns" / "artifacts" / "BTC-USD").as_uri()
    strategy = _report(materialized)["metrics"]["strategy"]
    assert run.data.metrics["strategy_total_return"] == strategy["total_return"]
    assert run.data.tags["verdict"] == _report(materialized)["verdict"]
    assert run.data.metrics["n_trials"] == _report(materialized)["trials"]["n_trials"]
    assert run.data.metrics["skill_p_value"] == _report(materialized)["evidence"]["skill_p_value"]
    assert run.data.tags["gate"] in ("passed", "not passed")
    card = run.data.tags["mlflow.note.content"]
    headings = [line for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        *("## Out of sample, walk-forward", "## Calibration", "## Verdict", "## Gate", "## Limits", "## Make it again")
    ]
    assert run.data.tags["verdict"] in card
    assert run.data.tags["gate_reason"] in card
    assert f"/runs/{run.data.tags['dagster_run_id']})" in card
    assert {name for name in run.data.metrics if name.startswith("gate_")}
    assert run.data.tags["source"] == "simulated"
    assert len(run.inputs.dataset_inputs) == 1
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names >= {"config.json", "metrics.json", "feature_list.json", "backtest/report.html", "plots/roc.png"}


def test_the_ledger_has_one_line_that_names_the_first_champion(materialized: Workshop) -> None:
    (line,) = PromotionLedger(materialized.artifacts).lines()
    bundle = _bundle(materialized)
    assert (line["from_version"], line["to_version"]) == (None, bundle.model_version)
    assert (line["symbol"], line["label"], line["policy"]) == ("BTC/USD", "direction_1h", "gated")
    assert line["trading"] == bundle.trading.value
    assert line["figures"]["rule"] == "first"


def test_the_bundle_carries_what_live_needs(materialized: Workshop) -> None:
    bundle, bars = _bundle(materialized), _bars(materialized)
    dataset = build_dataset(build_features(bars), build_labels(bars), label_spec("direction_1h"))
    assert bundle.history_start == bars.index[0].isoformat()
    assert bundle.training_end == dataset.training_end.isoformat()
    assert pd.Timestamp(bundle.training_end) == pd.Timestamp(UNTIL)
    assert (bundle.source, bundle.venue_symbol) == ("simulated", "BTCUSD[seed=7,signal=0.3]")
    assert (bundle.enter_threshold, bundle.exit_threshold) == (0.55, 0.45)
    assert bundle.feature_names == FEATURE_NAMES
    assert bundle.scorer is not None


def test_the_bundle_scores_as_the_registered_version(materialized: Workshop) -> None:
    from algo_pipeline.models.calibration import TRUSTED_TYPES
    from algo_pipeline.registry.records import RegisteredVersion

    bundle = _bundle(materialized)
    features = build_features(_bars(materialized)).dropna().iloc[-200:]
    with materialized.active():
        version = RegisteredVersion(bundle.model_name, bundle.model_version, bundle.run_id, "1")
        estimator = MlflowRegistry(materialized.mlflow_uri).load_estimator(version, TRUSTED_TYPES)
    np.testing.assert_allclose(
        bundle_estimator(bundle).probability(features), estimator.predict_proba(features)[:, 1], rtol=0, atol=1e-12
    )


def test_every_asset_was_materialized_for_the_symbol(materializations: dict[str, dg.AssetMaterialization]) -> None:
    assert len(materializations) == 13
    assert {event.partition for event in materializations.values()} == {"BTC-USD"}


@pytest.mark.parametrize(
    ("asset", "names"),
    [
        (
            "raw_ohlcv",
            {
                "dagster/row_count",
                "dagster/column_schema",
                "first_bar",
                "last_bar",
                "source",
                "new_bars",
                "gaps",
                "price",
            },
        ),
        ("features", {"dagster/row_count", "complete_rows", "registry", "correlation"}),
        ("labels", {"dagster/row_count", "dagster/column_schema", "labels", "balance"}),
        ("dataset", {"dagster/row_count", "label", "base_rate", "content_hash", "training_end", "balance"}),
        ("splits", {"rule", "purge_rows", "folds", "timeline"}),
        ("model", {"models", "recipe", "recipe_hash", "weights"}),
        ("calibrator", {"calibrators", "kind", "maps"}),
        ("oos_probabilities", {"dagster/row_count", "dagster/column_schema", "histogram"}),
        ("evaluation", {"auc", "log_loss_skill", "log_loss_skill_lower", "ece", "folds", "reliability", "roc"}),
        ("registered_model", {"model_name", "model_version", "mlflow_run", "feature_weights"}),
        ("challenger", {"recipe", "auc", "log_loss_minus_traded_recipe", "model_version"}),
        (
            "backtest_report",
            {"verdict", "evidence", "n_trials", "deflated_sharpe_ratio", "figures", "report", "equity", "trades"}
            | {"key_figures", "sharpe", "max_drawdown", "total_return", "n_trades"},
        ),
        ("promotion", {"reason", "passed", "trading", "champion_version", "intervals"}),
    ],
)
def test_an_asset_shows_its_facts_in_the_web_ui(
    materializations: dict[str, dg.AssetMaterialization], asset: str, names: set[str]
) -> None:
    assert names <= set(materializations[asset].metadata)


def test_pictures_are_shown_inline(materializations: dict[str, dg.AssetMaterialization]) -> None:
    pictures = [
        *(("raw_ohlcv", "price"), ("features", "correlation"), ("labels", "balance"), ("dataset", "balance")),
        *(("splits", "timeline"), ("model", "weights"), ("calibrator", "maps"), ("challenger", "log_loss_over_time")),
        ("promotion", "intervals"),
        *(("oos_probabilities", "histogram"), ("evaluation", "reliability"), ("evaluation", "roc")),
        *(("registered_model", "feature_weights"), ("backtest_report", "equity"), ("backtest_report", "trades")),
    ]
    for asset, name in pictures:
        value = materializations[asset].metadata[name]
        assert isinstance(value, dg.MarkdownMetadataValue)
        assert "](data:image/png;base64,iVBORw0KGgo" in str(value.md_str)


def test_every_page_begins_with_a_picture_that_is_shown_without_a_click(
    materializations: dict[str, dg.AssetMaterialization],
) -> None:
    for name, event in materializations.items():
        first_two = list(event.metadata)[:2]  # a verdict or a reason may come first
        assert AT_A_GLANCE in first_two, name
        shown = event.metadata[AT_A_GLANCE]
        assert isinstance(shown, dg.MarkdownMetadataValue)
        assert "](<data:image/svg+xml," in str(shown.md_str)
        assert len(str(shown.md_str)) < _SHOWN_AT_ONCE


def test_figures_are_finite_numbers_of_few_digits_so_that_they_can_be_charted(
    materializations: dict[str, dg.AssetMaterialization],
) -> None:
    figures = {
        (asset, name): value.value
        for asset, event in materializations.items()
        for name, value in event.metadata.items()
        if isinstance(value, dg.FloatMetadataValue)
    }
    assert len(figures) > 20
    for key, value in figures.items():
        assert value is not None
        assert math.isfinite(value), key
        assert float(f"{value:.6g}") == value, key


def test_every_check_says_in_a_sentence_with_a_figure_what_it_found(materialized: Workshop) -> None:
    keys = build_definitions().resolve_asset_graph().asset_check_keys
    with materialized.active() as settings, open_instance(settings) as instance:
        records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    for key, record in records.items():
        assert record.event is not None
        found = record.event.asset_check_evaluation
        assert found is not None
        told = str(found.description)
        assert told.endswith("."), key
        assert len(told.split()) > 4, key
        assert re.search(r"\d", told) or told.startswith(NOT_ASKED), (key, told)


def test_a_check_that_was_not_asked_does_not_look_as_if_it_had_been(materialized: Workshop) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("raw_ohlcv"), "closes_agree_with_a_second_source")
    with materialized.active() as settings, open_instance(settings) as instance:
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.event is not None
    found = record.event.asset_check_evaluation
    assert found is not None
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert str(found.description).startswith(f"{NOT_ASKED}, so nothing is known: ")


def test_every_check_was_evaluated_and_holds(materialized: Workshop) -> None:
    keys = build_definitions().resolve_asset_graph().asset_check_keys
    with materialized.active() as settings, open_instance(settings) as instance:
        records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    assert set(records) == set(keys)
    assert {record.status.value for record in records.values()} == {"SUCCEEDED"}


def test_the_shell_result_is_one_json_document(materialized: Workshop) -> None:
    document = json.loads((materialized.root / "stdout.json").read_text())
    assert set(document) == {"symbols", "seconds", "peak_memory_mb"}
    (facts,) = document["symbols"]
    assert facts["symbol"] == "BTC/USD"
    assert facts["backtest"] == _report(materialized)
    assert facts["gate"]["to_version"] == _bundle(materialized).model_version
    assert Path(facts["report"]).is_file()


def test_no_secret_is_written_anywhere(materialized: Workshop) -> None:
    assert _traces(materialized.root) == []


def test_no_half_written_file_and_no_pickle_is_left(materialized: Workshop) -> None:
    suffixes = {path.suffix for path in materialized.root.rglob("*")}
    assert not suffixes & {".tmp", ".pkl", ".pickle", ".joblib"}


def _traces(folder: Path) -> list[str]:
    """Files whose name or content holds a part of a secret."""
    needles = [part.encode() for part in _SECRET_PARTS]
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.name.encode() or needle in path.read_bytes() for needle in needles)
    ]


def _research(workshop: Workshop, until: str = UNTIL) -> RunOutcome:
    with workshop.active() as settings:
        (outcome,) = run_research(build_definitions(), settings, (_BTC,), Scope(until=until), quiet=True)
    return outcome


class _UnforeseenError(Exception):
    pass


@pytest.mark.parametrize("foreseen", [False, True])
def test_an_error_that_carries_a_secret_leaves_no_trace_of_it(
    materialized: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    foreseen: bool,
) -> None:
    from algo_pipeline.common.errors import SourceError
    from algo_pipeline.data import labels

    workshop = materialized.copy(tmp_path / "work")
    kind = SourceError if foreseen else _UnforeseenError
    monkeypatch.setattr(labels, "build_labels", _raiser(kind))
    told = _told(workshop)
    assert "refused ********** at **********" in told
    assert "MARKER" not in told
    assert _traces(workshop.root) == []
    assert "MARKER" not in "".join(capfd.readouterr())


def _told(workshop: Workshop) -> str:
    """What a failing run tells its caller."""
    try:
        return str(_research(workshop).error)
    except Exception as error:
        return "".join(traceback.format_exception(error))


def _raiser(kind: type[Exception]) -> Any:
    def fail(bars: pd.DataFrame) -> pd.DataFrame:
        try:
            raise ConnectionError(f"GET https://venue.example/?key={_SECRET_PARTS[0]}")
        except ConnectionError as error:
            raise kind(f"refused {_SECRET_PARTS[1]} at https://hooks.example/{_SECRET_PARTS[2]}") from error

    return fail


@pytest.fixture(scope="module")
def refreshed(materialized: Workshop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, RunOutcome]:
    """The same workshop after a run on a month more bars, without a challenger."""
    workshop = materialized.copy(tmp_path_factory.mktemp("refresh") / "work")
    workshop = Workshop(workshop.root, {**workshop.environment, "ALGO_TRADER_CHALLENGER": "false"})
    return workshop, _research(workshop, "2020-10-07T00:00Z")


def test_a_second_run_judges_a_refresh_against_the_deployed_champion(
    materialized: Workshop, refreshed: tuple[Workshop, RunOutcome]
) -> None:
    workshop, outcome = refreshed
    assert outcome.error is None
    first, second = PromotionLedger(workshop.artifacts).lines()
    assert second["figures"]["rule"] == "refresh"
    assert second["figures"]["refresh_hours"] > 500
    assert second["from_version"] == first["to_version"] == _bundle(materialized).model_version
    assert second["candidate_version"] == "3"


def test_a_refresh_that_passes_moves_alias_and_bundle_together_and_one_that_fails_moves_neither(
    refreshed: tuple[Workshop, RunOutcome],
) -> None:
    workshop, _ = refreshed
    line = PromotionLedger(workshop.artifacts).lines()[-1]
    bundle = _bundle(workshop)
    with workshop.active():
        champion = MlflowRegistry(workshop.mlflow_uri).alias_version(_MODEL, CHAMPION)
    assert line["to_version"] == champion == bundle.model_version
    assert line["passed"] == (champion == "3")
    assert pd.Timestamp(bundle.training_end) == pd.Timestamp("2020-10-07T00:00Z" if line["passed"] else UNTIL)


def test_a_refresh_replaces_the_stored_assets(materialized: Workshop, refreshed: tuple[Workshop, RunOutcome]) -> None:
    workshop, _ = refreshed
    before, after = fingerprints(materialized.artifacts), fingerprints(workshop.artifacts)
    assert len(_bars(workshop)) == N_BARS + 30 * 24
    remade = {name for name in before if name.startswith(("research/", "backtest/", "reports/"))}
    kept = {name for name in remade if after[name] == before[name]}
    assert kept == {"research/simulated/challenger/BTC-USD.parquet"}


def test_a_champion_that_was_recorded_but_not_deployed_is_settled_by_the_next_run(
    materialized: Workshop, tmp_path: Path
) -> None:
    workshop = materialized.copy(tmp_path / "work")
    with workshop.active() as settings:
        ledger = PromotionLedger(settings.artifacts_dir)
        last = {name: ledger.lines()[-1][name] for name in PromotionEntry.__dataclass_fields__}
        ledger.append(PromotionEntry(**{**last, "from_version": last["to_version"], "to_version": "99"}))
        outcomes = run_research(build_definitions(), settings, (_BTC,), Scope(until=UNTIL), quiet=True)
        assert [outcome.error for outcome in outcomes] == [None]
        recovery, decision = ledger.lines()[-2:]
    assert (recovery["who"], recovery["from_version"], recovery["to_version"]) == ("recovery", "99", last["to_version"])
    assert (decision["who"], decision["from_version"]) == ("gate", last["to_version"])


def test_a_damaged_ledger_stops_the_gate_before_anything_is_deployed(materialized: Workshop, tmp_path: Path) -> None:
    workshop = materialized.copy(tmp_path / "work")
    path = PromotionLedger(workshop.artifacts).path
    path.write_bytes(path.read_bytes().replace(b'"gate"', b'"hand"', 1))
    deployed = {k: v for k, v in fingerprints(workshop.artifacts).items() if k.startswith("live/champion/")}
    assert deployed
    # A challenger is only listened to: it is deployed before the gate, whatever the gate says.
    with workshop.active() as settings:
        (outcome,) = run_research(build_definitions(), settings, (_BTC,), Scope(until=UNTIL), quiet=True)
    assert outcome.error is not None
    assert outcome.error.code == "corrupt_file"
    assert {k: v for k, v in fingerprints(workshop.artifacts).items() if k.startswith("live/champion/")} == deployed


def test_an_alias_moved_by_hand_is_noticed_by_the_next_run_and_not_followed(
    materialized: Workshop, tmp_path: Path
) -> None:
    workshop = materialized.copy(tmp_path / "work")
    workshop = Workshop(workshop.root, {**workshop.environment, "ALGO_TRADER_CHALLENGER": "false"})
    deployed = _bundle(workshop).model_version
    other = "1" if deployed == "2" else "2"
    with workshop.active():
        MlflowRegistry(workshop.mlflow_uri).set_alias(_MODEL, CHAMPION, other)
    assert _research(workshop, "2020-08-23T00:00Z").error is None  # ends before the champion's training: it stays
    told, decision = PromotionLedger(workshop.artifacts).lines()[-2:]
    assert (told["who"], told["candidate_version"], told["to_version"]) == ("mlflow", other, deployed)
    assert (decision["who"], decision["trading"]) == ("gate", "unchanged")
    assert _bundle(workshop).model_version == deployed
    with workshop.active() as settings, open_instance(settings) as instance:
        assert MlflowRegistry(workshop.mlflow_uri).alias_version(_MODEL, CHAMPION) == other
        key = dg.AssetCheckKey(dg.AssetKey("promotion"), "alias_points_at_the_deployed_champion")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.event is not None
    assert record.event.asset_check_evaluation is not None
    assert not record.event.asset_check_evaluation.passed
    assert f"promote {other} --symbol BTC/USD" in str(record.event.asset_check_evaluation.description)

"""Leaks of splits, models and calibrators. Each function injects one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from algo_pipeline.data.labels import LabelSpec, label_spec
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.models.catalog import make_model
from algo_pipeline.models.sklearn_baseline import LogisticBaseline
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import Fold, SplitPlan, SplitRule, walk_forward
from algo_pipeline.research.train import fit_calibrators, fit_models
from algo_pipeline_tests.research.leaks.stages import Stages


def purge_one_row_short(stages: Stages) -> Stages:
    """The calibrator's rows reach one row too far: the last label is known only when the test block has begun."""
    return _plan(
        stages, lambda fold: replace(fold, calibration=slice(fold.calibration.start, fold.calibration.stop + 1))
    )


def no_gap_between_base_and_calibrator(stages: Stages) -> Stages:
    """Base rows up to the calibrator's first: purged against the test block, but not against each other."""
    return _plan(stages, lambda fold: replace(fold, base=slice(fold.base.start, fold.calibration.start)))


def embargo_ignored(stages: Stages) -> Stages:
    """Training on what comes right after the test block: its features still remember the tested hours."""

    def after(fold: Fold) -> Fold:
        start = fold.test.stop
        return Fold(slice(start, start + 600), slice(start + 602, start + 802), fold.test)

    return _first_fold(stages, after)


def tested_rows_among_the_base_rows(stages: Stages) -> Stages:
    """The first fold is tested on rows of its own train part."""
    return _first_fold(stages, lambda fold: replace(fold, base=slice(fold.base.start, fold.test.stop)))


def purge_of_a_shorter_label(stages: Stages) -> Stages:
    """Folds that were planned for a label of one hour, used for one of a day."""

    def plan(n_rows: int, label: LabelSpec, rule: SplitRule) -> SplitPlan:
        return replace(walk_forward(n_rows, label_spec("direction_1h"), rule), label=label)

    return replace(stages, walk_forward=plan)


def scaler_fitted_on_all_rows(stages: Stages) -> Stages:
    """Mean and deviation of the whole history in front of a model of the past."""

    def fit(X: np.ndarray, y: np.ndarray, fold: Fold) -> Pipeline:
        scaler = StandardScaler().fit(X)
        classifier = LogisticBaseline().make_estimator()[-1].fit(scaler.transform(X[fold.base]), y[fold.base])
        return Pipeline([("scaler", scaler), ("classifier", classifier)])

    return _models(stages, fit)


def features_selected_on_all_rows(stages: Stages) -> Stages:
    """The half of the features that correlates best with the outcome of all rows, tested ones among them."""

    def fit(X: np.ndarray, y: np.ndarray, fold: Fold) -> Pipeline:
        chosen = SelectKBest(f_classif, k=18).fit(X, y)
        inner = LogisticBaseline().make_estimator().fit(chosen.transform(X[fold.base]), y[fold.base])
        return make_pipeline(chosen, *(step for _, step in inner.steps))

    return _models(stages, fit)


def penalty_chosen_on_the_test_block(stages: Stages) -> Stages:
    """The penalty with the smallest log loss of the rows it is judged by."""

    def fit(X: np.ndarray, y: np.ndarray, fold: Fold) -> Pipeline:
        def loss(model: Pipeline) -> float:
            return log_loss(y[fold.test], model.predict_proba(X[fold.test])[:, 1], labels=[0, 1])

        unfitted = [LogisticBaseline().make_estimator().set_params(classifier__C=C) for C in (1e-5, 1e-3, 1e-1, 10)]
        tried = [model.fit(X[fold.base], y[fold.base]) for model in unfitted]
        return min(tried, key=loss) if fold.test.stop > fold.test.start else tried[1]

    return _models(stages, fit)


def model_fitted_on_its_calibrator_rows_too(stages: Stages) -> Stages:
    """Base models that have seen the rows on which they are calibrated: the calibrator believes them too much."""
    return _models(stages, lambda X, y, fold: LogisticBaseline().make_estimator().fit(X[fold.train], y[fold.train]))


def production_model_fitted_on_all_rows(stages: Stages) -> Stages:
    """The deployed model fitted on everything, the calibrator's rows too: it is not the one that was tested."""

    def fit(dataset: Dataset, plan: SplitPlan, recipe: Recipe) -> tuple[Any, ...]:
        *folds, production = fit_models(dataset, plan, recipe)
        return *folds, clone(production).fit(dataset.matrix(), dataset.outcomes())

    return replace(stages, fit_models=fit)


def middle_folds_of_trees_fitted_on_their_test_blocks(stages: Stages) -> Stages:
    """Trees of neither the first fold nor the production model learn from all rows up to their test block's end."""

    def fit_all(dataset: Dataset, plan: SplitPlan, recipe: Recipe) -> tuple[Any, ...]:
        def until(fold: Fold) -> slice:
            inner = fold in plan.folds[1:]
            return slice(fold.base.start, fold.test.stop) if inner else fold.base

        widened = replace(plan, folds=tuple(replace(fold, base=until(fold)) for fold in plan.folds))
        return fit_models(dataset, widened, recipe)

    return replace(stages, fit_models=fit_all)


def early_stopping_on_the_test_block(stages: Stages) -> Stages:
    """As many trees as the rows they are judged by like best."""

    def fit(X: np.ndarray, y: np.ndarray, fold: Fold) -> Any:
        model = make_model("boosting").make_estimator().fit(X[fold.base], y[fold.base])
        if fold.test.stop <= fold.test.start:
            return model
        tested = model.staged_predict_proba(X[fold.test])
        losses = [log_loss(y[fold.test], stage[:, 1], labels=[0, 1]) for stage in tested]
        return clone(model).set_params(max_iter=int(np.argmin(losses)) + 1).fit(X[fold.base], y[fold.base])

    return _models(stages, fit)


def rows_weighted_by_the_test_block(stages: Stages) -> Stages:
    """Training rows count for more where they resemble the rows that are tested later."""

    def fit(X: np.ndarray, y: np.ndarray, fold: Fold) -> Pipeline:
        centre = X[fold.test if fold.test.stop > fold.test.start else fold.base].mean(axis=0)
        far = np.linalg.norm((X[fold.base] - centre) / X[fold.base].std(axis=0), axis=1)
        model = LogisticBaseline().make_estimator()
        return model.fit(X[fold.base], y[fold.base], classifier__sample_weight=1.0 / (1.0 + far))

    return _models(stages, fit)


def calibrated_on_the_test_block(stages: Stages) -> Stages:
    """Calibrators that have seen the outcomes they are to forecast."""
    return _calibrators(stages, lambda fold: fold.test if fold.test.stop > fold.test.start else fold.calibration)


def calibrated_on_the_base_rows(stages: Stages) -> Stages:
    """Calibrators fitted where the model was: its overfitting is taken for skill."""
    return _calibrators(stages, lambda fold: fold.base)


def production_model_fitted_again_after_calibration(stages: Stages) -> Stages:
    """The deployed model refitted on all rows under a calibrator that was fitted to another one."""

    def calibrate(
        dataset: Dataset, plan: SplitPlan, recipe: Recipe, models: tuple[Any, ...]
    ) -> tuple[CalibratedClassifier, ...]:
        calibrated = fit_calibrators(dataset, plan, recipe, models)
        if len(models) > 1:
            calibrated[-1].model = clone(models[-1]).fit(dataset.matrix(), dataset.outcomes())
        return calibrated

    return replace(stages, fit_calibrators=calibrate)


def _plan(stages: Stages, change: Callable[[Fold], Fold]) -> Stages:
    """Every fold but the production one changed."""

    def plan(n_rows: int, label: LabelSpec, rule: SplitRule) -> SplitPlan:
        made = walk_forward(n_rows, label, rule)
        return replace(made, folds=tuple(map(change, made.folds)))

    return replace(stages, walk_forward=plan)


def _first_fold(stages: Stages, change: Callable[[Fold], Fold]) -> Stages:
    def plan(n_rows: int, label: LabelSpec, rule: SplitRule) -> SplitPlan:
        made = walk_forward(n_rows, label, rule)
        return replace(made, folds=(change(made.folds[0]), *made.folds[1:]))

    return replace(stages, walk_forward=plan)


def _models(stages: Stages, fit: Callable[[np.ndarray, np.ndarray, Fold], Any]) -> Stages:
    def fit_all(dataset: Dataset, plan: SplitPlan, recipe: Recipe) -> tuple[Any, ...]:
        with single_threaded():
            return tuple(fit(dataset.matrix(), dataset.outcomes(), fold) for fold in plan.all_folds)

    return replace(stages, fit_models=fit_all)


def _calibrators(stages: Stages, rows: Callable[[Fold], slice]) -> Stages:
    def calibrate(
        dataset: Dataset, plan: SplitPlan, recipe: Recipe, models: tuple[Any, ...]
    ) -> tuple[CalibratedClassifier, ...]:
        moved = tuple(replace(fold, calibration=rows(fold)) for fold in plan.all_folds)
        return fit_calibrators(dataset, replace(plan, folds=moved[:-1], production=moved[-1]), recipe, models)

    return replace(stages, fit_calibrators=calibrate)

"""Every seeded leak with the claims that must fail by name when it is injected, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from algo_pipeline.research import claims
from algo_pipeline.research.claims import Claim
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline_tests.research.leaks import of_data, of_fits, of_results
from algo_pipeline_tests.research.leaks.stages import Stages

_SPLIT = SplitRule(n_folds=3, test_fraction=0.5)
_LOGISTIC = Recipe(split=_SPLIT)
_BOOSTING = Recipe(model_kind="boosting", split=_SPLIT)
_DAY = Recipe(label="direction_24h", split=_SPLIT)


@dataclass(frozen=True)
class Leak:
    """One seeded leak.

    Attributes
    ----------
    inject : callable
        Replaces one stage of a clean pipeline; its name and docstring are the leak's.
    caught_by : tuple of Claim
        All claims that must fail, in the order of ``CLAIMS``.
    recipe : Recipe
        What the run trains.
    """

    inject: Callable[[Stages], Stages]
    caught_by: tuple[Claim, ...]
    recipe: Recipe = _LOGISTIC

    @property
    def name(self) -> str:
        """In words."""
        return self.inject.__name__.replace("_", " ")

    @property
    def story(self) -> str:
        """What is done wrong, in a sentence."""
        return (self.inject.__doc__ or "").strip()


_CAUSALITY, _STORED = claims.FEATURES_SEE_NO_FUTURE, claims.FEATURES_ARE_THE_CODES
_GAPS = claims.FEATURES_KEEP_GAPS
_LABELS, _JOIN, _PURGE = claims.LABELS_LOOK_AHEAD_EXACTLY, claims.ROWS_ARE_THE_JOIN, claims.TRAINING_ENDS_BEFORE
_SCALERS, _MODELS = claims.SCALERS_KEEP_TO_THEIR_ROWS, claims.MODELS_KEEP_TO_THEIR_ROWS
_CALIBRATORS, _KEPT = claims.CALIBRATORS_KEEP_TO_THEIR_ROWS, claims.MODELS_ARE_KEPT
_COVERED, _OWN_FOLD = claims.TEST_BLOCKS_ARE_COVERED, claims.PROBABILITIES_ARE_THE_FOLDS
_BEFORE, _OUTCOMES = claims.MODELS_CAME_BEFORE, claims.OUTCOMES_ARE_THE_DATASETS
_RULES, _TRADES = claims.TRADES_KEEP_TO_THE_RULES, claims.TRADES_SEE_NO_FUTURE

LEAKS: tuple[Leak, ...] = (
    Leak(of_data.feature_shifted_back_by_one_bar, (_CAUSALITY,)),
    Leak(of_data.feature_that_peeks_on_one_day_of_the_month, (_CAUSALITY,)),
    Leak(of_data.feature_that_peeks_in_the_early_history, (_CAUSALITY,)),
    Leak(of_data.centred_window, (_CAUSALITY,)),
    Leak(of_data.feature_normalized_over_all_bars, (_CAUSALITY,)),
    Leak(of_data.future_volume_in_a_z_score, (_CAUSALITY,)),
    Leak(of_data.daily_feature_stamped_at_its_open, (_CAUSALITY,)),
    Leak(of_data.higher_frame_known_too_early, (_CAUSALITY,)),
    Leak(of_data.smoothed_in_both_directions, (_CAUSALITY,)),
    Leak(of_data.feature_filled_back_across_a_gap, (_CAUSALITY, _GAPS)),
    Leak(of_data.feature_carried_across_a_gap, (_GAPS,)),
    Leak(of_data.features_clipped_at_quantiles_of_all_rows, (_CAUSALITY, _STORED)),
    Leak(of_data.dataset_scaled_over_all_rows, (_JOIN,)),
    Leak(of_data.label_from_the_same_bar, (_LABELS,)),
    Leak(of_data.label_that_ends_a_bar_later, (_LABELS,)),
    Leak(of_data.label_filled_across_a_gap, (_LABELS,)),
    Leak(of_data.label_to_the_next_bar_that_exists, (_LABELS,)),
    Leak(of_data.barriers_from_a_later_volatility, (_LABELS,)),
    Leak(of_data.rows_in_another_order, (_JOIN,)),
    Leak(of_data.rows_written_twice, (_JOIN,)),
    Leak(of_data.target_encoding_on_all_rows, (_JOIN,)),
    Leak(of_data.features_without_the_hardest_rows, (_JOIN,)),
    Leak(of_fits.purge_one_row_short, (_PURGE, _BEFORE)),
    Leak(of_fits.no_gap_between_base_and_calibrator, (_PURGE,)),
    Leak(of_fits.embargo_ignored, (_PURGE, _BEFORE)),
    Leak(of_fits.tested_rows_among_the_base_rows, (_PURGE, _BEFORE)),
    Leak(of_fits.purge_of_a_shorter_label, (_PURGE, _BEFORE), _DAY),
    Leak(of_fits.scaler_fitted_on_all_rows, (_SCALERS, _MODELS)),
    Leak(of_fits.features_selected_on_all_rows, (_SCALERS, _MODELS)),
    Leak(of_fits.penalty_chosen_on_the_test_block, (_MODELS,)),
    Leak(of_fits.middle_folds_of_trees_fitted_on_their_test_blocks, (_MODELS,), _BOOSTING),
    Leak(of_fits.early_stopping_on_the_test_block, (_MODELS,), _BOOSTING),
    Leak(of_fits.rows_weighted_by_the_test_block, (_MODELS,)),
    Leak(of_fits.model_fitted_on_its_calibrator_rows_too, (_SCALERS, _MODELS)),
    Leak(of_fits.production_model_fitted_on_all_rows, (_SCALERS, _MODELS)),
    Leak(of_fits.calibrated_on_the_test_block, (_CALIBRATORS,)),
    Leak(of_fits.calibrated_on_the_base_rows, (_CALIBRATORS,)),
    Leak(of_fits.production_model_fitted_again_after_calibration, (_KEPT,)),
    Leak(of_results.in_sample_stitching, (_OWN_FOLD,)),
    Leak(of_results.stitched_from_the_next_fold, (_OWN_FOLD,)),
    Leak(of_results.fold_numbers_of_the_next_fold, (_COVERED, _BEFORE, _OUTCOMES)),
    Leak(of_results.probability_shifted_one_bar_early, (_OWN_FOLD,)),
    Leak(of_results.probability_smoothed_over_later_bars, (_OWN_FOLD,)),
    Leak(of_results.probability_rescaled_over_all_test_rows, (_OWN_FOLD,)),
    Leak(of_results.worst_hours_left_out, (_COVERED,)),
    Leak(of_results.base_rate_of_the_test_rows, (_OUTCOMES,)),
    Leak(of_results.outcomes_one_bar_late, (_OUTCOMES,)),
    Leak(of_results.thresholds_picked_on_the_test_rows, (_RULES, _TRADES)),
    Leak(of_results.thresholds_at_quantiles_of_all_probabilities, (_RULES, _TRADES)),
    Leak(of_results.fills_at_the_close_that_was_decided_on, (_RULES, _TRADES)),
)

"""What is claimed of every research run: each claim is judged by one predicate and shown as one asset check."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN_VIOLATIONS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about an artifact that holds unless something leaks.

    Attributes
    ----------
    name : str
        Of the asset check; the statement in short.
    asset : str
        The asset whose materialization is judged.
    statement : str
        One sentence, in full.
    """

    name: str
    asset: str
    statement: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a claim in one run.

    Attributes
    ----------
    claim : Claim
        What was judged.
    violations : tuple of str
        A sentence for each; empty if the claim holds.
    evidence : str
        What was tried, with figures: the sentence to show if the claim holds.
    """

    claim: Claim
    violations: tuple[str, ...]
    evidence: str

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the claim."""
        return not self.violations

    def describe(self) -> str:
        """The evidence, or the first violations."""
        if self.holds:
            return self.evidence
        more = len(self.violations) - _SHOWN_VIOLATIONS
        return "; ".join(self.violations[:_SHOWN_VIOLATIONS]) + (f"; and {more} more" if more > 0 else "")


FEATURES_SEE_NO_FUTURE = Claim(
    "features_use_no_later_bar",
    "features",
    "Cutting off later bars, or replacing them by noise, changes no bit of any feature.",
)
FEATURES_ARE_THE_CODES = Claim(
    "features_equal_a_recomputation",
    "features",
    "Every stored value is, to the bit, the one that the bars give when the features are computed anew.",
)
FEATURES_KEEP_GAPS = Claim(
    "features_are_missing_across_gaps",
    "features",
    "A feature is missing on every row whose window crosses a gap or whose warm-up has not passed, and on no other.",
)
LABELS_LOOK_AHEAD_EXACTLY = Claim(
    "labels_equal_a_second_computation",
    "labels",
    "Every label looks from the next bar's open to its horizon's end, by a second implementation that shares no code, "
    "and is missing where a bar of its span is; a label of your own, by computing it anew on bars that end earlier.",
)
ROWS_ARE_THE_JOIN = Claim(
    "dataset_rows_are_features_joined_with_the_label",
    "dataset",
    "The dataset holds each bar with all features and the label once, in order of time, with exactly their values.",
)
TRAINING_ENDS_BEFORE = Claim(
    "training_rows_end_before_what_they_are_tested_on",
    "splits",
    "In every fold, no label of a base row reaches the calibration rows, and none of either reaches the test block.",
)
SCALERS_KEEP_TO_THEIR_ROWS = Claim(
    "scalers_know_their_own_base_rows_only",
    "model",
    "Whatever a fold's model does to its inputs, fitted anew on the fold's base rows alone, is the same to the bit.",
)
MODELS_KEEP_TO_THEIR_ROWS = Claim(
    "models_learnt_from_their_own_base_rows_only",
    "model",
    "With every row but a fold's base rows replaced by noise, fitting gives the fold's stored model again, to the bit.",
)
CALIBRATORS_KEEP_TO_THEIR_ROWS = Claim(
    "calibrators_learnt_from_their_own_rows_only",
    "calibrator",
    "With the features of every row but a fold's calibration rows replaced by noise, and outcomes after its train part "
    "turned round, calibrating gives the fold's stored map again, to the bit.",
)
MODELS_ARE_KEPT = Claim(
    "calibrated_models_are_those_of_their_folds",
    "calibrator",
    "Each calibrator holds its own fold's model, the production one too, unchanged: nothing is fitted again "
    "afterwards.",
)
TEST_BLOCKS_ARE_COVERED = Claim(
    "probabilities_cover_the_test_blocks_once",
    "oos_probabilities",
    "Every test row has exactly one probability, strictly between 0 and 1, from the fold whose test block holds it.",
)
PROBABILITIES_ARE_THE_FOLDS = Claim(
    "probabilities_come_from_their_own_folds_model",
    "oos_probabilities",
    "The probability of a bar is, to the bit, what the calibrated model of its own fold says of that bar's features.",
)
MODELS_CAME_BEFORE = Claim(
    "models_were_fitted_before_the_bars_they_judge",
    "oos_probabilities",
    "Every label that a fold's model or calibrator learnt from was known before the first bar that it judges.",
)
OUTCOMES_ARE_THE_DATASETS = Claim(
    "outcomes_and_base_rates_are_those_of_the_dataset",
    "oos_probabilities",
    "Outcomes are the dataset's, and the base rate of a fold is that of its own train part, known before its test "
    "block.",
)
TRADES_KEEP_TO_THE_RULES = Claim(
    "trades_follow_the_configured_rules",
    "backtest_report",
    "The strategy's curve is, to the bit, that of the configured rules, which say of a bar alone, as live asks them, "
    "what they say of it among others: no threshold was picked on what it is judged by.",
)
TRADES_SEE_NO_FUTURE = Claim(
    "trades_use_no_later_bar",
    "backtest_report",
    "Cutting off later bars and probabilities changes no bit of the strategy's curve before.",
)

CLAIMS: tuple[Claim, ...] = (
    FEATURES_SEE_NO_FUTURE,
    FEATURES_ARE_THE_CODES,
    FEATURES_KEEP_GAPS,
    LABELS_LOOK_AHEAD_EXACTLY,
    ROWS_ARE_THE_JOIN,
    TRAINING_ENDS_BEFORE,
    SCALERS_KEEP_TO_THEIR_ROWS,
    MODELS_KEEP_TO_THEIR_ROWS,
    CALIBRATORS_KEEP_TO_THEIR_ROWS,
    MODELS_ARE_KEPT,
    TEST_BLOCKS_ARE_COVERED,
    PROBABILITIES_ARE_THE_FOLDS,
    MODELS_CAME_BEFORE,
    OUTCOMES_ARE_THE_DATASETS,
    TRADES_KEEP_TO_THE_RULES,
    TRADES_SEE_NO_FUTURE,
)
"""In the order of the graph."""

"""The card of a model: what it is, how well it did, what came of it, and what it must not be used for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from algo_pipeline.common.formatting import percent
from algo_pipeline.common.types import Symbol
from algo_pipeline.research.report import fold_table, overall_table, reliability_table

if TYPE_CHECKING:
    from algo_pipeline.registry.training_record import Training

VERDICT = "Verdict"
GATE = "Gate"
AGAINST_TRADED = "Against the traded recipe"
_LIMITS = "Limits"


def model_card(training: Training, dagster_run_url: str | None = None) -> str:
    """The card as it stands when the training has ended, in Markdown; what comes later is added by its section.

    Parameters
    ----------
    training : Training
        What was trained.
    dagster_run_url : str, optional
        Page of the Dagster run that made it.
    """
    dataset, recipe, spec = training.dataset, training.recipe, training.recipe.label_spec
    simulated = "\n> **Simulated bars.** No market produced them.\n" if training.source == "simulated" else ""
    made_by = f"\n- **Made by**: [this Dagster run]({dagster_run_url})" if dagster_run_url else ""
    return f"""# {training.symbol}: P({recipe.label} = 1)
{simulated}
- **Recipe**: {recipe.describe()}
- **Label**: `{spec.name}`, from the open after the decision, {spec.horizon_bars} h ahead.
- **Data**: {len(dataset):,} hourly rows, {dataset.first_bar:%Y-%m-%d} to {dataset.last_bar:%Y-%m-%d}, source
  {training.source} ({training.venue_symbol}); training ends at {dataset.training_end:%Y-%m-%d %H:%M} UTC.
- **Base rate**: {percent(float(dataset.target.mean()), 2)} of the rows are 1.
- **Model**: base on the head of the data, calibrator on its purged last {recipe.split.calibration_fraction:.0%};
  no refit afterwards. Inputs: {len(dataset.features.columns)} features by name. Output: calibrated probability.
- **Split**: {recipe.split.describe()}, purge {spec.horizon_bars + 1} rows.{made_by}

## Out of sample, walk-forward

{overall_table(training.evaluation)}

Fold by fold, the oldest first:

{fold_table(training.evaluation)}

## Calibration

{reliability_table(training.evaluation)}

## {_LIMITS}

Probabilities hold for closed hourly bars of this symbol from this source. Skill does not imply profit: the verdict
counts costs. Past markets say little about the next one, and nothing here is investment advice.

## Make it again

`algo-pipeline reproduce RUN_ID` trains it anew from its recorded bars and recipe, and says what differs, if anything.
"""


def with_sections(card: str, sections: Mapping[str, str]) -> str:
    """The card with sections put before its limits, in their order; one of the same title is replaced."""
    for title, text in sections.items():
        section = f"## {title}\n\n{text.strip()}\n\n"
        card = re.sub(rf"## {re.escape(title)}\n.*?(?=^## |\Z)", "", card, flags=re.DOTALL | re.MULTILINE)
        head, limits, tail = card.partition(f"## {_LIMITS}\n")
        card = f"{head}{section}{limits}{tail}" if limits else f"{card.rstrip()}\n\n{section}"
    return card


def experiment_note(symbol: Symbol) -> str:
    """What an experiment holds and how to read it, in Markdown."""
    return f"""Trainings of {symbol}: the traded recipe and its challenger, leaderboards and searches.

**Which of two is better?** Tick two runs and press *Compare*. First see that the parameters `dataset_hash` and
`split.*` are equal: only then were both scored on the same hours.

- `oos_log_loss_skill` says how much better than the base rate; `_lower` and `_upper` are its 95 % interval.
- `log_loss_minus_traded_recipe` of a challenger is the difference hour by hour: with its interval wholly below 0 the
  challenger is better, wholly above 0 worse, else they are not told apart.
- `fold_log_loss_skill` has a step for each walk-forward fold, the oldest first: *where* one is better.
- `oos_ece` is the error of calibration; `strategy_total_return` what the signal earned after costs, and
  `after_cost_edge_p_value` the chance that luck does as well.
"""


def registered_model_note(symbol: Symbol, label: str) -> str:
    """What the versions of a registered model have in common, in Markdown."""
    return (
        f"Calibrated probability that `{label}` of {symbol} is 1, one version per training. Live trading uses the "
        "deployed version, at which the alias `champion` points; moving the alias deploys nothing "
        "(`algo-pipeline promote` does). Each version's description is its model card."
    )

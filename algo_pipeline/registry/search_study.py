"""Studies of hyper-parameters on disk: the only module that imports Optuna.

A study is resumed where it ended, and goes on as if it had not been interrupted: each trial is suggested by a sampler
seeded anew by the number of trials finished before, from these trials alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.progress import tell as tell_progress
from algo_pipeline.models.parameters import Parameters, ParameterValue
from algo_pipeline.research.search import SearchTrial
from algo_pipeline.research.search_space import Choices, Dimension, Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_JUDGED = "judged recipes"
_STARTUP_TRIALS = 5
_BUSY_S = 30

Evaluate = Callable[[Parameters], Generator[float, None, None]]
"""From a point of the space to its score after each fold, pooled over those so far; higher is better.

It is closed before the trial's end is written down, so that what it records on closing is never behind.
"""


class SearchStudy:
    """One search in a SQLite file that may hold several.

    Parameters
    ----------
    path : Path
        The file; made with its folder if it is missing.
    name : str
        Of the search; equal names go on with the same one.
    space : mapping of str to Dimension
        What may be chosen.
    seed : int
        Equal seeds and scores give equal trials, resumed or not.

    Raises
    ------
    StorageError
        From any method, if the file is damaged or can't be written.
    """

    def __init__(self, path: Path, name: str, space: Space, seed: int = 0) -> None:
        self._path, self._name, self._space, self._seed = path, name, space, seed

    def run(
        self,
        n_trials: int,
        n_steps: int,
        evaluate: Evaluate,
        first: Parameters | None = None,
        tell: Callable[[SearchTrial], object] = lambda _: None,
    ) -> tuple[SearchTrial, ...]:
        """Go on until there are ``n_trials`` trials that were completed or pruned.

        Parameters
        ----------
        n_trials : int
            Of all runs together.
        n_steps : int
            Folds that a trial is evaluated on unless it is pruned.
        evaluate : callable
            Scores a point, fold by fold; pruning stops asking it.
        first : mapping, optional
            The point to begin with.
        tell : callable
            Is told of each trial when it ends.

        Returns
        -------
        tuple of SearchTrial
            Completed and pruned ones of all runs, in order.
        """
        with self._storage() as storage:
            study = self._study(storage)
            _give_up_interrupted(study)
            while (n_done := len(_finished(study))) < n_trials:
                tell_progress("trials", n_done, n_trials)
                trial = self._ask(study, n_done, first)
                _evaluate(study, trial, n_steps, evaluate)
                tell(_to_search_trial(_finished(study)[-1], n_done))
            return tuple(_to_search_trial(trial, number) for number, trial in enumerate(_finished(study)))

    def judge(self, recipe_hash: str) -> int:
        """Note that a recipe is judged on rows set aside; how many ever were, in all studies of the file."""
        import optuna

        with self._storage() as storage:
            study = self._study(storage)
            summaries = optuna.get_all_study_summaries(storage=storage)
            known = {each for summary in summaries for each in summary.user_attrs.get(_JUDGED, [])}
            own = study.user_attrs.get(_JUDGED, [])
            if recipe_hash not in own:
                study.set_user_attr(_JUDGED, [*own, recipe_hash])
            return len(known | {recipe_hash})

    def _study(self, storage: RDBStorage) -> Study:
        import optuna

        # A trial is given up after a fold only if its score is below the median of those that were completed.
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=0)
        return optuna.create_study(
            storage=storage, study_name=self._name, direction="maximize", pruner=pruner, load_if_exists=True
        )

    def _ask(self, study: Study, n_done: int, first: Parameters | None) -> Trial:
        import optuna

        study.sampler = optuna.samplers.TPESampler(seed=self._seed + n_done, n_startup_trials=2 * _STARTUP_TRIALS)
        if n_done == 0 and first is not None and not study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
            study.enqueue_trial(dict(first))
        return study.ask({name: _distribution(dimension) for name, dimension in self._space.items()})

    @contextmanager
    def _storage(self) -> Iterator[RDBStorage]:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_S}}
            storage = optuna.storages.RDBStorage(f"sqlite:///{self._path.absolute()}", engine_kwargs=options)
            try:
                yield storage
            finally:
                storage.remove_session()
                storage.engine.dispose()
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError, OSError) as error:
            raise StorageError(
                f"The searches in {self._path} can't be read or written: {(str(error).splitlines() or ['?'])[0]}",
                f"Make it writable; if it is damaged, move {self._path} away: its trials stay in the ledger of trials.",
            ) from error


def _evaluate(study: Study, trial: Trial, n_steps: int, evaluate: Evaluate) -> None:
    from optuna.trial import TrialState

    score, pruned = float("-inf"), False
    try:
        with closing(evaluate(trial.params)) as scores:
            for step, score in enumerate(scores):
                trial.report(score, step)
                pruned = step + 1 < n_steps and trial.should_prune()
                if pruned:
                    break
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    if pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, score)


def _give_up_interrupted(study: Study) -> None:
    """A trial that still runs belongs to a process that died: searches of a symbol are made one at a time."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _finished(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _to_search_trial(trial: FrozenTrial, number: int) -> SearchTrial:
    from optuna.trial import TrialState

    scores = trial.intermediate_values
    parameters: dict[str, ParameterValue] = dict(trial.params)
    return SearchTrial(number, parameters, scores[max(scores)], len(scores), trial.state is TrialState.PRUNED)


def _distribution(dimension: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.names)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)

"""What a classifier must offer to be trained, calibrated, registered and deployed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from sklearn.base import BaseEstimator

from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.common.user_classes import user_class_reference


class ModelInterface(ABC):
    """A recipe for a binary classifier: it makes unfitted scikit-learn estimators and names itself.

    An estimator it makes has ``fit(X, y)``, ``classes_`` and ``decision_function(X)`` giving log-odds of shape (n,).
    The class is made with keyword parameters only, each with a default.
    """

    @property
    def kind(self) -> str:
        """The name in settings and records: ``logistic``, or ``module:Class`` of a class of the user's own."""
        return user_class_reference(type(self))

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, float | int | str | bool]:
        """Every parameter that defines the fit; part of the recipe's hash."""

    @property
    def leading_features(self) -> tuple[str, ...]:
        """Names of the features that the model knows by their place, which have to be the first columns; else none."""
        return ()

    @property
    def trusted_types(self) -> tuple[str, ...]:
        """Classes of the user's own, as ``module.Class``, that a stored estimator may hold; none beyond these is."""
        return ()

    @abstractmethod
    def make_estimator(self) -> BaseEstimator:
        """A fresh, unfitted, deterministic estimator."""

    def fit(self, X: FloatArray, y: IntArray, sample_weight: FloatArray | None = None) -> BaseEstimator:
        """A fresh estimator, fitted; the weights go to the last step of a pipeline."""
        estimator = self.make_estimator()
        if sample_weight is None:
            return estimator.fit(X, y)
        steps = getattr(estimator, "steps", None)
        name = f"{steps[-1][0]}__sample_weight" if steps else "sample_weight"
        return estimator.fit(X, y, **{name: sample_weight})

    @abstractmethod
    def feature_weights(self, estimator: BaseEstimator, X: FloatArray, y: FloatArray) -> FloatArray:
        """Importance of each feature for a fitted ``estimator``, shape (n_features,).

        Signed coefficients on standardized features where the model is linear; else the loss in log score when
        the feature's column is permuted on (X, y), with a fixed seed.
        """

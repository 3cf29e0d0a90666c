"""What every asset body has around it: logs shown in the run, foreseeable errors told without a traceback."""

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from loguru import logger

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import AlgoPipelineError, TransientSourceError
from algo_pipeline.common.logger import SecretMasker, forward_logs

SHELL_TAG = "algo-pipeline/shell"
"""Marks runs that a person started at a shell and waits for."""

_RETRIES = 2
_FIRST_RETRY_S = 60
_LEVELS = {"DEBUG": logging.DEBUG, "WARNING": logging.WARNING, "ERROR": logging.ERROR, "CRITICAL": logging.CRITICAL}


@contextmanager
def stage(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """Bridge the project's log into the run's, and turn a foreseeable error into a failure with its remedy.

    An error that may pass makes a run of the daemon try the step again, twice, a minute and then two later. A person
    at a shell is told at once instead.
    """
    started = time.perf_counter()

    def show(level: str, message: str) -> None:
        context.log.log(_LEVELS.get(level, logging.INFO), message)

    with forward_logs(show):
        try:
            yield
            seconds = time.perf_counter() - started
            logger.debug("{} {} took {:.2f} s", context.partition_key, context.op_execution_context.op.name, seconds)
        except AlgoPipelineError as error:
            if isinstance(error, TransientSourceError) and SHELL_TAG not in context.run.tags:
                wait_s = _FIRST_RETRY_S * 2**context.op_execution_context.retry_number
                raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=wait_s) from _without_secrets(error)
            raise failure_of(error) from _without_secrets(error)
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            if _masker().mask(text) == text:
                raise
            raise dg.Failure(description=_masker().mask(text), allow_retries=False) from None


def failure_of(error: AlgoPipelineError) -> dg.Failure:
    """A foreseeable error as the one message that a failed run's page begins with, and its remedy."""
    shown = _without_secrets(error)
    facts = {"code": shown.code, "remedy": shown.remedy or "–"}
    return dg.Failure(description=str(shown), metadata=facts, allow_retries=False)


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Tell why an input could not be loaded: Dagster's own message would name the input and hide the reason."""
    try:
        yield
    except AlgoPipelineError as error:
        told = type(error)(f"{what} can't be read: {error.message}", error.remedy)
        raise failure_of(told) from _without_secrets(told)


def _without_secrets(error: AlgoPipelineError) -> AlgoPipelineError:
    """The error itself; or, as Dagster records the whole chain of causes, a masked one without causes."""
    mask = _masker().mask
    text = "".join(traceback.format_exception(error))
    return error if mask(text) == text else type(error)(mask(error.message), mask(error.remedy))


def _masker() -> SecretMasker:
    return SecretMasker(load_settings().secret_values())

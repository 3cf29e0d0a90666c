"""A run from the shell is told in lines that people read: an asset each, its checks in one, failures in words."""

from typing import Any

import dagster as dg
import pytest

from algo_pipeline.common.progress import listening
from algo_pipeline.defs.progress import NOT_ASKED, progress_logger


def _result(passed: bool, description: str, **options: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=passed, description=description, **options)


@dg.asset
def bars() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"dagster/row_count": 35_040})


@dg.asset_check(asset=bars)
def bars_are_on_the_hour() -> dg.AssetCheckResult:
    return _result(True, "All of them.")


@dg.asset_check(asset=bars)
def newest_bar_is_young() -> dg.AssetCheckResult:
    return _result(True, f"{NOT_ASKED}: it is no live market.")


@dg.asset(deps=[bars])
def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    context.log.info("a word to the reader")
    context.log.debug("a word to nobody")
    return dg.MaterializeResult(metadata={"models": 9})


@dg.asset(deps=[model], check_specs=[dg.AssetCheckSpec("fees_add_up", asset="backtest_report")])
def backtest_report() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster wants no parameter here
    return dg.MaterializeResult(check_results=[_result(True, "To the cent.", check_name="fees_add_up")])


@dg.asset_check(asset=backtest_report, blocking=True)
def trades_use_no_later_bar() -> dg.AssetCheckResult:
    return _result(False, "3 of 656 trades know a later bar")


@dg.asset_check(asset=model)
def closes_agree() -> dg.AssetCheckResult:
    return _result(False, "12 hours are 2 % apart.", severity=dg.AssetCheckSeverity.WARN)


@dg.asset(deps=[bars])
def broken() -> None:
    raise dg.Failure(description="no room")


Lines = list[str]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*selection: Any, quiet: bool = False) -> Lines:
        definitions = dg.Definitions(
            assets=[each for each in selection if not isinstance(each, dg.AssetChecksDefinition)],
            asset_checks=[each for each in selection if isinstance(each, dg.AssetChecksDefinition)],
            jobs=[dg.define_asset_job("all")],
            loggers={"progress": progress_logger},
            executor=dg.in_process_executor,
        )
        config = {"loggers": {"progress": {"config": {"title": "BTC/USD", "quiet": quiet}}}}
        definitions.resolve_job_def("all").execute_in_process(run_config=config, raise_on_error=False)
        return capsys.readouterr().err.splitlines()

    return run


def _words(line: str) -> str:
    """Without the clock and the seconds."""
    return " ".join(word for word in line.split() if not word.replace(".", "").replace(":", "").isdigit())


def test_an_asset_is_a_line_and_its_checks_are_one_that_counts_them(lines: Any) -> None:
    told = [_words(line) for line in lines(bars, bars_are_on_the_hour, newest_bar_is_young, model)]
    assert told == [
        "BTC/USD bars s 35,040 rows",
        "BTC/USD a word to the reader",
        "BTC/USD checks s holds, not asked",
        "BTC/USD model s models",
    ]


def test_a_check_that_an_asset_makes_itself_is_told_after_it(lines: Any) -> None:
    told = [_words(line) for line in lines(bars, bars_are_on_the_hour, model, backtest_report)]
    assert told[-2:] == ["BTC/USD backtest_report s", "BTC/USD checks s holds"]


def test_a_failed_check_is_told_in_words_once_and_no_step_name_is_shown(lines: Any) -> None:
    told = lines(bars, model, backtest_report, trades_use_no_later_bar)
    assert told[-1].strip() == "BTC/USD  FAILED  trades use no later bar: 3 of 656 trades know a later bar"
    assert not any("trades_use" in line or "backtest_report_" in line for line in told)


def test_a_warning_is_no_failure(lines: Any) -> None:
    told = lines(bars, model, closes_agree)
    assert told[-1].strip() == "BTC/USD  warning  closes agree: 12 hours are 2 % apart."


def test_an_asset_that_fails_is_said_to(lines: Any) -> None:
    assert _words(lines(bars, broken)[-1]) == "BTC/USD broken failed"


def test_every_line_fits_a_terminal_and_holds_no_control_character(lines: Any) -> None:
    told = lines(bars, bars_are_on_the_hour, newest_bar_is_young, model)
    assert all(len(line) <= 80 and line.isprintable() for line in told)


def test_a_program_is_told_nothing(lines: Any) -> None:
    assert lines(bars, bars_are_on_the_hour, quiet=True) == []


def test_who_listens_hears_which_step_is_at_work_with_checks_in_words(lines: Any) -> None:
    heard: list[str] = []
    with listening(lambda told: heard.append(told.what)):
        lines(bars, bars_are_on_the_hour)
    assert heard == ["BTC/USD bars", "BTC/USD check: bars are on the hour"]

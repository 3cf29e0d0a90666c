from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.logger import MASK, configure_logging, forward_logs


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(patcher=lambda record: None)


def _log_of(folder: Path) -> str:
    logger.complete()
    return (folder / "algo_pipeline.log").read_text()


def test_a_secret_reaches_neither_console_nor_file_nor_a_forwarded_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("DEBUG", tmp_path, secrets=["PKSECRET42"])
    received: list[str] = []
    with forward_logs(lambda level, message: received.append(message)):
        logger.info("key is {}", "PKSECRET42")
    shown = capsys.readouterr().err + _log_of(tmp_path) + "".join(received)
    assert "PKSECRET42" not in shown
    assert shown.count(MASK) == 3


def test_a_secret_inside_an_exception_or_its_cause_is_masked(tmp_path: Path) -> None:
    configure_logging("DEBUG", tmp_path, secrets=["PKSECRET42"], console=False)
    try:
        try:
            raise ValueError("url?token=PKSECRET42")
        except ValueError as cause:
            raise RuntimeError("wrapped") from cause
    except RuntimeError:
        logger.exception("it failed")
    text = _log_of(tmp_path)
    assert "PKSECRET42" not in text
    assert "RuntimeError: wrapped" in text


def test_each_of_several_alert_urls_is_a_secret_of_its_own(tmp_path: Path) -> None:
    configure_logging("DEBUG", tmp_path, secrets=["tgram://one/1,json://two/2"], console=False)
    logger.info("posting to json://two/2")
    assert "json://two/2" not in _log_of(tmp_path)


def test_the_console_shows_its_level_and_the_file_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("WARNING", tmp_path)
    logger.debug("detail")
    logger.warning("trouble")
    console = capsys.readouterr().err
    assert ("detail" in console, "trouble" in console) == (False, True)
    assert "detail" in _log_of(tmp_path)


def test_forwarding_ends_with_its_context() -> None:
    configure_logging(console=False)
    received: list[tuple[str, str]] = []
    with forward_logs(lambda level, message: received.append((level, message))):
        logger.warning("inside")
    logger.warning("outside")
    assert received == [("WARNING", "inside")]


def test_an_unwritable_log_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    with pytest.raises(StorageError, match="ALGO_TRADER_ARTIFACTS_DIR"):
        configure_logging(folder=tmp_path / "logs")

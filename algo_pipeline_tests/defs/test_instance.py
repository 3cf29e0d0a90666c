from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from algo_pipeline.cli.checks_stores import dagster_store
from algo_pipeline.common.errors import StorageError
from algo_pipeline.defs.instance import names_a_store, open_instance, prepare_home
from algo_pipeline_tests.workshop import Workshop, workshop

_DEPLOYED = Path(__file__).parents[2] / "deploy" / "dagster.yaml"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def _out_of_reach() -> None:
    raise RuntimeError("too many retries for DB connection\nand a second line")


def test_a_home_with_a_file_of_settings_is_used_as_it_is(shop: Workshop) -> None:
    home = shop.artifacts / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(_DEPLOYED.read_text())
    with shop.active() as settings:
        assert prepare_home(settings) == home
    assert not (home / "dagster.yaml").is_symlink()
    assert names_a_store(home)
    assert "database" in dagster_store(home).message


def test_a_file_of_settings_that_is_no_text_is_told_as_such(shop: Workshop) -> None:
    home = shop.artifacts / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_bytes(b"\x9e\x00\xff")
    with shop.active() as settings, pytest.raises(StorageError, match="could not be opened"), open_instance(settings):
        pass


@pytest.mark.parametrize(("deployed", "remedy"), [(True, "the database of dagster.yaml"), (False, "free disk space")])
def test_a_store_that_cant_be_opened_is_told_with_what_helps_there(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, deployed: bool, remedy: str
) -> None:
    home = shop.artifacts / "dagster"
    home.mkdir(parents=True)
    if deployed:
        (home / "dagster.yaml").write_text(_DEPLOYED.read_text())
    monkeypatch.setattr(dg.DagsterInstance, "get", _out_of_reach)
    with (
        shop.active() as settings,
        pytest.raises(StorageError, match="too many retries for DB connection") as caught,
        open_instance(settings),
    ):
        pass
    assert remedy in caught.value.remedy

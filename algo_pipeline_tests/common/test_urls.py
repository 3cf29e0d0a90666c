from __future__ import annotations

import pytest

from algo_pipeline.common.logger import MASK
from algo_pipeline.common.urls import masked_url, secrets_of_url, without_passwords


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////home/me/mlruns/mlflow.db",
        "http://127.0.0.1:5000",
        "postgresql+psycopg2:///?service=mlflow",
        "postgresql+psycopg2://mlflow@db:5432/mlflow",
        "http://host/path:with@signs",
        "",
    ],
)
def test_a_url_without_a_password_stays_as_it_is(url: str) -> None:
    assert masked_url(url) == url
    assert secrets_of_url(url) == ()
    assert without_passwords(f"{url} failed", url) == f"{url} failed"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://anna:hunter2@host", f"http://anna:{MASK}@host"),
        ("http://:hunter2@host", f"http://:{MASK}@host"),
        ("postgresql://anna:hunter2@a@host/db", f"postgresql://anna:{MASK}@host/db"),
        ("postgresql://anna:hunter2/a+b=@host/db", f"postgresql://anna:{MASK}@host/db"),
        ("postgresql://anna:hunter2?a#b@host/db", f"postgresql://anna:{MASK}@host/db"),
        ("postgresql://anna@server:hunter2@host/db", f"postgresql://anna@server:{MASK}@host/db"),
        ("postgresql://host/db?password=hunter2", f"postgresql://host/db?password={MASK}"),
        ("postgresql://host/db?user=a&sslpassword=hunter2&x=1", f"postgresql://host/db?user=a&sslpassword={MASK}&x=1"),
        ("postgresql://a:hunter2@h/db?password=hunter2", f"postgresql://a:{MASK}@h/db?password={MASK}"),
    ],
)
def test_every_password_of_a_url_is_masked_wherever_it_stands(url: str, shown: str) -> None:
    assert masked_url(url) == shown
    assert all("hunter2" in secret for secret in secrets_of_url(url))
    assert without_passwords(f"{url} failed", url) == f"{shown} failed"


def test_a_password_is_masked_alone_and_as_it_is_meant_too() -> None:
    assert without_passwords("p%40ss was refused", "http://anna:p%40ss@host") == f"{MASK} was refused"
    assert without_passwords("p@ss was refused", "http://anna:p%40ss@host") == f"{MASK} was refused"

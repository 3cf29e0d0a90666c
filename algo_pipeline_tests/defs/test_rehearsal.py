import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.defs.rehearsal import require_live_hours


@pytest.mark.parametrize("first", ["2020-05-01T00:00Z", "2100-01-01T00:00Z"], ids=["before live hours", "to come"])
def test_hours_that_live_trading_does_not_know_are_refused_in_words(first: str) -> None:
    bar = pd.Timestamp(first)
    with pytest.raises(ConfigValueError, match="from 2023-12-01-00:00 UTC to now") as refused:
        require_live_hours(bar, bar + pd.Timedelta(hours=23))
    assert "--until" in refused.value.remedy


def test_a_past_day_of_live_hours_is_accepted() -> None:
    require_live_hours(pd.Timestamp("2023-12-31T00:00Z"), pd.Timestamp("2023-12-31T23:00Z"))

"""A live decision is explained from its bars to its fill, whatever was deployed since."""

from __future__ import annotations

import json

import pandas as pd

from algo_pipeline_tests.cli.ended import Command
from algo_pipeline_tests.live_shop import LiveShop, hour


def test_an_hour_is_explained_and_confirmed_to_the_bit_though_another_champion_was_deployed_since(
    live: LiveShop, command: Command
) -> None:
    live.deploy()
    decided = command("decide", "--json").json()
    live.deploy(1.0)  # FLAT on every bar
    live.tick(hour(1))
    command("decide")
    found = command("explain", hour(0).isoformat(), "--json").json()
    quantity = decided["orders"][0]["quantity"]
    assert found["confirmed"] is True
    assert found["agreement"] == "equal to the last bit"
    assert found["rule"] == "thresholds (enter_threshold 0.0, exit_threshold 0.0)"
    assert (found["decision"]["signal"], found["decision"]["action"]) == ("LONG", "enter")
    assert [each["details"]["quantity"] for each in found["intents"]] == [quantity]
    assert found["holding"] == {"before": "0", "after": quantity}
    assert found["equity"]["before"] is None
    assert found["equity"]["after"] is not None
    assert len(found["recomputed"]["features"]) == 37
    assert [alert["code"] for alert in found["alerts"]] == ["order_filled"]
    later = command("explain", hour(1).isoformat(), "--json").json()
    assert later["decision"]["signal"] == "FLAT"
    assert later["decision"]["details"]["bundle"] != found["decision"]["details"]["bundle"]


def test_it_is_told_in_words_and_without_a_key(live: LiveShop, command: Command) -> None:
    live.deploy()
    command("decide")
    ended = command("explain", hour(0).isoformat(), ALGO_TRADER_ALPACA_SECRET_KEY="MARKERsecret")
    for word in ("Bars", "rsi_14", "adds", "Probability", "Rule", "Signal", "Intent", "Result", "Holding", "Equity"):
        assert word in ended.out
    assert "MARKER" not in ended.out


def test_a_bundle_that_is_not_kept_is_said_so_and_the_rest_is_told(live: LiveShop, command: Command) -> None:
    path = live.deploy()
    command("decide")
    path.unlink()
    for archived in (path.parent / "archive").iterdir():
        archived.unlink()
    found = command("explain", hour(0).isoformat(), "--json").json()
    assert found["confirmed"] is None
    assert found["agreement"].endswith("is not kept")
    assert found["decision"]["signal"] == "LONG"


def test_a_changed_bar_is_said_to_have_changed(live: LiveShop, command: Command) -> None:
    from algo_pipeline.live.hour_story import hour_story
    from algo_pipeline.registry.bundle import BundleStore
    from algo_pipeline.registry.explain import explain
    from algo_pipeline_tests.live_shop import market
    from algo_pipeline_tests.registry.samples import BTC

    live.deploy()
    command("decide")
    story = hour_story(live.lines, hour(0), BTC)
    bars = market().copy()
    bars.loc[hour(0), ["close", "high"]] *= 1.5
    found = explain(story, BundleStore(live.shop.artifacts).load(BTC), bars)
    assert found.is_confirmed is False
    assert "the bars have changed since" in found.agreement
    assert explain(story, BundleStore(live.shop.artifacts).load(BTC), market()).is_confirmed is True


def test_hours_that_are_none_or_unknown_are_refused_with_a_way_on(live: LiveShop, command: Command) -> None:
    assert "There is no journal" in command("explain", hour(0).isoformat()).err
    live.deploy()
    command("decide")
    half = hour(0) + pd.Timedelta(minutes=30)
    assert "opens on the hour" in command("explain", half.isoformat()).err
    unknown = command("explain", "2021-01-01T00:00", "--json")
    assert unknown.code == 1
    assert json.loads(unknown.out)["error"]["code"] == "storage"

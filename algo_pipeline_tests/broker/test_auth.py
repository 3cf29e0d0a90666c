"""Paper only: every trick URL, key and redirect; nothing is read or connected before the check."""

from __future__ import annotations

import copy
import socket
import traceback

import pytest
from pydantic import SecretStr

from algo_pipeline.broker.auth import PaperAccess, can_trade, require_paper
from algo_pipeline.common.errors import AlgoPipelineError, PaperOnlyError, SettingsError
from algo_pipeline.common.paper import PAPER_TRADING_URL
from algo_pipeline_tests.broker.rig import KEY, SECRET, SENTINELS, access_to
from algo_pipeline_tests.common.test_paper import ACCEPTED, REFUSED

LOOPBACK = "http://127.0.0.1:8900"
BROKEN_KEYS = {
    "a line break": "PK12\n34",
    "a header of its own": "PK1234\r\nHost: evil.example",
    "a blank": "PK12 34",
    "a dash from a text processor": "PK12–34",
    "a null": "PK12\x0034",
    "an escape": "PK12\x1b34",
}


def keys(key: str | None = KEY, secret: str | None = SECRET) -> tuple[SecretStr | None, SecretStr | None]:
    return (None if key is None else SecretStr(key)), (None if secret is None else SecretStr(secret))


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


class TestWhere:
    @pytest.mark.parametrize(("url", "root"), ACCEPTED, ids=[url for url, _ in ACCEPTED])
    def test_the_paper_host_and_loopback_may_trade(self, url: str, root: str) -> None:
        access = require_paper(url, *keys())
        assert access.trading_url == root
        assert access.is_loopback is (root != PAPER_TRADING_URL)

    @pytest.mark.usefixtures("no_sockets")
    @pytest.mark.parametrize("url", REFUSED, ids=[ascii(url) for url in REFUSED])
    def test_no_trick_url_may_trade_whatever_the_keys(self, url: str) -> None:
        for given in (keys(), keys(None, None), keys("", ""), keys("AK1", "x"), keys("PK\n", "x")):
            with pytest.raises(PaperOnlyError) as caught:
                require_paper(url, *given)
            assert caught.value.code == "not_paper_host"

    @pytest.mark.usefixtures("no_sockets")
    @pytest.mark.parametrize("url", REFUSED, ids=[ascii(url) for url in REFUSED])
    def test_not_even_an_access_can_be_made_for_one(self, url: str) -> None:
        with pytest.raises(PaperOnlyError):
            PaperAccess(url, SecretStr(KEY), SecretStr(SECRET))

    @pytest.mark.parametrize("value", [None, 5, b"https://paper-api.alpaca.markets", ["https://api.alpaca.markets"]])
    def test_what_is_no_text_is_refused(self, value: object) -> None:
        with pytest.raises(PaperOnlyError):
            require_paper(value, *keys())  # type: ignore[arg-type]

    def test_the_live_host_is_named_in_the_refusal_and_the_way_out_as_well(self) -> None:
        with pytest.raises(PaperOnlyError) as caught:
            require_paper("https://api.alpaca.markets", *keys())
        assert "it was https://api.alpaca.markets" in caught.value.message
        assert "ALGO_TRADER_ALPACA_TRADING_URL" in caught.value.remedy


class TestKeys:
    @pytest.mark.parametrize("missing", [None, "", "  ", "\n"])
    def test_alpaca_needs_both_and_the_missing_setting_is_named(self, missing: str | None) -> None:
        with pytest.raises(SettingsError, match=r"missing: ALGO_TRADER_ALPACA_API_KEY\."):
            require_paper(PAPER_TRADING_URL, *keys(key=missing))
        with pytest.raises(SettingsError, match=r"missing: ALGO_TRADER_ALPACA_SECRET_KEY\."):
            require_paper(PAPER_TRADING_URL, *keys(secret=missing))
        with pytest.raises(SettingsError, match="ALGO_TRADER_ALPACA_API_KEY, ALGO_TRADER_ALPACA_SECRET_KEY"):
            require_paper(PAPER_TRADING_URL, *keys(missing, missing))

    @pytest.mark.parametrize("missing", [None, "", " "])
    def test_a_sandbox_needs_none(self, missing: str | None) -> None:
        access = require_paper(LOOPBACK, *keys(missing, missing))
        assert access.api_key.get_secret_value()
        assert access.secret_key.get_secret_value()

    def test_a_sandbox_gets_the_configured_ones(self) -> None:
        access = require_paper(LOOPBACK, *keys("dummy", "other"))
        assert (access.api_key.get_secret_value(), access.secret_key.get_secret_value()) == ("dummy", "other")

    @pytest.mark.parametrize("url", [PAPER_TRADING_URL, LOOPBACK])
    @pytest.mark.parametrize("key", ["AKLIVE00000000000001", "akLive00000000000001", " AK1"])
    def test_a_live_key_is_refused_everywhere_for_a_tunnel_may_lead_anywhere(self, url: str, key: str) -> None:
        with pytest.raises(PaperOnlyError) as caught:
            require_paper(url, *keys(key))
        assert "paper account" in caught.value.remedy
        assert key.strip() not in str(caught.value)

    def test_blanks_around_a_key_are_cut(self) -> None:
        access = require_paper(PAPER_TRADING_URL, *keys(f" {KEY}\n", f"\t{SECRET} "))
        assert (access.api_key.get_secret_value(), access.secret_key.get_secret_value()) == SENTINELS

    @pytest.mark.parametrize("url", [PAPER_TRADING_URL, LOOPBACK])
    @pytest.mark.parametrize("broken", BROKEN_KEYS.values(), ids=BROKEN_KEYS.keys())
    def test_a_key_that_no_header_can_carry_is_refused_by_its_settings_name(self, url: str, broken: str) -> None:
        for given, name in ((keys(key=broken), "API_KEY"), (keys(secret=broken), "SECRET_KEY")):
            with pytest.raises(SettingsError, match=f"ALGO_TRADER_ALPACA_{name} must be plain") as caught:
                require_paper(url, *given)
            assert broken not in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "key", "secret", "can"),
        [
            (PAPER_TRADING_URL, KEY, SECRET, True),
            (PAPER_TRADING_URL, KEY, None, False),
            (PAPER_TRADING_URL, " ", SECRET, False),
            (PAPER_TRADING_URL, None, None, False),
            (LOOPBACK, None, None, True),
        ],
    )
    def test_trading_is_configured_with_both_keys_or_a_sandbox(
        self, url: str, key: str | None, secret: str | None, can: bool
    ) -> None:
        assert can_trade(url, *keys(key, secret)) is can


class TestSecrecy:
    def test_an_access_shows_no_key(self) -> None:
        access = access_to(PAPER_TRADING_URL)
        shown = f"{access} {access!r} {[access]} {copy.copy(access)}"
        assert not [secret for secret in SENTINELS if secret in shown]
        assert PAPER_TRADING_URL in shown

    @pytest.mark.parametrize("url", ["https://api.alpaca.markets", f"https://{KEY}:{SECRET}@paper-api.alpaca.markets"])
    def test_no_refusal_shows_a_key(self, url: str) -> None:
        with pytest.raises(AlgoPipelineError) as caught:
            require_paper(url, *keys())
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert not [secret for secret in SENTINELS if secret in shown]

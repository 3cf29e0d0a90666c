from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import PaperOnlyError, SettingsError
from algo_pipeline.common.paper import (
    ALPACA_DATA_URL,
    PAPER_TRADING_URL,
    is_loopback,
    require_alpaca_data_url,
    require_paper_url,
)

ACCEPTED = [
    ("https://paper-api.alpaca.markets", "https://paper-api.alpaca.markets"),
    ("https://paper-api.alpaca.markets/", "https://paper-api.alpaca.markets"),
    ("https://paper-api.alpaca.markets/v2", "https://paper-api.alpaca.markets"),
    ("https://paper-api.alpaca.markets/v2/", "https://paper-api.alpaca.markets"),
    ("https://paper-api.alpaca.markets:443", "https://paper-api.alpaca.markets"),
    ("HTTPS://Paper-API.Alpaca.Markets", "https://paper-api.alpaca.markets"),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ("http://127.0.0.1", "http://127.0.0.1"),
    ("http://localhost:8080/", "http://localhost:8080"),
    ("http://LOCALHOST:8080", "http://localhost:8080"),
    ("http://[::1]:8080/v2", "http://[::1]:8080"),
    ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
]

LOOK_ALIKES = [
    "https://api.alpaca.markets",
    "https://paper-api.alpaca.market",
    "https://paper-api.alpaca.markets.evil.com",
    "https://evilpaper-api.alpaca.markets",
    "https://paper-api.alpaca.markets-evil.com",
    "https://paper-api-alpaca.markets",
    "https://paper.api.alpaca.markets",
    "https://paper-api.alpaca.marketѕ",  # Cyrillic dze
    "https://рaper-api.alpaca.markets",  # Cyrillic er
    "https://xn--paper-api.alpaca.markets",
    "https://paper-api。alpaca。markets",  # ideographic full stops
    "https://ｐaper-api.alpaca.markets",  # full-width p
    "https://paper-api.alpaca.markets\u200b",  # zero-width space
]
USER_INFO = [
    "https://paper-api.alpaca.markets@evil.com",
    "https://user:secret@paper-api.alpaca.markets",
    "https://@paper-api.alpaca.markets",
    "https://evil.com@paper-api.alpaca.markets",
    "https://paper-api.alpaca.markets:443@evil.com",
    "https://paper-api.alpaca.markets%40evil.com",
    "http://127.0.0.1@evil.com",
    "http://127.0.0.1:80@evil.com:80",
]
BACKSLASHES = [
    "https://paper-api.alpaca.markets\\@evil.com",
    "https://evil.com\\@paper-api.alpaca.markets",
    "https:\\\\paper-api.alpaca.markets",
    "https:/\\paper-api.alpaca.markets",
    "https://evil.com\\.paper-api.alpaca.markets",
    "http://127.0.0.1\\.evil.com",
]
TRAILING_DOTS = ["https://paper-api.alpaca.markets.", "https://paper-api.alpaca.markets./", "http://localhost."]
SCHEMES = [
    "http://paper-api.alpaca.markets",
    "ftp://paper-api.alpaca.markets",
    "ws://127.0.0.1",
    "wss://paper-api.alpaca.markets",
    "file:///paper-api.alpaca.markets",
    "javascript://paper-api.alpaca.markets",
    "//paper-api.alpaca.markets",
    "paper-api.alpaca.markets",
    "localhost:8080",
    "https:paper-api.alpaca.markets",
    "https:/paper-api.alpaca.markets",
    "https:///paper-api.alpaca.markets",
    "httpss://paper-api.alpaca.markets",
]
PORTS = [
    "https://paper-api.alpaca.markets:8443",
    "https://paper-api.alpaca.markets:80",
    "https://paper-api.alpaca.markets:0",
    "https://paper-api.alpaca.markets:",
    "https://paper-api.alpaca.markets:443:443",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:８０",  # full-width digits
    "http://127.0.0.1:80a",
]
PATHS_AND_QUERIES = [
    "https://api.alpaca.markets/paper-api.alpaca.markets",
    "https://api.alpaca.markets/?paper-api.alpaca.markets",
    "https://api.alpaca.markets#paper-api.alpaca.markets",
    "https://api.alpaca.markets/paper",
    "https://evil.com/?u=https://paper-api.alpaca.markets",
    "https://paper-api.alpaca.markets?x=1",
    "https://paper-api.alpaca.markets#x",
    "https://paper-api.alpaca.markets#@evil.com",
    "https://paper-api.alpaca.markets?@evil.com",
    "https://paper-api.alpaca.markets/../evil",
    "https://paper-api.alpaca.markets//evil.com",
    "https://paper-api.alpaca.markets/v1",
    "https://paper-api.alpaca.markets;evil.com",
    "https://paper-api.alpaca.markets,evil.com",
]
LOOPBACK_TRICKS = [
    "http://127.0.0.1.evil.com",
    "http://localhost.evil.com",
    "http://127.0.0.2",
    "http://127.1",
    "http://0.0.0.0",
    "http://0",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://2130706433",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://[::]",
    "http://[::1",
    "http://::1",
    "http://[::1].evil.com",
    "http://[::1]evil.com",
    "http://[::2]",
    "http://[0:0:0:0:0:0:0:1]",
    "http://[::ffff:127.0.0.1]",
    "http://[::1%25lo]",
    "http://[::1%lo]",
    "http://[2001:db8::1]",
    "http://localhost%2eevil.com",
    "http://①②⑦.0.0.1",  # circled digits
]
WHITESPACE = [
    "",
    " ",
    " https://paper-api.alpaca.markets",
    "https://paper-api.alpaca.markets ",
    "https://paper-api.alpaca.markets\n",
    "\thttps://paper-api.alpaca.markets",
    "https://paper-api.alpaca.markets\r\nHost: evil.com",
    "https://paper-api.\nalpaca.markets",
    "https://paper-api.alpaca.markets\x00.evil.com",
    "https:// paper-api.alpaca.markets",
]
PERCENT = [
    "https://paper-api%2ealpaca.markets",
    "https://%70aper-api.alpaca.markets",
    "https://paper-api.alpaca.markets%2f@evil.com",
    "https://paper-api.alpaca.markets%00",
    "https://paper-api.alpaca.markets/%2e%2e/",
]
REFUSED = [
    *LOOK_ALIKES,
    *USER_INFO,
    *BACKSLASHES,
    *TRAILING_DOTS,
    *SCHEMES,
    *PORTS,
    *PATHS_AND_QUERIES,
    *LOOPBACK_TRICKS,
    *WHITESPACE,
    *PERCENT,
]


@pytest.mark.parametrize(("url", "root"), ACCEPTED, ids=[url for url, _ in ACCEPTED])
def test_the_paper_host_and_loopback_are_accepted_in_their_plain_form(url: str, root: str) -> None:
    assert require_paper_url(url) == root
    assert require_paper_url(root) == root


@pytest.mark.parametrize("url", REFUSED, ids=[ascii(url) for url in REFUSED])
def test_everything_else_is_refused_for_trading(url: str) -> None:
    with pytest.raises(PaperOnlyError) as caught:
        require_paper_url(url)
    assert caught.value.code == "not_paper_host"


@pytest.mark.parametrize("url", REFUSED, ids=[ascii(url) for url in REFUSED])
def test_no_trick_url_is_loopback_or_a_data_host(url: str) -> None:
    assert not is_loopback(url)
    with pytest.raises(SettingsError):
        require_alpaca_data_url(url)


@pytest.mark.parametrize("value", [None, 5, b"https://paper-api.alpaca.markets", ["https://paper-api.alpaca.markets"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(PaperOnlyError):
        require_paper_url(value)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=300)
@given(prefix=st.text(max_size=4), inner=st.text(max_size=4), suffix=st.text(max_size=4))
def test_text_added_around_the_paper_host_never_changes_where_orders_go(prefix: str, inner: str, suffix: str) -> None:
    url = f"{prefix}https://{inner}paper-api.alpaca.markets{suffix}"
    try:
        assert require_paper_url(url) == PAPER_TRADING_URL
    except PaperOnlyError:
        return
    assert url.lower().rstrip("/").removesuffix("/v2").removesuffix(":443") == PAPER_TRADING_URL


def test_a_password_in_the_url_is_not_repeated_in_the_message() -> None:
    with pytest.raises(PaperOnlyError) as caught:
        require_paper_url("https://user:hunter2@api.alpaca.markets")
    assert "hunter2" not in str(caught.value)


def test_a_refused_host_is_named() -> None:
    with pytest.raises(PaperOnlyError, match=r"it was https://api\.alpaca\.markets\."):
        require_paper_url("https://api.alpaca.markets")


def test_the_data_host_and_the_trading_host_are_not_interchangeable() -> None:
    assert require_alpaca_data_url("https://data.alpaca.markets/") == ALPACA_DATA_URL
    assert require_alpaca_data_url("http://127.0.0.1:9") == "http://127.0.0.1:9"
    with pytest.raises(PaperOnlyError):
        require_paper_url(ALPACA_DATA_URL)
    with pytest.raises(SettingsError):
        require_alpaca_data_url(PAPER_TRADING_URL)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost", "https://[::1]:65535/"])
def test_loopback_is_recognised(url: str) -> None:
    assert is_loopback(url)


def test_the_paper_host_is_not_loopback() -> None:
    assert not is_loopback(PAPER_TRADING_URL)

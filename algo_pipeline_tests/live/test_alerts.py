from __future__ import annotations

import dataclasses
import json
import sys
import threading
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algo_pipeline.common.logger import MASK, SecretMasker, forward_logs
from algo_pipeline.live.alert_channels import AlertChannelError, AppriseChannel, alert_channels
from algo_pipeline.live.alerts import Alert, Alerter, Severity
from algo_pipeline_tests.live.lines import HOUR, START, hour

KILLED = Alert(Severity.CRITICAL, "kill_switch", "The kill switch latched", "Drawdown 11 %.", hour(0))


class Mailbox:
    """A channel that keeps what it gets, or fails."""

    def __init__(self, name: str = "mailbox", error: BaseException | None = None) -> None:
        self.name = name
        self.error = error
        self.got: list[Alert] = []

    def send(self, alert: Alert) -> None:
        if self.error is not None:
            raise self.error
        self.got.append(alert)


class Hanging(Mailbox):
    """A channel that answers when it is let go."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.let_go = threading.Event()

    def send(self, alert: Alert) -> None:
        self.let_go.wait(60)
        super().send(alert)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    channel = Hanging()
    yield channel
    channel.let_go.set()


def at(hours: float, alert: Alert = KILLED) -> Alert:
    return dataclasses.replace(alert, at=START + pd.Timedelta(hours=hours))


def alerter(folder: Path, *channels: Any, masker: SecretMasker | None = None, budget_s: float = 5.0) -> Alerter:
    return Alerter(folder, channels, lambda: START + 99 * HOUR, masker, budget_s=budget_s)


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "alerts.log").read_text("utf-8").splitlines()]


class TestTelling:
    def test_an_alert_is_shown_recorded_and_told(self, tmp_path: Path) -> None:
        shown: list[tuple[str, str]] = []
        mailbox = Mailbox()
        with forward_logs(lambda level, message: shown.append((level, message))):
            assert alerter(tmp_path, mailbox).raise_alert(KILLED)
        assert shown == [("CRITICAL", "The kill switch latched: Drawdown 11 %.")]
        assert mailbox.got == [KILLED]
        assert logged(tmp_path) == [
            {
                "at": "2024-01-01T00:00:00+00:00",
                "severity": "critical",
                "code": "kill_switch",
                "title": "The kill switch latched",
                "text": "Drawdown 11 %.",
                "told": True,
            }
        ]

    def test_without_channels_the_log_and_the_console_have_it(self, tmp_path: Path) -> None:
        assert alerter(tmp_path).raise_alert(KILLED)
        assert len(logged(tmp_path)) == 1

    def test_every_channel_gets_it_though_one_fails(self, tmp_path: Path) -> None:
        broken, whole = Mailbox("broken", RuntimeError("no route")), Mailbox()
        assert alerter(tmp_path, broken, whole).raise_alert(KILLED)
        assert whole.got == [KILLED]
        failure, told = logged(tmp_path)
        assert (failure["code"], failure["title"]) == (
            "alert_channel_failed",
            "An alert could not be sent to broken",
        )
        assert failure["text"] == "RuntimeError: no route"
        assert told["told"]

    def test_a_channel_that_hangs_is_not_waited_for_and_passed_over_later(
        self, tmp_path: Path, hanging: Hanging
    ) -> None:
        mailbox = Mailbox()
        alerts = alerter(tmp_path, hanging, mailbox, budget_s=0.2)
        assert alerts.raise_alert(KILLED)
        assert alerts.raise_alert(at(7))
        assert [alert.at for alert in mailbox.got] == [hour(0), hour(7)]
        assert hanging.got == []
        assert [line["code"] for line in logged(tmp_path)] == ["alert_channel_failed", "kill_switch", "kill_switch"]

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_channel_that_ends_its_thread_has_failed(self, tmp_path: Path) -> None:
        assert not alerter(tmp_path, Mailbox(error=SystemExit())).raise_alert(KILLED)

    def test_a_failing_channel_is_recorded_once_in_six_hours(self, tmp_path: Path) -> None:
        broken = Mailbox("broken", RuntimeError("no route"))
        for hours in range(4):
            assert not alerter(tmp_path, broken).raise_alert(at(hours))
        assert [line["code"] for line in logged(tmp_path)].count("alert_channel_failed") == 1

    def test_an_alert_that_nobody_took_is_tried_again_with_its_repeat(self, tmp_path: Path) -> None:
        channel = Mailbox(error=RuntimeError("no route"))
        assert not alerter(tmp_path, channel).raise_alert(KILLED)
        channel.error = None
        assert alerter(tmp_path, channel).raise_alert(at(1))
        assert len(channel.got) == 1


class TestFolding:
    def test_repeats_within_six_hours_are_counted_and_told_with_the_next(self, tmp_path: Path) -> None:
        mailbox = Mailbox()
        told = [alerter(tmp_path, mailbox).raise_alert(at(hours)) for hours in (0, 1, 2, 3, 4, 5, 6, 7)]
        assert told == [True, False, False, False, False, False, True, False]
        assert [alert.text for alert in mailbox.got] == [
            "Drawdown 11 %.",
            "Drawdown 11 %. (and 5 more since 2024-01-01 00:00 UTC)",
        ]
        assert [line["told"] for line in logged(tmp_path)] == told

    def test_another_title_code_or_severity_is_not_folded(self, tmp_path: Path) -> None:
        mailbox = Mailbox()
        for changes in ({}, {"title": "Another"}, {"code": "other"}, {"severity": Severity.WARNING}):
            assert alerter(tmp_path, mailbox).raise_alert(dataclasses.replace(KILLED, **changes))
        assert len(mailbox.got) == 4

    def test_another_text_is_folded(self, tmp_path: Path) -> None:
        alerter(tmp_path).raise_alert(KILLED)
        assert not alerter(tmp_path).raise_alert(dataclasses.replace(KILLED, text="Drawdown 12 %."))

    def test_a_clock_that_went_back_folds_nothing(self, tmp_path: Path) -> None:
        alerter(tmp_path).raise_alert(at(100))
        assert alerter(tmp_path).raise_alert(at(99))

    def test_lines_that_cant_be_read_are_passed_over_and_a_torn_one_spoils_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "alerts.log"
        path.write_bytes(b'\x00\xff\n[]\n{}\n\n{"at": "2024')
        assert alerter(tmp_path).raise_alert(KILLED)
        assert json.loads(path.read_bytes().splitlines()[-1])["code"] == "kill_switch"
        assert not alerter(tmp_path).raise_alert(at(1))

    def test_a_long_log_is_not_read_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "alerts.log"
        alerter(tmp_path).raise_alert(KILLED)
        with path.open("ab") as file:
            file.write(b'{"padding": "' + b"x" * 300_000 + b'"}\n')
        assert alerter(tmp_path).raise_alert(at(1))

    @pytest.mark.parametrize("sign", ["\u2028", "\n", "\udc80"])
    def test_any_sign_stays_in_its_line(self, tmp_path: Path, sign: str) -> None:
        alerter(tmp_path).raise_alert(dataclasses.replace(KILLED, text=f"a{sign}b"))
        (text,) = (tmp_path / "alerts.log").read_bytes().splitlines()
        assert json.loads(text)["text"] == f"a{sign}b"


class TestNeverInTheWay:
    def test_a_log_that_cant_be_written_stops_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "live").write_text("a file in the way")
        mailbox = Mailbox()
        assert alerter(tmp_path / "live", mailbox).raise_alert(KILLED)
        assert mailbox.got == [KILLED]

    def test_not_even_a_defect_of_its_own_stops_anything(self, tmp_path: Path) -> None:
        naive = dataclasses.replace(KILLED, at=pd.Timestamp("2024-01-01"))
        alerter(tmp_path).raise_alert(KILLED)
        assert not alerter(tmp_path).raise_alert(naive)

    def test_secrets_reach_neither_log_nor_channel(self, tmp_path: Path) -> None:
        mailbox, broken = Mailbox(), Mailbox(error=RuntimeError("key hunter2hunter2 refused"))
        leaking = dataclasses.replace(KILLED, title="hunter2hunter2 failed", text="with hunter2hunter2")
        alerter(tmp_path, mailbox, broken, masker=SecretMasker(["hunter2hunter2"])).raise_alert(leaking)
        assert (mailbox.got[0].title, mailbox.got[0].text) == (f"{MASK} failed", f"with {MASK}")
        assert "hunter2" not in (tmp_path / "alerts.log").read_text()


class FakeKind(Enum):
    INFO = "info"
    WARNING = "warning"
    FAILURE = "failure"


@pytest.fixture
def apprise(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """apprise, as far as we use it: whatever is sent through it is in this list; ``bad…`` is no URL of its."""
    sent: list[Any] = []

    class Apprise:
        url = ""

        def add(self, url: str) -> bool:
            self.url = url
            return not url.startswith("bad")

        def notify(self, body: str, title: str, notify_type: FakeKind) -> bool:
            if self.url.startswith("tgram"):
                raise ConnectionError(f"https://api.telegram.org/bot{self.url.split('/')[2]}/sendMessage")
            sent.append((self.url, title, body, notify_type))
            return not self.url.startswith("refusing")

    monkeypatch.setitem(sys.modules, "apprise", types.SimpleNamespace(Apprise=Apprise, NotifyType=FakeKind))
    return sent


class TestAppriseChannels:
    @pytest.mark.parametrize("urls", [None, "", "  ", ","])
    def test_no_urls_are_no_channels(self, urls: str | None) -> None:
        assert alert_channels(urls) == ()

    def test_urls_are_parted_at_commas_but_not_inside_a_url(self, apprise: list[Any]) -> None:
        channels = alert_channels("mail://me@host?to=a@x,b@x, tgrams://TOKEN/1,,json://host/, bad")
        for channel in (channels[0], channels[2]):
            channel.send(KILLED)
        assert [sent[0] for sent in apprise] == ["mail://me@host?to=a@x,b@x", "json://host/, bad"]

    def test_a_channel_is_named_by_its_place_and_scheme_alone(self) -> None:
        first, second = alert_channels("tgram://123:TOKEN/456,JSONS://user:pass@host")
        assert (first.name, second.name) == ("alert channel 1 (tgram)", "alert channel 2 (jsons)")
        assert "TOKEN" not in repr(first)

    @pytest.mark.parametrize(
        ("severity", "kind"),
        [
            (Severity.INFO, FakeKind.INFO),
            (Severity.WARNING, FakeKind.WARNING),
            (Severity.CRITICAL, FakeKind.FAILURE),
        ],
    )
    def test_a_severity_is_a_kind_of_notification(self, apprise: list[Any], severity: Severity, kind: FakeKind) -> None:
        AppriseChannel("json://host", 1).send(dataclasses.replace(KILLED, severity=severity))
        assert apprise == [("json://host", KILLED.title, KILLED.text, kind)]

    def test_a_long_text_is_cut_to_what_services_take(self, apprise: list[Any]) -> None:
        AppriseChannel("json://host", 1).send(dataclasses.replace(KILLED, text="x" * 9000))
        assert len(apprise[0][2]) == 3500

    @pytest.mark.parametrize("url", ["bad://TOKENTOKEN", "refusing://TOKENTOKEN", "tgram://TOKENTOKEN/1"])
    def test_a_failure_says_why_without_any_part_of_the_url(self, apprise: list[Any], url: str) -> None:
        with pytest.raises(AlertChannelError) as caught:
            AppriseChannel(url, 1).send(KILLED)
        assert "TOKENTOKEN" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert "ALGO_TRADER_ALERT_URLS" in caught.value.remedy

    def test_a_url_can_be_checked_without_sending(self, apprise: list[Any]) -> None:
        AppriseChannel("json://host", 1).check()
        with pytest.raises(AlertChannelError, match="none that apprise understands"):
            AppriseChannel("bad://host", 1).check()
        assert apprise == []

    def test_apprise_missing_is_a_failure_like_any_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "apprise", None)
        with pytest.raises(AlertChannelError, match="apprise"):
            AppriseChannel("json://host", 1).send(KILLED)

    def test_a_malformed_url_is_one_line_of_the_log_and_the_alert_goes_on(
        self, apprise: list[Any], tmp_path: Path
    ) -> None:
        channels = alert_channels("bad://TOKENTOKEN,json://host")
        for hours in range(3):
            dated = dataclasses.replace(KILLED, title=f"Hour {hours}")
            assert alerter(tmp_path, *channels).raise_alert(at(hours, dated))
        assert len(apprise) == 3
        assert [line["code"] for line in logged(tmp_path)].count("alert_channel_failed") == 1
        assert "TOKENTOKEN" not in (tmp_path / "alerts.log").read_text()

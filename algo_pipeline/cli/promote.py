"""``algo-pipeline promote``: a person's own choice of the champion, forth or back."""

from __future__ import annotations

import dataclasses
import getpass
import os
from typing import TYPE_CHECKING, Any

import click

from algo_pipeline.cli.parameters import one_pair
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.formatting import minute
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    from algo_pipeline.interfaces.strategy import StrategyInterface
    from algo_pipeline.registry.hand_promotion import HandPromoted, HandPromotion


@click.command()
@click.argument("version", type=click.IntRange(min=1))
@click.option("--symbol", callback=one_pair, metavar="BASE/QUOTE", help="Whose champion; needed if several are set.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is written to the ledger with your name.")
@click.option(
    "--trade/--flat",
    "trade",
    default=None,
    help="Let it enter whatever the evidence says; or never enter. Your choice.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def promote(version: int, symbol: Symbol | None, reason: str, trade: bool | None, as_json: bool) -> None:
    """Deploy a registered VERSION as the champion: a later one, or back to an earlier one.

    \b
    Examples:
      algo-pipeline promote 3 --symbol BTC/USD --reason "version 4 drifts"
      algo-pipeline promote 3 --symbol BTC/USD --reason "no entries" --flat

    VERSION is the number in MLflow's registry (model algo-pipeline-<pair>-<label>); `algo-pipeline champion` shows the
    present one. It is deployed flat (it exits, and never enters) unless the gate found evidence that it may trade,
    under the trading rules now set; --trade overrides that, and the ledger keeps it. A version that learnt another
    label, or from another source, than what is set and deployed is refused.

    The ledger is written first, then MLflow's alias is moved, then the bundle that live trading reads is replaced. If
    it is interrupted, run it again. The next research run judges its own model against this champion, and may replace
    it; `algo-pipeline halt` stops entries whatever is deployed.
    """  # noqa: D301 - click reads the escape
    if not reason.strip():
        raise click.BadParameter("a reason is expected; it is written to the ledger.", param_hint="--reason")
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.registry.hand_promotion import promote_by_hand
    from algo_pipeline.registry.mlflow_registry import MlflowRegistry

    wish = _wish(settings, symbol or _only_symbol(settings), str(version), reason.strip(), trade)
    done = promote_by_hand(wish, settings.artifacts_dir, MlflowRegistry.configured(settings))
    if as_json:
        click.echo(to_json(_document(wish, done)))
    else:
        _print(wish, done)


def _only_symbol(settings: Settings) -> Symbol:
    symbols = settings.parsed_symbols()
    if len(symbols) != 1:
        names = ", ".join(map(str, symbols))
        raise click.UsageError(f"--symbol is needed, for several are configured: {names}.")
    return symbols[0]


def _wish(settings: Settings, symbol: Symbol, version: str, reason: str, trade: bool | None) -> HandPromotion:
    from algo_pipeline.broker.auth import can_trade
    from algo_pipeline.common.paper import is_loopback
    from algo_pipeline.data.own_label import configured_label_spec
    from algo_pipeline.registry.hand_promotion import HandPromotion
    from algo_pipeline.research.promotion import Policy

    url = settings.alpaca_trading_url
    return HandPromotion(
        symbol=symbol,
        version=version,
        reason=reason,
        who=_user(),
        trade=trade,
        label=configured_label_spec(settings.label).name,
        source=settings.data_source,
        config=settings.backtest_config(),
        strategy=_strategy(settings),
        policy=Policy(settings.promotion_policy),
        real_account=can_trade(url, settings.alpaca_api_key, settings.alpaca_secret_key) and not is_loopback(url),
        own=settings.own_classes(),
    )


def _strategy(settings: Settings) -> StrategyInterface:
    from algo_pipeline.data.own_label import configured_label_spec
    from algo_pipeline.strategy.catalog import settings_strategy

    return settings_strategy(settings, configured_label_spec(settings.label).horizon_bars)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"user {os.getuid()}"


def _document(wish: HandPromotion, done: HandPromoted) -> dict[str, Any]:
    return {
        "symbol": str(wish.symbol),
        **dataclasses.asdict(done),
        "who": wish.who,
        "reason": wish.reason,
        "alias": done.version,
    }


def _print(wish: HandPromotion, done: HandPromoted) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    for found in done.found:
        console.print(f"Found: {found}")
    console.print(f"{wish.symbol}: {_headline(done)}", style="bold")
    effect = "it may enter" if done.trading == "on" else "it records and exits, and never enters"
    console.print(f"Trading {done.trading} ({effect}): {done.because}.")
    if done.alias_before != done.version:
        was = f"version {done.alias_before}" if done.alias_before else "nothing"
        console.print(
            f"MLflow's alias champion of {done.model_name} pointed at {was}; now it points at {done.version}."
        )
    console.print(f"It learnt from bars until {minute(to_utc(done.training_end))} UTC.")
    if done.deployed or done.alias_before != done.version:
        console.print(f"The ledger has it under {wish.who}: {wish.reason}")


def _headline(done: HandPromoted) -> str:
    if not done.deployed:
        return f"version {done.version} is the champion already, and stays as it is."
    before = f"version {done.from_version}" if done.from_version else "none"
    return f"version {done.version} is the champion now; before, it was {before}."

"""Entry point of the ``algo-pipeline`` command."""

from __future__ import annotations

import sys
from importlib import import_module
from types import MappingProxyType

import click

from algo_pipeline.cli.errors import MISUSE, fail, foreseeable

# Each lives in the module of its name, but for the two switches of a person.
_MODULES = MappingProxyType(
    {
        "research": "research",
        "sweep": "sweep",
        "leaderboard": "leaderboard",
        "search": "search",
        "ui": "ui",
        "dashboard": "dashboard",
        "sandbox": "sandbox",
        "rehearse": "rehearse",
        "decide": "decide",
        "replay": "replay",
        "status": "status",
        "champion": "champion",
        "promote": "promote",
        "reproduce": "reproduce",
        "explain": "explain",
        "export": "export",
        "verify": "verify",
        "halt": "controls",
        "resume": "controls",
        "doctor": "doctor",
    }
)


class _Commands(click.Group):
    """Imports a command's module only when the command is used, so that --help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        command: click.Command = getattr(import_module(f"algo_pipeline.cli.{_MODULES[cmd_name]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its whole first sentence, which click would cut off after a few words."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, command.get_short_help_str(limit=200)) for name, command in commands.items() if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="algo-pipeline", prog_name="algo-pipeline")
def cli() -> None:
    """Hourly crypto research you can trust, from bars to a calibrated, registered model and an honest backtest.

    Settings come from ALGO_TRADER_… environment variables, then from .env, then from defaults;
    docs/settings.md lists them all.
    """


def main() -> None:
    """Run the command; every foreseeable failure ends in one message, never in a traceback."""
    as_json = "--json" in sys.argv
    try:
        cli.main(standalone_mode=False)
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx else "algo-pipeline --help"
        fail("misuse", error.format_message(), hint, as_json, MISUSE)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted", "Interrupted.", "Run it again: it continues from what is stored.", as_json)
    except Exception as error:
        _fail_unless_unknown(error, as_json)


def _fail_unless_unknown(error: Exception, as_json: bool) -> None:
    from loguru import logger

    known = foreseeable(error)
    if known is not None:
        fail(known.code, known.message, known.remedy, as_json)
    logger.opt(exception=error).debug("unexpected failure")
    fail(
        "unexpected",
        f"{type(error).__name__}: {error}",
        "This is a defect of the program; the details are in logs/algo_pipeline.log under the artifacts folder.",
        as_json,
    )

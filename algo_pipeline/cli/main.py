"""Entry point of the ``algo-pipeline`` command."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import groupby

import click
from click.shell_completion import CompletionItem

from algo_pipeline.cli.commands import COMMANDS
from algo_pipeline.cli.errors import MISUSE, fail, foreseeable


class _Commands(click.Group):
    """Imports a command's module only when the command is used: help and completion of names answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"algo_pipeline.cli.{COMMANDS[cmd_name].module}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A line each, under the headings of the list."""
        width = max(map(len, COMMANDS))
        for section, names in groupby(COMMANDS, key=lambda name: COMMANDS[name].section):
            with formatter.section(section):
                formatter.write_dl([(f"{name:<{width}}", COMMANDS[name].summary) for name in names])


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
    if isinstance(error, ImportError) and not (error.name or "").startswith("algo_pipeline"):
        fail("environment", f"A package can't be imported: {error}.", "algo-pipeline doctor", as_json)
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

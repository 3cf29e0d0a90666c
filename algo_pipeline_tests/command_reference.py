"""The commands as pages tell them: names, what they do, examples and options, read from the command itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from algo_pipeline.cli.main import cli

PROGRAM = "algo-pipeline"
_VERBATIM = "\b"  # click's sign that a paragraph is not wrapped again
_MARKUP = re.compile(r"(ALGO_TRADER_[A-Z_]+…?|(?<!\w)--[a-z][a-z-]+|<[\w<>/.-]+)")


def command_names() -> list[str]:
    """Every command, in the order of ``algo-pipeline --help``."""
    return cli.list_commands(click.Context(cli))


def command_of(name: str) -> click.Command:
    """A command of this name."""
    found = cli.get_command(click.Context(cli), name)
    if found is None:
        raise KeyError(name)
    return found


def overview() -> str:
    """A table with a row per command."""
    rows = [f"| [`{name}`](#{PROGRAM}-{name}) | {_short(command_of(name))} |" for name in command_names()]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def reference() -> str:
    """A section per command."""
    return "\n\n".join(_section(name, command_of(name)) for name in command_names())


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"{PROGRAM} {name}")
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [f"### `{PROGRAM} {name}`", *_paragraphs(command), f"```text\n{usage}\n```", _options(command, context)]
    return "\n\n".join(part for part in parts if part)


def _paragraphs(command: click.Command) -> Iterator[str]:
    """The help text; what it shows verbatim is fenced, without a title of its own."""
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        if lines[0] != _VERBATIM:
            yield _shown(" ".join(lines))
            continue
        shown = [line for line in lines[1:] if line != "Examples:"]
        fence = "```" if all(line.startswith(PROGRAM) for line in shown) else "```text"
        yield "\n".join([fence, *shown, "```"])


def _options(command: click.Command, context: click.Context) -> str:
    records = [option.get_help_record(context) for option in command.params if isinstance(option, click.Option)]
    rows = [f"| `{_choices(usage)}` | {_shown(_plain(text))} |" for usage, text in filter(None, records)]
    return "\n".join(["| option | meaning |", "| --- | --- |", *rows]) if rows else ""


def _short(command: click.Command) -> str:
    return _shown(command.get_short_help_str(limit=300))


def _choices(usage: str) -> str:
    """``--source [file|simulated]`` as ``--source {file, simulated}``: a bar would end the cell."""
    return re.sub(r"\[([^\]]*\|[^\]]*)\]", lambda found: f"{{{found[1].replace('|', ', ')}}}", _cell(usage))


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _plain(text: str) -> str:
    """Defaults and ranges in round brackets: square ones are a link's."""
    return _cell(text).replace("[", "(").replace("]", ")")


def _shown(text: str) -> str:
    """Names of settings, options and places in angle brackets as code, which Markdown would take for markup."""
    quoted = text.split("`")
    quoted[::2] = [_MARKUP.sub(r"`\1`", part) for part in quoted[::2]]  # the odd parts are code already
    return "`".join(quoted)

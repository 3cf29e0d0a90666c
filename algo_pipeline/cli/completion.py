"""``algo-pipeline completion``: the script by which a shell completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in your SHELL.

    \b
    For this session (bash, zsh):
      source <(algo-pipeline completion bash)

    \b
    For good:
      cd ~/.local/share/bash-completion/completions
      algo-pipeline completion bash > algo-pipeline

    \b
      cd ~/.zfunc           (in ~/.zshrc, before compinit: fpath+=~/.zfunc)
      algo-pipeline completion zsh > _algo-pipeline

    \b
      cd ~/.config/fish/completions
      algo-pipeline completion fish > algo-pipeline.fish

    The command has to be on the PATH, as it is while its environment is active.
    """  # noqa: D301 - click reads the escape
    root = ctx.find_root()
    program = root.info_name or "algo-pipeline"
    variable = f"_{program}_complete".replace("-", "_").upper()
    shell_completion = get_completion_class(shell)
    if shell_completion is None:  # each of the choices has one
        raise click.BadParameter(f"{shell} is not supported.", ctx)
    click.echo(shell_completion(root.command, {}, program, variable).source())

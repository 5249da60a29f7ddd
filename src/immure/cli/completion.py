"""``immure completion``: completion scripts for shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_EPILOG = """
\b
To switch it on:
  bash   immure completion bash >> ~/.bashrc
  zsh    immure completion zsh >> ~/.zshrc
  fish   immure completion fish > ~/.config/fish/completions/immure.fish
"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script for SHELL."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    root = context.find_root()
    click.echo(kind(root.command, {}, "immure", "_IMMURE_COMPLETE").source())

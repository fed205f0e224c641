"""``spine-fracture train``: the group of commands that make models."""

from __future__ import annotations

import typer

group = typer.Typer(help="Train a detector or a classifier.", no_args_is_help=True)

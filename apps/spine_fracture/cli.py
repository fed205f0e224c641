"""The command ``spine-fracture``."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

from spine_fracture.commands import (
    cohort,
    compare,
    cross_validate,
    demo,
    evaluate,
    evaluate_real,
    ingest,
    jobs,
    models,
    papers,
    phantom,
    publish,
    queue,
    radiographs,
    read,
    reads,
    regions,
    search,
    serve,
    train,
    train_classifier,
    train_detector,
    train_system,
    user,
)
from spine_fracture.errors import SpineFractureError

cli = typer.Typer(
    name="spine-fracture",
    help="Active learning for vertebral fractures on spine MRI. Not for clinical use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cohort.register(cli)
compare.register(cli)
cross_validate.register(cli)
demo.register(cli)
evaluate.register(cli)
evaluate_real.register(cli)
ingest.register(cli)
jobs.register(cli)
models.register(cli)
papers.register(cli)
phantom.register(cli)
publish.register(cli)
train_classifier.register(train.group)
train_detector.register(train.group)
train_system.register(train.group)
search.register(train.group)
cli.add_typer(train.group, name="train")
queue.register(cli)
radiographs.register(cli)
read.register(cli)
reads.register(cli)
regions.register(cli)
serve.register(cli)
user.register(cli)


def app() -> None:
    """Entry point: an expected error is one line on stderr and exit code 2, never a traceback."""
    try:
        cli()
    except SpineFractureError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False)
        sys.exit(2)

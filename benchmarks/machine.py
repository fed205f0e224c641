"""What every benchmark says of itself: the machine, a table, a JSON file."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table


def machine() -> str:
    """Processor, cores and the versions that decide the speed."""
    import openvino
    import torch

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    cores = len(os.sched_getaffinity(0))
    versions = f"torch {torch.__version__}, OpenVINO {openvino.__version__.split('-')[0]}"
    return f"{processor}, {cores} cores, {versions}"


def show(
    title: str,
    columns: tuple[str, ...],
    rows: list[tuple[str, ...]],
    results: dict[str, object],
    file: Path | None,
) -> None:
    """Print the table; write ``results`` with the machine's name to ``file`` if one is given."""
    table = Table(*columns, title=f"{title}\n{machine()}")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if file is not None:
        file.write_text(json.dumps({"machine": machine(), **results}, indent=2) + "\n")

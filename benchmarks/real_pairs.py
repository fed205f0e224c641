"""Detectors on the real pairs: the shipped one's recipe with other networks, judged on held-out patients.

    python benchmarks/real_pairs.py --data lumbar_t1t2 --work DIR

Trains what ``--work`` lacks, one network after the other, and goes on with one that was cut short; then
writes the table, in which each network stands beside the shipped weights. It only reads where nothing lacks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from machine import machine
from rich.console import Console

from spine_fracture.bundle import MANIFEST, SHIPPED_WEIGHTS
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.configuration import load_config
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.errors import InputError, SpineFractureError
from spine_fracture.evaluation.detection.naming import PictureBoxes, picture_answers, score_pictures
from spine_fracture.evaluation.detection.paired import paired_precision
from spine_fracture.files import write_atomically
from spine_fracture.lumbar_set import LumbarPatient, read_lumbar_set
from spine_fracture.training.comparisons.comparison import Comparison, Entry, require_known, system_of
from spine_fracture.training.comparisons.markdown import signed, table
from spine_fracture.training.detectors.config import DetectorConfig
from spine_fracture.training.detectors.pictures import aligned_pair
from spine_fracture.training.detectors.report import Given, read_pair, real_boxes
from spine_fracture.training.detectors.training import train_and_report
from spine_fracture.training.learning.loop import Epoch

DOCS = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = (f"<!-- real pairs {where} -->" for where in ("begin", "end"))
JUDGING = (Split.VALIDATION, Split.TEST)
COLUMNS = (
    "network", "patients", "mAP50-95", "mAP50", "all levels rightly named", "mAP50-95 above the shipped one",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="real pairs laid out like the lumbar set")
    parser.add_argument("--work", type=Path, required=True, help="where pictures, checkpoints, weights lie")
    parser.add_argument("--only", action="append", default=[], help="train these alone; the table has all")
    options = parser.parse_args()
    comparison = load_config("comparisons/real_pairs", Comparison)
    require_known(comparison, options.only, ())
    seed = only_seed(comparison)
    chosen = [entry for entry in comparison.entries if not options.only or entry.name in options.only]
    for entry in chosen:
        if not (options.work / entry.name / MANIFEST).is_file():
            train(comparison, entry, seed, options.data, options.work)
    networks = {"shipped": SHIPPED_WEIGHTS / "detector"}
    networks |= {e.name: options.work / e.name for e in comparison.entries}
    trained = {name: folder for name, folder in networks.items() if (folder / MANIFEST).is_file()}
    text = "\n".join([comparison.note, f"Read on: {machine()}.", "", *rows(trained, options.data), ""])
    before, _, rest = DOCS.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    write_atomically(DOCS, f"{before}{BEGIN}\n{text}{END}{after}".encode())


def only_seed(comparison: Comparison) -> int:
    """The seed of all networks; raises :class:`InputError` for several, of which a folder holds one."""
    if len(comparison.seeds) != 1:
        raise InputError(
            f"The comparison {comparison.name} has {len(comparison.seeds)} seeds, and each network is "
            "trained once: leave one in `seeds`."
        )
    return comparison.seeds[0]


def train(comparison: Comparison, entry: Entry, seed: int, data: Path, work: Path) -> None:
    """One network; pictures are made once for all."""
    console = Console()
    config = system_of(comparison, entry).config
    assert isinstance(config, DetectorConfig)
    config = config.model_copy(update={"name": entry.name, "seed": seed})
    command = f"python benchmarks/real_pairs.py --data {comparison.cohort} --work DIR"

    def told(epoch: Epoch) -> None:
        console.print(f"{entry.name}: epoch {epoch.number} of {epoch.of}, loss {epoch.loss:.4f}")

    train_and_report(config, data, work / entry.name, work, command, lambda what, done, of: None, told)
    (work / "checkpoint.pt").unlink(missing_ok=True)  # of this network: the next one begins anew


def rows(networks: dict[str, Path], data: Path) -> list[str]:
    """The table's lines, the shipped weights first."""
    patients = read_lumbar_set(data)
    read = {
        (name, split): named(VertebraDetector.load(folder), [p for p in patients if split_of(p.key) is split])
        for name, folder in networks.items()
        for split in JUDGING
    }
    lines = []
    for (name, split), boxes in read.items():
        scores = score_pictures(boxes)
        both = {one: picture_answers(read[one, split]) for one in dict.fromkeys(("shipped", name))}
        gain = "".join(signed(pair.difference.difference) for pair in paired_precision(both))
        figures = (scores.map50_95, scores.map50, scores.all_levels_correct)
        lines.append((name, f"{split} ({len(boxes)})", *(f"{figure:.3f}" for figure in figures), gain))
    return table(COLUMNS, lines)


def named(detector: VertebraDetector, patients: list[LumbarPatient]) -> list[PictureBoxes]:
    """What the detector names on the aligned pairs."""
    return [real_boxes(p, read_pair(detector, aligned_pair(p), Given.BOTH)) for p in patients]


if __name__ == "__main__":
    try:
        main()
    except SpineFractureError as error:
        sys.exit(str(error))

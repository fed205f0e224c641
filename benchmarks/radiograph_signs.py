"""Do the simulated radiographs show anything? A small network on crops of the altered vertebrae alone.

    python benchmarks/radiograph_signs.py --cohort R [--json FILE]

It is told where to look, which no system of the comparison is: what it reaches is there to be found, and how
much is lost at the size of pictures that the comparison can afford. Minutes on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from machine import show
from torch import nn
from torch.nn import functional

from spine_fracture.anatomy import Diagnosis
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.statistics.intervals import auc_interval
from spine_fracture.radiography import Picture
from spine_fracture.training.cohorts.radiograph_cache import VIEWS, RadiographCache
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS

#: Side of a crop in pixels of the cohort's pictures: a vertebra and half of its neighbours.
SIDE = 64
#: The shares of the pictures' size that are compared: whole, and about 112 x 72 of 320 x 192.
SHRUNK = (1.0, 0.35)
EPOCHS, BATCH = 30, 32


@dataclass(frozen=True, eq=False)
class Crops:
    """``pixels`` (n, 1, SIDE, SIDE) in -0.5..0.5; a lesion each, ``seen`` where its sign is visible."""

    pixels: torch.Tensor
    malignant: np.ndarray
    seen: np.ndarray
    patients: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cohort", type=Path, required=True, help="made by cohort simulate-radiographs")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the same figures on every machine of one kind
    cache = RadiographCache(options.cohort / RADIOGRAPHS)
    rows, results = [], {}
    for number, view in enumerate(VIEWS):
        for share in SHRUNK:
            teaching, test = (crops(cache, number, part, share) for part in (None, Part.TEST))
            score = scores(taught(teaching), test)
            figures = [auc(score, test, kept) for kept in (test.seen | True, test.seen, ~test.seen)]
            name = f"{view}, pictures at {share:.0%}"
            rows.append((name, str(len(score)), str(len(set(test.patients))), *figures))
            results[name] = figures
    columns = ("crops of", "lesions", "patients", "AUC by lesion", "sign visible", "no sign")
    show("Malignant or benign, by lesion", columns, rows, {"rows": results}, options.json)


def crops(cache: RadiographCache, view: int, part: Part | None, share: float) -> Crops:
    """Every lesion of the patients of ``part`` (None: who teach)."""
    pixels: list[Picture] = []
    lesions: list[tuple[bool, bool, str]] = []
    for label, pictures in zip(cache.labels, cache.pixels, strict=True):
        if label.part is not part:
            continue
        picture = shrunk(pictures[view], share)
        for level in label.levels[view]:
            if level.diagnosis is not Diagnosis.NORMAL:
                left, top, right, bottom = level.box
                middle = ((left + right) / 2, (top + bottom) / 2)
                pixels.append(cv2.getRectSubPix(picture, (SIDE, SIDE), middle))
                lesions.append((level.diagnosis is Diagnosis.MALIGNANT, level.sign, label.patient))
    malignant, seen, patients = zip(*lesions, strict=True)
    grey = torch.from_numpy(np.array(pixels, np.float32)[:, None]) / 255 - 0.5
    return Crops(grey, np.array(malignant), np.array(seen), patients)


def shrunk(picture: Picture, share: float) -> Picture:
    """What is left of the picture at that size, shown at its own; local contrast evened out."""
    if share < 1:
        small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.createCLAHE(2.0, (8, 8)).apply(picture)


def taught(lesions: Crops) -> nn.Module:
    """The network after all epochs: no patient chooses one."""
    torch.manual_seed(1)
    widths = (1, 16, 32, 64, 96)
    blocks = [block(*pair) for pair in pairwise(widths)]
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1], 2))
    network = nn.Sequential(*blocks, *pooled)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
    truth = torch.from_numpy(lesions.malignant).long()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(truth)).split(BATCH):
            down, across = torch.randint(-4, 5, (2,)).tolist()
            moved = torch.roll(lesions.pixels[batch], (down, across), (2, 3))
            lit = moved * (1 + 0.3 * torch.randn(len(batch), 1, 1, 1))
            loss = functional.cross_entropy(network(lit), truth[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def block(given: int, width: int) -> nn.Sequential:
    convolution = nn.Conv2d(given, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2))


def scores(network: nn.Module, lesions: Crops) -> np.ndarray:
    with torch.inference_mode():
        return network(lesions.pixels).softmax(dim=1)[:, 1].double().numpy()


def auc(score: np.ndarray, lesions: Crops, kept: np.ndarray) -> str:
    """With its interval over patients."""
    patients = [patient for patient, keep in zip(lesions.patients, kept, strict=True) if keep]
    found = auc_interval(score[kept], lesions.malignant[kept], patients)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    main()

"""From the DICOM files of a T1 and T2 study to the answer in JSON, stage by stage.

In one run: the stages, the bare PyTorch fp32 eager forward of both networks on the very same
batches, the ratio of the whole to it, and the same work through an ordinary MONAI Label
BasicInferTask, slice by slice. 20 aligned phantom studies of 2 x 15 slices, made by seed.

    python benchmarks/serve.py --json serve.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from machine import show
from monai.transforms import (
    ConcatItemsd,
    EnsureChannelFirstd,
    EnsureTyped,
    LoadImaged,
    Resized,
    ScaleIntensityRangePercentilesd,
    SqueezeDimd,
    ToNumpyd,
)
from monailabel.interfaces.tasks.infer_v2 import InferType
from monailabel.tasks.infer.basic_infer import BasicInferTask
from rich.progress import track

from spine_fracture.bundle import SHIPPED_WEIGHTS, read_bundle
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.dicom.choose import choose
from spine_fracture.dicom.pairing import pair
from spine_fracture.dicom.reader import read_slices
from spine_fracture.dicom.scan import SeriesFiles, scan
from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.pipeline import ReadingPipeline
from spine_fracture.server.answers import StudyAnswer
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe
from spine_fracture.simulation.study import simulate_study

STUDIES = 20
FIRST_SEED = 900_000
RECIPE = PhantomRecipe(
    name="benchmark",
    patients=STUDIES,
    patient_shift=0.0,
    extra_share=0.0,
    coverage=CoverageShares(lumbar=1.0, thoracolumbar=0.0),
)


@dataclass
class Stages:
    """Seconds of one study by stage, and the batches its networks were given."""

    seconds: dict[str, float] = field(default_factory=dict)
    batches: dict[str, list[np.ndarray]] = field(default_factory=lambda: {"detector": [], "classifier": []})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def watched(self, network: str, forward: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """``forward``, its time counted as network and its batches kept."""

        def call(batch: Any) -> Any:
            with self.stage("network"):
                answer = forward(batch)
            self.batches[network].append(batch)
            return answer

        return call


def write_studies(folder: Path) -> list[Path]:
    folders = []
    for seed in track(range(FIRST_SEED, FIRST_SEED + STUDIES), "Making phantoms"):
        study = simulate_study(seed, RECIPE)
        tags = PatientTags(study.patient_key, uid_from("benchmark", study.patient_key))
        for number, volume in enumerate(study.volumes, start=1):
            write_series(volume, tags, folder / study.patient_key / volume.sequence, series_number=number)
        folders.append(folder / study.patient_key)
    return folders


def serve(folder: Path, pipeline: ReadingPipeline) -> Stages:
    """Everything that a request costs when nothing is cached."""
    stages = Stages()
    detector, classifier = pipeline.detector.finder, pipeline.classifier
    kept = detector._forward, classifier._forward
    detector._forward = stages.watched("detector", kept[0])
    classifier._forward = stages.watched("classifier", kept[1])
    try:
        with stages.stage("reading"):
            choice = choose(scan(folder).studies[0])
            t1, t2 = (read_slices(s.headers) if s else None for s in (choice.t1, choice.t2))
        with stages.stage("preparing"):
            stack = pair(t1, t2)
        if stack.registered:
            raise SystemExit(f"{folder.name} was registered: the benchmark needs aligned studies.")
        with stages.stage("pipeline"):
            reading = pipeline.read(stack, folder.name)
        with stages.stage("writing"):
            StudyAnswer.of(reading, folder.name, {}).model_dump_json()
    finally:
        detector._forward, classifier._forward = kept
    stages.seconds["joining"] = stages.seconds.pop("pipeline") - stages.seconds["network"]
    return stages


def bare_forward(torch_pipeline: ReadingPipeline, stages: Stages) -> float:
    """Seconds of eager PyTorch fp32 on the batches of one study."""
    started = time.perf_counter()
    for batch in stages.batches["detector"]:
        torch_pipeline.detector.finder._forward(batch)
    for batch in stages.batches["classifier"]:
        torch_pipeline.classifier._forward(batch)
    return time.perf_counter() - started


class PlainTask(BasicInferTask):
    """A network behind MONAI Label's usual task, one picture a call: transforms, forward, no file."""

    def __init__(self, network: torch.nn.Module, transforms: list[Any]) -> None:
        super().__init__(
            path=None,
            network=network,
            type=InferType.OTHERS,
            labels=[],
            dimension=2,
            description="",
            load_strict=False,
        )
        self._transforms = transforms

    def pre_transforms(self, data: Any = None) -> list[Any]:
        return self._transforms

    def run_inferer(self, data: Any, convert_to_batch: bool = True, device: str = "cpu") -> Any:
        with torch.inference_mode():
            data["pred"] = self.network(data["picture"][None])
        return data

    def inferer(self, data: Any = None) -> None:  # run_inferer calls the network itself
        return None

    def post_transforms(self, data: Any = None) -> list[Any]:
        return [ToNumpyd("pred")]

    def writer(self, data: Any, extension: Any = None, dtype: Any = None) -> tuple[None, dict[str, Any]]:
        return None, {}


def slice_transforms(size: int) -> list[Any]:
    """One slice of T1 and of T2 from their files, MONAI's way."""
    keys = ("t1", "t2")
    return [
        LoadImaged(keys, reader="PydicomReader"),
        EnsureChannelFirstd(keys),
        ScaleIntensityRangePercentilesd(keys, 0.5, 99.5, 0.0, 1.0, clip=True),
        Resized(keys, (size, size, 1)),
        ConcatItemsd(keys, "picture"),
        SqueezeDimd("picture", dim=-1),
        EnsureTyped("picture", track_meta=False),
    ]


def slice_by_slice(folder: Path, pipeline: ReadingPipeline, stages: Stages) -> float:
    """The detector a slice at a time and the classifier a crop at a time, as an ordinary app would."""
    choice = choose(scan(folder).studies[0])
    finder = pipeline.detector.finder
    detect = PlainTask(finder.network, slice_transforms(finder.architecture.size))
    classify = PlainTask(classifier_network(), [EnsureTyped("picture", track_meta=False)])
    crops = [crop for batch in stages.batches["classifier"] for crop in batch]
    plain = {"image": folder.name, "device": "cpu", "result_write_to_file": False}
    started = time.perf_counter()
    for t1, t2 in zip(_paths(choice.t1), _paths(choice.t2), strict=True):
        detect({**plain, "t1": str(t1), "t2": str(t2)})
    for crop in crops:
        classify({**plain, "picture": crop})
    return time.perf_counter() - started


def classifier_network() -> torch.nn.Module:
    """The shipped classifier as a plain module."""
    manifest, state = read_bundle(SHIPPED_WEIGHTS / "classifier")
    network = SixChannelNetwork(SixChannelConfig.model_validate(manifest.architecture))
    network.load_state_dict(state)
    return network.eval()


def registration(folder: Path) -> float:
    """Seconds that registering adds to a study whose T1 lies 20 pixels off."""
    choice = choose(scan(folder).studies[0])
    t1, t2 = (read_slices(s.headers) if s else None for s in (choice.t1, choice.t2))
    if t1 is None:
        raise SystemExit(f"{folder.name} has no T1.")
    moved = replace(t1, pixels=np.roll(t1.pixels, 20, axis=2))
    spent = []
    for volume in (t1, moved):
        started = time.perf_counter()
        stack = pair(volume, t2)
        spent.append(time.perf_counter() - started)
        if stack.registered is not (volume is moved):
            raise SystemExit(
                f"{folder.name}: registration ran where it should not, or did not where it should."
            )
    return spent[1] - spent[0]


def _paths(series: SeriesFiles | None) -> list[Path]:
    return sorted({header.path for header in series.headers}) if series else []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    shipped = ReadingPipeline.shipped()
    reference = ReadingPipeline.shipped(runtime="torch")
    with tempfile.TemporaryDirectory() as temporary:
        folders = write_studies(Path(temporary))
        bare_forward(reference, serve(folders[0], shipped))  # warm
        slice_by_slice(folders[0], reference, serve(folders[0], shipped))
        runs, bare, plain, registering = [], [], [], []
        for folder in track(folders, "Serving"):
            stages = serve(folder, shipped)
            runs.append(stages.seconds)
            bare.append(bare_forward(reference, stages))
            plain.append(slice_by_slice(folder, reference, stages))
            registering.append(registration(folder))
    names = ("reading", "preparing", "network", "joining", "writing")
    stage_ms = {name: 1000 * mean(run[name] for run in runs) for name in names}
    whole, forward, ordinary = sum(stage_ms.values()), 1000 * mean(bare), 1000 * mean(plain)
    register = 1000 * mean(registering)
    rows = [(name, f"{value:.0f}", f"{value / forward:.2f}") for name, value in stage_ms.items()]
    rows += [
        ("whole", f"{whole:.0f}", f"{whole / forward:.2f}"),
        ("bare fp32 eager forward", f"{forward:.0f}", "1.00"),
        ("registration, where it is needed", f"{register:.0f}", f"{register / forward:.2f}"),
        ("BasicInferTask, slice by slice", f"{ordinary:.0f}", f"{ordinary / forward:.2f}"),
    ]
    results: dict[str, object] = {
        "studies": STUDIES,
        "stage_ms": stage_ms,
        "whole_ms": whole,
        "forward_ms": forward,
        "registration_ms": register,
        "basic_infer_task_ms": ordinary,
        "ratio_whole_over_forward": whole / forward,
    }
    show(
        "One T1+T2 study of 2 x 15 slices, ms (mean of 20)",
        ("stage", "ms", "of forward"),
        rows,
        results,
        chosen.json,
    )


if __name__ == "__main__":
    main()

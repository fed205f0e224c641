"""A model on disk: a folder with ``weights.safetensors`` and ``model.json``.

The manifest carries the sha256 of the weights, and reading checks it, so a damaged or swapped file
is never served. No pickle is involved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from spine_fracture.errors import ModelFileError
from spine_fracture.files import write_atomically as write_atomically

WEIGHTS = "weights.safetensors"
MANIFEST = "model.json"


class Manifest(BaseModel):
    """What a model is, what it was trained on and how well it did. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    task: str
    family: str
    architecture: dict[str, JsonValue]
    classes: tuple[str, ...]
    temperature: float = 1.0
    config: dict[str, JsonValue]
    seed: int
    training_patients: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    sha256: str = ""

    @property
    def version(self) -> str:
        """Short and unique: the name and the first twelve digits of the weights' sha256."""
        return f"{self.name}-{self.sha256[:12]}"


def write_bundle(folder: Path, state: Mapping[str, torch.Tensor], manifest: Manifest) -> Manifest:
    """Write weights (half precision) and manifest; the manifest goes last and carries the sha256."""
    halved = {
        key: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in state.items()
    }
    data = save_safetensors(halved)
    signed = manifest.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / WEIGHTS, data)
    write_atomically(folder / MANIFEST, (signed.model_dump_json(indent=2) + "\n").encode())
    return signed


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone, unchecked against the weights."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelFileError(
            f"No model in {folder.name}: {MANIFEST} is missing. Train or register one."
        ) from None
    except (ValidationError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{MANIFEST} of model {folder.name} cannot be read: {error}") from error


def read_bundle(folder: Path) -> tuple[Manifest, dict[str, torch.Tensor]]:
    """Manifest and weights (float32), after the sha256 was checked."""
    manifest = read_manifest(folder)
    try:
        data = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError:
        raise ModelFileError(f"Model {manifest.name} has no {WEIGHTS}: reinstall or retrain it.") from None
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise ModelFileError(
            f"The weights of model {manifest.name} do not match their sha256: the file was damaged or "
            "changed. Reinstall the package or roll back to another version."
        )
    state = load_safetensors(data)
    return manifest, {k: v.float() if v.is_floating_point() else v for k, v in state.items()}

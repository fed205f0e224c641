"""A model on disk: a folder with ``weights.safetensors``, ``model.json`` and perhaps attachments.

An attachment is a further file that the model needs and that holds no tensors, e.g. trees as text. The
manifest carries the sha256 of every file and a seal of itself, and reading checks them, so a damaged or
swapped file is never served. Bundles of before there were seals are checked by their files alone. No pickle
is involved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from spine_fracture.errors import ModelFileError
from spine_fracture.files import write_atomically

if TYPE_CHECKING:  # imported where weights are, for manifests are read without: torch takes seconds
    import torch

#: Where the bundles are that come in the package, one a task.
SHIPPED_WEIGHTS = Path(__file__).parent / "weights"
WEIGHTS = "weights.safetensors"
MANIFEST = "model.json"
_REMEDY = (
    "Train the model again, roll back to another version, or reinstall the package if it came with that."
)
#: A plain name, so that a manifest never leads out of its folder.
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Manifest(BaseModel):
    """What a model is, what it was trained on and how well it did. Frozen.

    ``sha256`` is that of the weights, ``attachments`` has those of the further files by their names, ``seal``
    that of all this (:meth:`sealed`).
    """

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
    attachments: dict[_FileName, str] = {}
    seal: str = ""

    @property
    def digest(self) -> str:
        """What tells this model from every other: its seal. A bundle of before there were seals has the
        sha256 of its weights, or where there are attachments, of all their sha256.
        """
        if self.seal:
            return self.seal
        if not self.attachments:
            return self.sha256
        lines = [f"{name} {sha256}" for name, sha256 in sorted(self.attachments.items())]
        return hashlib.sha256("\n".join([self.sha256, *lines]).encode()).hexdigest()

    def sealed(self) -> Manifest:
        """The same with its seal: a sha256 of all it says, files, temperature and patients too, but not how
        well it did. A field that has its default does not count, so that one that is added later breaks no
        seal.
        """
        told = self.model_dump(mode="json", exclude={"metrics", "seal"}, exclude_defaults=True)
        return self.model_copy(
            update={"seal": hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}
        )

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files of the bundle."""
        return (WEIGHTS, *self.attachments, MANIFEST)

    @property
    def version(self) -> str:
        """Short and unique: the name and the first twelve digits of the digest."""
        return f"{self.name}-{self.digest[:12]}"


def write_bundle(
    folder: Path,
    state: Mapping[str, torch.Tensor],
    manifest: Manifest,
    attachments: Mapping[str, bytes] = MappingProxyType({}),
) -> Manifest:
    """Write weights (half precision), attachments and manifest; the manifest goes last and carries the
    sha256 of the others.
    """
    from safetensors.torch import save

    halved = {
        key: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in state.items()
    }
    data = save(halved)
    signed = Manifest.model_validate(
        manifest.model_dump()
        | {
            "sha256": hashlib.sha256(data).hexdigest(),
            "attachments": {name: hashlib.sha256(file).hexdigest() for name, file in attachments.items()},
        }
    ).sealed()
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in {WEIGHTS: data, **attachments}.items():
        write_atomically(folder / name, file)
    write_atomically(folder / MANIFEST, (signed.model_dump_json(indent=2) + "\n").encode())
    return signed


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone, unchecked against the weights."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelFileError(
            f"No model can be read from {folder} ({MANIFEST}: {error.strerror}). Give the folder of a model "
            "whose files you may read, or train one."
        ) from error
    except (ValidationError, json.JSONDecodeError) as error:
        raise ModelFileError(
            f"{MANIFEST} in {folder} was damaged or is of another version: {_REMEDY}"
        ) from error


def verified_manifest(folder: Path) -> Manifest:
    """The manifest, after its seal and the sha256 of every file were checked."""
    return _verified(folder)[0]


def read_bundle(folder: Path) -> tuple[Manifest, dict[str, torch.Tensor]]:
    """Manifest and weights (float32), checked as :func:`verified_manifest` does."""
    from safetensors.torch import load

    manifest, data = _verified(folder)
    state = load(data)
    return manifest, {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _verified(folder: Path) -> tuple[Manifest, bytes]:
    manifest = read_manifest(folder)
    if manifest.seal and manifest != manifest.sealed():
        raise ModelFileError(
            f"{MANIFEST} in {folder} is not as it was written: it was damaged or changed. {_REMEDY}"
        )
    data = _checked(folder, manifest, WEIGHTS, manifest.sha256)
    for name in manifest.attachments:
        read_attachment(folder, manifest, name)
    return manifest, data


def read_attachment(folder: Path, manifest: Manifest, name: str) -> bytes:
    """A further file of the bundle, after its sha256 was checked."""
    if name not in manifest.attachments:
        raise ModelFileError(f"Model {manifest.name} comes without {name}: retrain it.")
    return _checked(folder, manifest, name, manifest.attachments[name])


def _checked(folder: Path, manifest: Manifest, name: str, sha256: str) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"{name} in {folder} cannot be read ({error.strerror}): check its rights. {_REMEDY}"
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelFileError(
            f"{name} in {folder} does not match its sha256: the file was damaged or changed. {_REMEDY}"
        )
    return data

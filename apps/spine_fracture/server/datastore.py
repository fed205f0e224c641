"""MONAI Label's datastore over the catalogue: the same for a folder and for an archive.

Images are series of the catalogue, labels are the reads in the database. Nothing is written to the studies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore

from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.server.auth import LOCAL
from spine_fracture.server.labels import FINAL, ONLY_FINAL
from spine_fracture.server.room import ReadingRoom


class SpineDatastore(Datastore):  # type: ignore[misc]
    """The studies of a room as MONAI Label sees them; an unknown id raises NotFoundError."""

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room

    def name(self) -> str:
        return self._room.source.name

    def description(self) -> str:
        return "Sagittal T1 and T2 of the spine; an image id is a SeriesInstanceUID."

    def datalist(self) -> list[dict[str, Any]]:
        return [{"image": image, "label": image} for image in self.get_labeled_images()]

    def list_images(self) -> list[str]:
        return list(self._room.catalogue.images())

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        labelled = self._room.labelled_images()
        return [image for image in self.list_images() if image in labelled]

    def get_unlabeled_images(
        self, label_tag: str | None = None, labels: list[str] | None = None
    ) -> list[str]:
        labelled = self._room.labelled_images()
        return [image for image in self.list_images() if image not in labelled]

    def get_labels_by_image_id(self, image_id: str) -> dict[str, str]:
        study = self._room.catalogue.find(image_id)
        return {FINAL: study.image} if study.uid in self._room.labels.labelled() else {}

    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        return self.get_labels_by_image_id(image_id).get(tag, "")

    def get_image(self, image_id: str, params: Any = None) -> bytes:
        study = self._room.catalogue.find(image_id)
        return self._room.pictures.nifti(study).read_bytes()

    def get_image_uri(self, image_id: str) -> str:
        return str(self._room.pictures.nifti(self._room.catalogue.find(image_id)))

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        study = self._room.catalogue.find(image_id)
        return {"id": study.image, "name": f"{study.image}.nii.gz", "study": study.uid}

    def get_label(self, label_id: str, label_tag: str, params: Any = None) -> bytes:
        study = self._room.catalogue.find(label_id)
        return json.dumps(self._room.label(LOCAL, study.uid, {}), indent=1).encode()

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """A file with the reads as they are now, in the cache."""
        study = self._room.catalogue.find(label_id)
        path = self._room.project.settings.cache_folder / "labels" / f"{study.image}.json"
        write_atomically(path, self.get_label(label_id, label_tag))
        return str(path)

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get_label(label_id, label_tag))
        return document

    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Store the reads in a file that MONAI Label has received."""
        if label_tag != FINAL:
            raise InputError(ONLY_FINAL)
        saved = self._room.save_label(LOCAL, image_id, Path(label_filename).read_bytes(), label_info)
        return str(saved["label"])

    def status(self) -> dict[str, Any]:
        return {
            "total": self._room.catalogue.count(),
            "completed": len(self._room.labels.labelled()),
            "label_tags": {FINAL: self._room.labels.count()},
            "train": [],
        }

    def json(self) -> dict[str, Any]:
        labelled = self._room.labelled_images()
        return {
            "name": self.name(),
            "description": self.description(),
            "objects": {
                image: {
                    "image": {"ext": ".nii.gz", "info": {"name": f"{image}.nii.gz"}},
                    "labels": {FINAL: {"ext": ".json", "info": {}}} if image in labelled else {},
                }
                for image in self.list_images()
            },
        }

    def refresh(self) -> None:
        self._room.catalogue.refresh()

    def set_name(self, name: str) -> None:
        raise _read_only()

    def set_description(self, description: str) -> None:
        raise _read_only()

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        raise _read_only()

    def remove_image(self, image_id: str) -> None:
        raise _read_only()

    def remove_label(self, label_id: str, label_tag: str) -> None:
        raise _read_only()

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """MONAI Label notes here whom an image was shown to; the queue needs no such note."""
        self._room.catalogue.find(image_id)

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        raise _read_only()

    def get_dataset_archive(self, limit_cases: int | None) -> str:
        raise _read_only()


def _read_only() -> InputError:
    return InputError(
        "Studies are taken in with spine-fracture ingest and reads are taken back with their reader: this "
        "server does not change or export them here."
    )

"""Radiographs made for tests: DICOM files of one bright block on noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

BONE = (slice(40, 80), slice(30, 60))  # of SHAPE, brighter than the rest
SHAPE = (200, 120)


def stored() -> np.ndarray:
    rng = np.random.default_rng(0)
    pixels = rng.integers(900, 1100, SHAPE).astype(np.uint16)
    pixels[BONE] += 1500
    return pixels


def written(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "LSPINE", "AP"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels.astype(np.uint16).tobytes()
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.save_as(path, write_like_original=False)
    return path

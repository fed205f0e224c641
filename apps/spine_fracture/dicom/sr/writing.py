"""A study's report as a file: Comprehensive SR (PS3.3 A.35.3) by TID 1500, over highdicom."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from io import BytesIO
from typing import Any

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
)
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ComprehensiveSRStorage

from spine_fracture.anatomy import PRIVATE_SCHEME
from spine_fracture.dicom.sr.codes import DEVICE, MANUFACTURER, PERSON, PROCEDURE, TITLE
from spine_fracture.dicom.sr.groups import concept, group
from spine_fracture.dicom.sr.images import SourceImage
from spine_fracture.dicom.sr.statements import Algorithm, Author, Form, StudyReport
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import InputError

NOTICE = "not for clinical use"
#: Behind the series of any scanner, in the order in which viewers list them.
_SERIES_NUMBERS = {Form.VIEWER: 9001, Form.STANDARD: 9002}
_LONGEST_DESCRIPTION = 64


def write_report(report: StudyReport, form: Form, images: Sequence[SourceImage]) -> bytes:
    """``report`` as a DICOM file in ``form``.

    ``images`` are pictures of the study: those that the statements lie on, or any one of them for a
    report without statements. Patient and study are theirs. Raises :class:`InputError` when a picture
    that a statement lies on is not among them, or when they are of different studies.
    """
    studies = {str(image.header.StudyInstanceUID) for image in images}
    if len(studies) != 1:
        raise InputError(
            "A report is on the pictures of one study: give at least one, and of one study only."
        )
    known = {image.sop_uid: image for image in images}
    if any(statement.region.sop_uid not in known for statement in report.statements):
        raise InputError("A box lies on a picture that was not given: ingest the study again.")
    headers = [image.header for image in images]
    with warnings.catch_warnings():
        # Patient names of one component, as pseudonyms are, are no mistake here.
        warnings.simplefilter("ignore")
        content = MeasurementReport(
            observation_context=ObservationContext(observer_person_context=_observer(report.author)),
            procedure_reported=concept(PROCEDURE),
            imaging_measurements=[
                group(statement, report.author, known[statement.region.sop_uid], form)
                for statement in report.statements
            ],
            title=concept(TITLE),
            referenced_images=headers,
        )
        document = ComprehensiveSR(
            evidence=headers,
            content=content[0],
            series_instance_uid=report.series_uid,
            series_number=_SERIES_NUMBERS[form],
            sop_instance_uid=report.sop_uid,
            instance_number=report.instance_number,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions=version("spine-fracture"),
            device_serial_number="none",
            series_description=_description(report.author, form),
            is_complete=True,
            previous_versions=_previous(report, headers[0]),
            coding_schemes=[
                CodingSchemeIdentificationItem(
                    PRIVATE_SCHEME, name="Codes of spine_fracture", responsible_organization=MANUFACTURER
                )
            ],
        )
        document.SpecificCharacterSet = "ISO_IR 192"
        if not report.statements:
            # All were withdrawn: a container without content has no sequence, rather than an empty one.
            del document.ContentSequence[-1].ContentSequence
        buffer = BytesIO()
        dcmwrite(buffer, document, write_like_original=False)
    return buffer.getvalue()


def _observer(author: Author) -> Any:
    if isinstance(author, Algorithm):
        return ObserverContext(
            concept(DEVICE),
            DeviceObserverIdentifyingAttributes(
                uid=uid_from("device", author.name, author.version),
                name=author.name,
                manufacturer_name=MANUFACTURER,
                model_name=author.version,
            ),
        )
    return ObserverContext(concept(PERSON), PersonObserverIdentifyingAttributes(name=f"{author.id}^"))


def _description(author: Author, form: Form) -> str:
    """Whose words and in which form: the author's name is cut, the notice never."""
    tail = f" ({form}, {NOTICE})"
    return author.title[: _LONGEST_DESCRIPTION - len(tail)] + tail


def _previous(report: StudyReport, header: Any) -> list[Dataset] | None:
    if report.replaces is None:
        return None
    previous = Dataset()
    previous.SOPClassUID = ComprehensiveSRStorage
    previous.SOPInstanceUID = report.replaces
    previous.StudyInstanceUID = header.StudyInstanceUID
    previous.SeriesInstanceUID = report.series_uid
    return [previous]

"""What of a DICOM header says who somebody is, or where: told by its kind wherever there is one."""

from __future__ import annotations

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from spine_fracture.dicom.sr.codes import MANUFACTURER

#: Of the patient module, what a reader needs and what names nobody.
_KEPT_OF_PATIENT = frozenset({"PatientSex", "PatientAge", "PatientSize", "PatientWeight"})
#: Clinical trials, orders, visits and interpretations.
_GROUPS = frozenset({0x0012, 0x0032, 0x0038, 0x4008})
#: Procedure steps; in a report its content.
_STEPS = 0x0040
_PLACES = ("Institution", "Address", "Telephone")
_IDENTITIES = ("IdentificationSequence", "IdentificationCodeSequence")
#: Ends as people's do, and names the codes of a report.
_CODING_SCHEMES = "CodingSchemeIdentificationSequence"
#: What no kind tells of.
_OTHERS = frozenset(
    """AccessionNumber StudyID StationName DeviceSerialNumber ProtocolName ImageComments FrameComments
    AdmittingDiagnosesDescription ReferencedPatientSequence ReferencedPerformedProcedureStepSequence
    RequestAttributesSequence IconImageSequence OriginalAttributesSequence VerifyingOrganization
    CustodialOrganizationSequence""".split()  # noqa: SIM905
)


def take_out(ds: Dataset) -> None:
    """Take out of ``ds``, at any depth, what identifies, and what cannot be read and so not be judged.

    The content of our own reports keeps its observers: readers, by ids that name nobody.
    """
    is_report = ds.get("Modality") == "SR"
    is_ours = is_report and ds.get("Manufacturer") == MANUFACTURER
    _take_out(ds, is_report, is_ours, in_content=False)


def _take_out(ds: Dataset, is_report: bool, is_ours: bool, in_content: bool) -> None:
    for tag in list(ds.keys()):
        element = _element(ds, tag)
        if element is None or _identifies(element, is_report, keeps_names=is_ours and in_content):
            del ds[tag]
        elif element.VR == "SQ":
            for item in element.value:
                _take_out(item, is_report, is_ours, in_content or element.keyword == "ContentSequence")


def _element(ds: Dataset, tag: BaseTag) -> DataElement | None:
    try:
        return ds[tag]
    except Exception:  # pydicom decodes a value when it is asked for, and has no common error
        return None


def _identifies(element: DataElement, is_report: bool, *, keeps_names: bool) -> bool:
    group, name = element.tag.group, element.keyword
    if group == 0x0010:
        return name not in _KEPT_OF_PATIENT
    if group % 2 or group in _GROUPS or (group == _STEPS and not is_report):
        return True
    if _is_name(element):
        return not keeps_names
    is_identity = name.endswith(_IDENTITIES) and name != _CODING_SCHEMES
    return is_identity or any(place in name for place in _PLACES) or name in _OTHERS


def _is_name(element: DataElement) -> bool:
    """Whether it is a person's name, by the file or by the standard: they may differ."""
    return element.VR == "PN" or (dictionary_has_tag(element.tag) and dictionary_VR(element.tag) == "PN")

"""The words of a read: what is sent to the server, and what the reader sees."""

DIAGNOSES = {
    "normal": "Normal",
    "benign_fracture": "Benign fracture",
    "malignant": "Malignant",
    "hemangioma": "Hemangioma",
    "other": "Other",
    "indeterminate": "Indeterminate",
}

FEATURES = {
    "no_collapse": "Absence of collapse",
    "anterior_wedge": "Anterior wedge with preserved posterior height",
    "whole_body_compression": "Compression of the whole body",
    "central_concave": "Central concave deformity",
    "homogeneous_marrow": "Homogeneous marrow signal",
    "dark_line": "Intravertebral dark line or band",
    "band_oedema": "Band-pattern marrow oedema",
    "dark_patch": "Intravertebral dark patch",
    "cleft": "Fluid or necrotic cleft",
    "diffuse_change": "Diffuse signal change over three quarters of the body",
    "nodular_lesion": "Mass-like or nodular lesion",
    "border_protrusion": "Anterior or posterior border protrusion",
    "soft_tissue_mass": "Epidural or paraspinal mass",
    "posterior_elements": "Pedicle or posterior element involvement",
    "skip_lesion": "Coexisting skipped lesion in another vertebra",
}

CONFIDENCES = {5: "5, certain", 4: "4", 3: "3", 2: "2", 1: "1, a guess"}

BASES = {
    "imaging": "Imaging only",
    "biopsy": "Biopsy",
    "follow_up": "Follow-up",
    "report": "Report",
}

SKIP_REASONS = {
    "poor_quality": "Poor quality",
    "not_a_vertebra": "Not a vertebra",
    "out_of_field": "Out of the field of view",
    "cannot_decide": "Cannot decide",
    "other": "Other",
}

WORK_LISTS = {
    "assisted": "Work list",
    "blinded": "Blinded",
    "second": "Second reader",
    "adjudication": "Adjudication",
}

NOTICE = "Not for clinical use."

"""Pictures in: DICOM, NIfTI and plain pictures, which sequence they are, and T1 and T2 on one grid."""

"""DICOMweb (PS3.18) for the viewers: one interface over an archive or over the catalogue's own files."""

"""An Orthanc for each module, so that none finds what another stored; gone at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from orthanc.archive_process import Orthanc

__all__ = ["Orthanc"]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    server = Orthanc(tmp_path_factory.mktemp("orthanc"))
    try:
        server.start()
        yield server
    finally:
        server.stop()

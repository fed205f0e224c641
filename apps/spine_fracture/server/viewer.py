"""The viewer's files: the stock OHIF build as npm brings it, and our own extension and configuration."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spine_fracture.errors import NotFoundError
from spine_fracture.server.answers import NOTICE

#: Where the pages of the stock viewer live, and our files beside it.
PAGES, OURS = "/viewer", "/ohif-spine"
#: The address of our mode, which names itself in ``mode.js``.
READING_ROOM = f"{PAGES}/review"
DICOM_WEB = "/dicom-web"
#: Where the viewer that comes with MONAI Label lives, and where its build looks for DICOM.
BUNDLED, BUNDLED_DICOM = "/ohif", "/proxy/dicom"
_EXTENSION, _MODE = "extension.js", "mode.js"
_OWN_SERVER = (
    "document.cookie = `MONAILABEL_SERVER_URL=${escape(`${location.origin}/`)}; path=" + BUNDLED + "`;\n"
)
#: OHIF calls this without asking whether it is there; where it is not, the reader is shown that as an error.
_ON_LOST_PICTURE = (
    "window.config.httpErrorHandler = (error) => console.warn('A picture did not come.', error?.status);\n"
)
#: The build asks Node for its own address when no script is running, which is so whenever a style sheet is
#: the last of its files to come; in a browser the question throws and the viewer stays blank.
_ADDRESS_OF_SCRIPTS = "window.__filename = `${location.origin}/`;\n"
#: Nothing is loaded from or sent to another machine, whatever a page asks for.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        # OHIF compiles functions and WebAssembly at run time and starts workers from blobs.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "frame-ancestors 'self'",
    )
)


@dataclass(frozen=True)
class Viewer:
    """``stock`` is the build of ``@ohif/app``, ``ours`` the folder of our extension and mode."""

    stock: Path
    ours: Path

    @property
    def installed(self) -> bool:
        return (self.stock / "index.html").is_file()

    def stock_file(self, name: str) -> Path:
        """A file of the build. Raises :class:`NotFoundError`."""
        return _inside(self.stock, name)

    def our_file(self, name: str) -> Path:
        """A file of our extension. Raises :class:`NotFoundError`."""
        return _inside(self.ours, name)

    def config(self) -> str:
        """The script ``/app-config.js`` that the build reads its configuration from."""
        has = {name: (self.ours / name).is_file() for name in (_EXTENSION, _MODE)}
        return (
            "window.config = "
            + json.dumps(
                {
                    "name": "spine_fracture",
                    "routerBasename": PAGES,
                    # Loaded at run time; the extensions and modes of the build itself stay.
                    "extensions": [f"{OURS}/{_EXTENSION}"] if has[_EXTENSION] else [],
                    "modes": [f"{OURS}/{_MODE}"] if all(has.values()) else [],
                    "customizationService": {},
                    "showStudyList": True,
                    "maxNumberOfWebWorkers": 3,
                    "showWarningMessageForCrossOrigin": True,
                    "showCPUFallbackMessage": True,
                    "showLoadingIndicator": True,
                    "strictZSpacingForVolumeViewport": True,
                    "groupEnabledModesFirst": True,
                    "investigationalUseDialog": {"option": "always"},
                    # Several at once, but not so many that the picture in view waits behind prefetched ones.
                    "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 10},
                    "showErrorDetails": "dev",
                    "defaultDataSourceName": "spine",
                    "dataSources": [
                        {
                            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                            "sourceName": "spine",
                            "configuration": _source("Studies of this server", DICOM_WEB, DICOM_WEB),
                        }
                    ],
                },
                indent=1,
            )
            + ";\n"
            + _ON_LOST_PICTURE
            + _ADDRESS_OF_SCRIPTS
        )


def bundled_folder() -> Path:
    """The viewer inside the installed MONAI Label, which is not imported for it."""
    spec = find_spec("monailabel")
    if spec is None or spec.origin is None:
        raise NotFoundError("MONAI Label is not installed: run make setup.")
    return Path(spec.origin).parent / "endpoints" / "static" / "ohif"


def bundled_file(name: str) -> Path:
    """A file of MONAI Label's viewer. Raises :class:`NotFoundError`."""
    return _inside(bundled_folder(), name)


def bundled_page() -> str:
    """The page of MONAI Label's viewer, without what it would load from the internet."""
    page = bundled_file("index.html").read_text()
    return re.sub(r'<link [^>]*href="https?://[^>]*>', "", page)


def bundled_config() -> str:
    """The configuration of MONAI Label's viewer, over our DICOMweb.

    Its panel looks for a server on port 8000 unless a cookie names another.
    """
    return (
        f"{_OWN_SERVER}window.config = "
        + json.dumps(
            {
                "routerBasename": f"{BUNDLED}/",
                "showStudyList": True,
                "extensions": [],
                "modes": [],
                "showWarningMessageForCrossOrigin": True,
                "showCPUFallbackMessage": True,
                "showLoadingIndicator": True,
                "strictZSpacingForVolumeViewport": True,
                "useSharedArrayBuffer": "FALSE",
                "defaultDataSourceName": "dicomweb",
                "dataSources": [
                    {
                        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                        "sourceName": "dicomweb",
                        "configuration": _source(
                            "Studies of this server", f"{BUNDLED_DICOM}/qido", f"{BUNDLED_DICOM}/wado"
                        ),
                    }
                ],
            },
            indent=1,
        )
        + ";\n"
    )


def _source(title: str, qido: str, wado: str) -> dict[str, object]:
    return {
        "friendlyName": title,
        "name": "spine_fracture",
        "qidoRoot": qido,
        "wadoRoot": wado,
        "wadoUriRoot": wado,
        "qidoSupportsIncludeField": False,
        "supportsReject": False,
        "supportsStow": True,
        "dicomUploadEnabled": False,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True, "relativeResolution": "studies"},
    }


def _inside(folder: Path, name: str) -> Path:
    """``folder``/``name`` when it is a file there: a name never leads out of the folder, links included."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        found = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):  # a name that no disk can have
        found = False
    if not found or any(part.startswith(".") for part in path.relative_to(root).parts):
        raise NotFoundError("There is nothing at this address.")
    return path


NOT_INSTALLED = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The viewer is not installed</title>
<style>
body {{ background: #090c29; color: #fff; font: 16px/1.5 system-ui, sans-serif }}
main {{ margin: 4rem auto; max-width: 40rem; padding: 0 1rem }}
code {{ background: #1f2454; padding: .1rem .4rem }} a {{ color: #9ccef9 }}
</style>
<main>
<h1>The viewer is not installed</h1>
<p>This server has no OHIF viewer to show pictures with. Whoever looks after it runs <code>make setup</code>
in the folder of the product, or sets <code>SPINE_FRACTURE_VIEWER</code> to the <code>dist</code> folder of
<code>@ohif/app</code>, and then you reload this page. Reads and results are not affected.</p>
<p><a href="/">Back to the start</a></p>
<p>{NOTICE}</p>
</main></html>
"""

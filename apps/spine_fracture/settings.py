"""Settings of one installation, read once from ``SPINE_FRACTURE_*`` variables."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from spine_fracture.errors import InputError

_PREFIX = "SPINE_FRACTURE_"
_PACKAGE = Path(__file__).parent
#: In an installed wheel our part of the viewer is in the package; in a checkout it is at the top.
_CLIENTS = _PACKAGE / "clients" if (_PACKAGE / "clients").is_dir() else _PACKAGE.parents[1] / "clients"


class Settings(BaseSettings):
    """Frozen. All state lives under ``home``; the studies folder and the package are never written.

    ``protocol`` names how many readers see each level. ``viewer`` is the ``dist`` folder of ``@ohif/app``,
    for an installation whose viewer is not where ``make setup`` puts it.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    home: Path = Path("spine-project")
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    protocol: str = "single"
    viewer: Path | None = None

    def __init__(self, **given: Any) -> None:
        """Raises :class:`InputError`, which names the variable, for a value that cannot be used."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            said = "; ".join(f"{_PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            raise InputError(f"A setting cannot be used. {said}.") from None

    @property
    def database(self) -> str:
        """SQLAlchemy URL; SQLite in the project folder unless one is given."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'spine.db'}"

    @property
    def viewer_folder(self) -> Path:
        """The build of the stock viewer; it may be missing."""
        return self.viewer or _CLIENTS / "ohif" / "node_modules" / "@ohif" / "app" / "dist"

    @property
    def client_folder(self) -> Path:
        """Our extension and mode for the viewer."""
        return _CLIENTS / "ohif" / "src"

    @property
    def registry_folder(self) -> Path:
        return self.home / "registry"

    @property
    def cache_folder(self) -> Path:
        return self.home / "cache"

    @property
    def jobs_folder(self) -> Path:
        return self.home / "jobs"

    @property
    def results_folder(self) -> Path:
        return self.home / "results"


@lru_cache
def settings() -> Settings:
    return Settings()

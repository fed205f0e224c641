"""Settings of one installation, read once from ``SPINE_FRACTURE_*`` variables."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from spine_fracture.errors import InputError

_PREFIX = "SPINE_FRACTURE_"


class Settings(BaseSettings):
    """Frozen. All state lives under ``home``; the studies folder and the package are never written."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    home: Path = Path("spine-project")
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000

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

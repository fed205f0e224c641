"""Settings of one installation, read once from ``SPINE_FRACTURE_*`` variables."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen. All state lives under ``home``; the studies folder and the package are never written."""

    model_config = SettingsConfigDict(env_prefix="SPINE_FRACTURE_", frozen=True)

    home: Path = Path("spine-project")
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000

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

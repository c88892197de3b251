"""Settings of the pages; part of the one settings class."""

from pydantic import Field
from pydantic_settings import BaseSettings


class SiteSettings(BaseSettings):
    """The part of the settings that has to do with it."""

    comments_hourly: int = Field(20, ge=1, le=10_000, description="Comments that one reader may write in an hour.")
    submissions_hourly: int = Field(
        20, ge=1, le=10_000, description="Papers that one reader may submit to the daily list in an hour."
    )
    reports_hourly: int = Field(20, ge=1, le=10_000, description="Comments that one reader may report in an hour.")
    zotero_url: str = Field(
        "https://api.zotero.org",
        pattern=r"^https?://[^/\s?#]+(/[^\s?#]*[^\s?#/])?$",
        description="Base address of Zotero's web API, or of a server of your own that speaks it.",
    )
    zotero_pause_seconds: float = Field(1.0, ge=0, description="Time between two requests to Zotero.")

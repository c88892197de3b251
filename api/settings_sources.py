"""Settings of the sources: which are read, how often, how politely; part of the one settings class."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

HUGGINGFACE: Final = "huggingface"
ARXIV: Final = "arxiv"
ARXIV_RSS: Final = "arxiv-rss"
ARXIV_OAI: Final = "arxiv-oai"
SEMANTIC_SCHOLAR: Final = "semanticscholar"
OPENALEX: Final = "openalex"
SOURCES: Final = (HUGGINGFACE, ARXIV, ARXIV_RSS, ARXIV_OAI, SEMANTIC_SCHOLAR, OPENALEX)
LISTING: Final = (HUGGINGFACE, ARXIV, ARXIV_RSS, ARXIV_OAI)  # bring papers; the others add to those that are here


class SourceSettings(BaseSettings):
    """The part of the settings that has to do with where papers come from."""

    sources: str = Field(
        " ".join(SOURCES),
        description="Sources that are read, space separated; `semanticscholar` and `openalex` once they have a key.",
    )
    source_contact: str = Field(
        "",
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="Mail or web address that goes with every request (`papers@example.org`), as sources ask for.",
    )
    huggingface_url: str = Field("https://huggingface.co", description="Base address of the daily papers source.")
    arxiv_url: str = Field("https://export.arxiv.org", description="Base address of the arXiv API.")
    arxiv_rss_url: str = Field("https://rss.arxiv.org", description="Base address of arXiv's RSS feeds.")
    arxiv_oai_url: str = Field("https://oaipmh.arxiv.org/oai", description="Address of arXiv's OAI-PMH.")
    semanticscholar_url: str = Field(
        "https://api.semanticscholar.org", description="Base address of the Semantic Scholar API."
    )
    openalex_url: str = Field("https://api.openalex.org", description="Base address of the OpenAlex API.")
    semanticscholar_key: SecretStr | None = Field(
        None, description="Key of the Semantic Scholar API: citations, references and fields of the papers here."
    )
    openalex_key: SecretStr | None = Field(None, description="Key of the OpenAlex API: the same from there.")
    arxiv_categories: str = Field("cs.AI cs.CL cs.CV cs.LG", description="arXiv categories to fetch, space separated.")

    huggingface_minutes: float = Field(30.0, ge=1, description="Time between two readings of the daily papers.")
    arxiv_minutes: float = Field(60.0, ge=1, description="Time between two readings of the arXiv API.")
    arxiv_rss_minutes: float = Field(60.0, ge=1, description="Time between two readings of arXiv's RSS feeds.")
    arxiv_oai_minutes: float = Field(
        720.0, ge=1, description="Time between two harvests of arXiv's OAI-PMH: revisions, withdrawals, removals."
    )
    metadata_minutes: float = Field(
        60.0, ge=1, description="Time between two looks for papers without citations, references and fields."
    )
    metadata_days: float = Field(
        30.0, gt=0, description="Days after which citations, references and fields are asked for again."
    )
    upvote_days: int = Field(
        7, ge=0, le=90, description="Days before today whose daily lists are read again for their votes."
    )

    huggingface_pause_seconds: float = Field(
        1.0, ge=0, description="Time between two requests to Hugging Face (at most 500 in 5 minutes)."
    )
    arxiv_pause_seconds: float = Field(
        3.0, ge=0, description="Time between two requests to arXiv, all its addresses together: their rule is 3 s."
    )
    semanticscholar_pause_seconds: float = Field(
        1.0, ge=0, description="Time between two requests to Semantic Scholar (at most one a second with a key)."
    )
    openalex_pause_seconds: float = Field(1.0, ge=0, description="Time between two requests to OpenAlex.")
    source_request_seconds: float = Field(30.0, gt=0, description="Time limit of one request to a source.")
    source_run_seconds: float = Field(
        120.0, gt=0, description="Time after which a run stops at the next page; it goes on in the next one."
    )
    source_megabytes: float = Field(32.0, gt=0, description="Largest answer of a source, inflated.")

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, value: str) -> str:
        for name in value.split():
            if name not in SOURCES:
                raise ValueError(f"{name!r} is no source: {', '.join(SOURCES)}")
        return value

    @field_validator("semanticscholar_key", "openalex_key", mode="before")
    @classmethod
    def _empty_key_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator(
        "huggingface_url", "arxiv_url", "arxiv_rss_url", "arxiv_oai_url", "semanticscholar_url", "openalex_url"
    )
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"{value!r} is no base address, such as https://example.org")
        return value.rstrip("/")

    @property
    def listing_sources(self) -> tuple[str, ...]:
        """Names of those of them that bring papers."""
        return tuple(name for name in self.active_sources if name in LISTING)

    @property
    def asks_arxiv(self) -> bool:
        """True where arXiv is one of them: it is asked for single papers, too."""
        return any(name in self.active_sources for name in (ARXIV, ARXIV_RSS, ARXIV_OAI))

    @property
    def active_sources(self) -> tuple[str, ...]:
        """Names of the sources that are read: those that are wanted and, where they need one, have a key."""
        keys = {SEMANTIC_SCHOLAR: self.semanticscholar_key, OPENALEX: self.openalex_key}
        wanted = self.sources.split()
        return tuple(name for name in SOURCES if name in wanted and keys.get(name, "") is not None)

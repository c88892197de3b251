"""One frozen settings class; every variable is `PAPERFEED_` plus the field name in capitals."""

import hashlib
import os
import tempfile
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from api.sentences import LONGEST_NAME, encoder_key
from api.settings_accounts import AccountSettings
from api.settings_feedback import FeedbackSettings
from api.settings_mail import MailSettings
from api.settings_site import SiteSettings
from api.settings_sources import SourceSettings

LONGEST_SOCKET_PATH = 107  # bytes in sockaddr_un.sun_path on Linux, without the closing zero
LONGEST_SOCKET_NAME = 24  # bytes we keep free for the file name inside the run folder
SHORTEST_SECRET = 32  # characters of a signing secret
DATABASE_URLS = ("postgresql://", "postgresql+psycopg://", "sqlite:///")
REDIS_URLS = ("redis://", "rediss://", "unix://", "redis+socket://")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(FeedbackSettings, SourceSettings, AccountSettings, MailSettings, SiteSettings):
    """What an operator can configure, read from the environment once per process."""

    model_config = SettingsConfigDict(env_prefix="PAPERFEED_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("data"), description="Folder that holds everything: database, models, token, logs.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port the API listens on.")
    api_processes: int = Field(1, ge=1, le=64, description="API processes that share the port.")
    worker_processes: int = Field(1, ge=1, le=64, description="Processes of the worker that refreshes lists.")

    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL (`postgresql+psycopg://user:pw@host/name`); unset: SQLite in the data folder.",
    )
    cache_url: str | None = Field(
        None, description="Redis for lists and other rebuildable state (may evict); unset: embedded."
    )
    broker_url: str | None = Field(None, description="Redis for Celery queues (must not evict); unset: embedded.")
    cache_megabytes: int = Field(
        256, ge=16, description="Memory limit of the embedded cache; the least used lists go first."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs slates, cursors and cookies, 32 characters or more; made by the embedded mode, required "
        "outside it.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="`auto`: text in a terminal, JSON elsewhere."
    )

    weight_impression: float = Field(0.0, ge=0, description="Confidence one impression adds.")
    weight_click: float = Field(1.0, ge=0, description="Confidence a click adds.")
    weight_save: float = Field(3.0, ge=0, description="Confidence a save adds.")
    weight_upvote: float = Field(2.0, ge=0, description="Confidence an upvote adds.")
    weight_read_minute: float = Field(0.5, ge=0, description="Confidence a minute of reading adds, up to ten minutes.")
    weight_cap: float = Field(6.0, gt=0, description="Most confidence that one reader and paper can reach.")
    half_life_days: float = Field(
        180.0,
        gt=0,
        description="Time before a reader's latest liking at which an event counts half; an unknown time counts fully.",
    )

    list_size: int = Field(200, ge=20, le=1000, description="Papers in a reader's prepared list.")
    list_ttl_days: int = Field(30, ge=1, description="Days a prepared list stays in the cache without being rebuilt.")
    active_days: int = Field(
        30,
        ge=1,
        description="A reader with an event or setting in this many days gets a list at every promotion.",
    )
    sweep_seconds: int = Field(
        60, ge=1, description="How often lists older than their reader's last event are looked for."
    )
    news_readers: int = Field(
        2000,
        ge=0,
        description="Readers, the latest active first, whose lists are rebuilt as soon as papers come; the others' "
        "when they ask.",
    )
    trending_half_life_days: float = Field(
        2.0,
        gt=0,
        description="Age at which a vote, save or read counts half in trending over a week; a quarter of it over "
        "a day, four times it over a month.",
    )
    freshness: float = Field(
        0.3,
        ge=0,
        le=5,
        description="Bonus of a paper of today in a personal list, in standard deviations of its scores; 0: none.",
    )
    freshness_half_life_days: float = Field(
        30.0, gt=0, description="Age at which half of that bonus is left; a paper of unknown age gets none."
    )
    diversity: float = Field(
        0.1, ge=0, le=1, description="0: by score alone; 1: each paper as unlike those above it as can be."
    )
    popularity_discount: float = Field(
        0.0,
        ge=0,
        le=5,
        description="Penalty of the most read paper of a list, in standard deviations of its scores; 0: none.",
    )
    category_calibration: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How closely a list's category shares follow the reader's: they differ by at most 1 minus this.",
    )
    exploration_share: float = Field(
        0.05, ge=0, le=1, description="Share of the places drawn at random from fitting new papers nobody has touched."
    )
    feed_build_slots: int = Field(
        2, ge=1, description="Feeds that one API process builds at the same time on cache misses."
    )

    future_tolerance_hours: float = Field(
        24.0, ge=0, description="Events later than this ahead of the clock are rejected as `future`."
    )
    token_cache_seconds: float = Field(
        3.0, ge=0, le=5, description="How long a process trusts a token it has looked up."
    )

    train_after_events: int = Field(
        1000, ge=1, description="New events through the API that start a retrain (at most hourly)."
    )
    train_hour_utc: int = Field(3, ge=0, le=23, description="Hour of the nightly retrain.")
    train_attempts: int = Field(3, ge=1, description="Times a run is picked up again after its worker died.")
    train_lease_seconds: int = Field(
        30, ge=2, description="A run whose worker shows no sign of life this long is picked up again."
    )
    train_fit_minutes: float = Field(120.0, gt=0, description="Time limit of one fit.")
    train_seed: int = Field(20, description="Seed of every fit.")
    memory_budget_mb: float = Field(
        2500.0,
        ge=1,
        description="Megabytes for the large matrices of a fit; item weights that need more are left out.",
    )
    keep_models: int = Field(
        3, ge=2, description="Model versions kept on disk, the serving and the previous one included."
    )
    model_old_days: float = Field(3.0, gt=0, description="Age at which the serving model makes `/readyz` degraded.")
    source_old_days: float = Field(2.0, gt=0, description="Age of the newest paper at which `/readyz` is degraded.")

    text_encoder: str = Field(
        "",
        max_length=LONGEST_NAME,
        description="Sentence encoder beside words: a sentence-transformers model by name (`all-MiniLM-L6-v2`, "
        "`allenai/specter2_base`) or folder; empty or `words`: words alone.",
    )
    encoder_batch: int = Field(
        32, ge=1, le=1024, description="Texts that the sentence encoder reads at once; fewer need less memory."
    )
    encoder_threads: int = Field(0, ge=0, description="Threads of the sentence encoder; 0: one per processor.")

    first_start_seconds: float = Field(
        15.0, gt=0, description="Time the first start spends on fetching papers before the demonstration."
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return Path(os.path.abspath(value.expanduser()))  # noqa: PTH100 - resolve() would follow links the operator chose

    @field_validator("database_url", "cache_url", "broker_url", "secret_key", "old_secret_keys", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(DATABASE_URLS):
            raise ValueError("an address like postgresql+psycopg://user:password@host/name is needed")
        return value

    @field_validator("cache_url", "broker_url")
    @classmethod
    def _known_server(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(REDIS_URLS):
            raise ValueError("an address like redis://host:6379/0 is needed")
        return value

    @property
    def is_embedded(self) -> bool:
        """True while none of the three server addresses is configured."""
        return not (self.database_url or self.cache_url or self.broker_url)

    @property
    def sentence_encoder(self) -> str:
        """The name under which the sentence encoder's vectors are kept, empty for words alone."""
        return encoder_key(self.text_encoder)

    @property
    def is_loopback(self) -> bool:
        """True while the API listens on this machine only."""
        return self.host in LOOPBACK_HOSTS

    @property
    def local_url(self) -> str:
        """The address a browser on this machine uses."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - a look-up, no binding
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def site_url(self) -> str:
        """The address under which readers reach the site, without a slash at its end."""
        return self.public_url or self.local_url

    @cached_property
    def run_dir(self) -> Path:
        """Folder of control sockets and pid files: `run` in the data folder, or a short private one for long paths."""
        wanted = self.data_dir / "run"
        if len(os.fsencode(wanted)) + 1 + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"paperfeed-{os.getuid()}-{digest}"

    @property
    def resolved_database_url(self) -> str:
        """The configured database or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'paperfeed.db'}"

    @property
    def resolved_cache_url(self) -> str:
        """The configured cache or the socket of the embedded one."""
        return self.cache_url or f"unix://{self.run_dir / 'cache.sock'}"

    @property
    def resolved_broker_url(self) -> str:
        """The configured broker or the socket of the embedded one, as Celery writes it."""
        return self.broker_url or f"redis+socket://{self.run_dir / 'broker.sock'}"

    @property
    def models_dir(self) -> Path:
        """Folder of immutable model artifacts, one folder a version."""
        return self.data_dir / "models"

    @property
    def mails_dir(self) -> Path:
        """Folder of the mails of an installation without a mail server."""
        return self.data_dir / "mails"

    @property
    def search_dir(self) -> Path:
        """Folder of the search index, made again from SQL whenever it is lost."""
        return self.data_dir / "search"


@lru_cache(maxsize=1)
def read_settings() -> Settings:
    """Return this process's settings."""
    return Settings()

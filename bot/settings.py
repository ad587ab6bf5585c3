"""The settings, read once from the environment into one frozen object. The table in docs/settings.md is made from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ORIGIN = re.compile(r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?")


class SettingsError(ValueError):
    """One or more settings are wrong; the message names all of them, a secret never by value."""


class Settings(BaseSettings):
    """What an operator can set. Every field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address that the web application listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the web application listens on; 0 takes a free one.")
    database_url: str = Field(
        "sqlite:///var/wegwijs.db",
        description="SQLite or PostgreSQL (postgresql+psycopg2://…), as SQLAlchemy writes it.",
    )
    models_folder: Path = Field(Path("models"), description="Folder with the trained models; the newest is served.")
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the hashes by which people are looked up; made and kept in var/secret_key where empty.",
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description='Websites that may show the chat (docs/widget.md) and use its API, as a JSON list: ["https://example.org"].',
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged, as JSON lines."
    )
    content_check_seconds: float = Field(10.0, gt=0, description="How often a running service looks for newer content.")
    max_text_characters: int = Field(2000, ge=100, description="Longest message that is read.")
    messages_per_minute: int = Field(
        30, ge=1, description="Messages that one person may send in a minute, on any channel."
    )
    messages_per_minute_of_address: int = Field(
        1200, ge=1, description="Messages that all conversations of one network address may send in a minute."
    )
    conversations_per_minute: int = Field(
        200, ge=1, description="Conversations that one network address may begin in a minute."
    )

    public_url: str = Field(
        "", description="Address of this service as the world sees it (https://…); needed for webhooks."
    )
    old_secret_keys: tuple[SecretStr, ...] = Field(
        (),
        description="Earlier values of SECRET_KEY, newest first, as a JSON list: addresses under them are still read.",
    )
    closed_channels: tuple[Literal["telegram", "whatsapp"], ...] = Field(
        (), description="Channels that answer everybody with one fixed sentence for the moment, as a JSON list."
    )
    telegram_bot_token: SecretStr = Field(SecretStr(""), description="Token of the Telegram bot; empty: no Telegram.")
    telegram_api_url: str = Field("https://api.telegram.org", description="The Bot API, or one hosted by yourself.")
    whatsapp_token: SecretStr = Field(SecretStr(""), description="Token of the WhatsApp Cloud API; empty: no WhatsApp.")
    whatsapp_phone_id: str = Field("", description="Id of the WhatsApp number that sends.")
    whatsapp_app_secret: SecretStr = Field(SecretStr(""), description="Secret of the Meta app, for signatures.")
    whatsapp_verify_token: SecretStr = Field(
        SecretStr(""), description="Word that Meta repeats when it checks the webhook."
    )
    whatsapp_api_url: str = Field("https://graph.facebook.com/v21.0", description="Meta's Graph API with its version.")

    oidc_issuer: str = Field(
        "",
        description="Provider of OpenID Connect at which staff can sign in, such as https://id.example.org; empty: none.",
    )
    oidc_client_id: str = Field("", description="Id of this service at that provider.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Secret of this service at that provider.")
    oidc_provides_second_factor: bool = Field(
        False,
        description="Whether that provider asks everybody for a second factor, also where it does not say so (`amr` mfa).",
    )

    libretranslate_url: str = Field(
        "", description="A LibreTranslate server of your own that translates for staff; empty: no translation."
    )
    libretranslate_api_key: SecretStr = Field(SecretStr(""), description="Key of that server, where it wants one.")

    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server for alerts to staff, smtp://user:password@host:587 or smtps://…:465; empty: no e-mail.",
    )
    mail_from: str = Field("", description="Address that alerts by e-mail come from.")
    alert_webhook_url: str = Field("", description="Address that gets each alert to staff as signed JSON; empty: none.")
    alert_webhook_secret: SecretStr = Field(SecretStr(""), description="Key of the signature of that webhook.")
    staff_telegram_chat: str = Field(
        "", description="Id of the Telegram group of the staff that gets alerts, such as -1001234567890; empty: none."
    )

    @model_validator(mode="after")
    def _alerts_are_whole(self) -> Settings:
        smtp, secret = self.smtp_url.get_secret_value(), self.alert_webhook_secret.get_secret_value()
        wrong = []
        if bool(smtp) != bool(self.mail_from):
            wrong.append("alerts by e-mail need both SMTP_URL and MAIL_FROM")
        if bool(self.alert_webhook_url) != bool(secret):
            wrong.append("the alert webhook needs both ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET")
        if self.staff_telegram_chat and not self.telegram_bot_token.get_secret_value():
            wrong.append("STAFF_TELEGRAM_CHAT needs TELEGRAM_BOT_TOKEN: the bot writes to the group")
        if (smtp or self.alert_webhook_url or self.staff_telegram_chat) and not self.public_url:
            wrong.append("alerts to staff need PUBLIC_URL: they carry the address of the case")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _openid_is_whole(self) -> Settings:
        given = {
            "OIDC_ISSUER": self.oidc_issuer,
            "OIDC_CLIENT_ID": self.oidc_client_id,
            "OIDC_CLIENT_SECRET": self.oidc_client_secret.get_secret_value(),
        }
        missing = [name for name, value in given.items() if not value]
        if missing and len(missing) < len(given):
            raise ValueError(f"OpenID Connect is half set up: {', '.join(missing)} missing")
        if not missing and not self.public_url:
            raise ValueError("OpenID Connect needs PUBLIC_URL: the provider sends people back to it")
        return self

    @model_validator(mode="after")
    def _channels_are_whole(self) -> Settings:
        whatsapp = {
            "WHATSAPP_TOKEN": self.whatsapp_token.get_secret_value(),
            "WHATSAPP_PHONE_ID": self.whatsapp_phone_id,
            "WHATSAPP_APP_SECRET": self.whatsapp_app_secret.get_secret_value(),
            "WHATSAPP_VERIFY_TOKEN": self.whatsapp_verify_token.get_secret_value(),
        }
        missing = [name for name, value in whatsapp.items() if not value]
        if missing and len(missing) < len(whatsapp):
            raise ValueError(f"WhatsApp is half set up: {', '.join(missing)} missing")
        if not missing and not self.public_url:
            raise ValueError("WhatsApp needs PUBLIC_URL: Meta brings messages to a webhook")
        return self

    @field_validator("public_url")
    @classmethod
    def _is_public_url(cls, value: str) -> str:
        if value and not value.startswith("https://"):
            raise ValueError("must begin with https://: no messenger brings messages anywhere else")
        return value.rstrip("/")

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        # They go into a header of security: nothing may stand in them but an address as browsers say it.
        origins = tuple(value.lower().rstrip("/") for value in values)
        if not all(ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("each must be https:// and a host, without a path: https://example.org")
        return origins

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, value: str) -> str:
        address = urlsplit(value)
        is_own_machine = address.hostname in ("localhost", "127.0.0.1", "::1")
        if value and not (address.scheme == "https" or (address.scheme == "http" and is_own_machine)):
            raise ValueError("must begin with https://: keys that come another way prove nothing")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: SecretStr) -> SecretStr:
        address = urlsplit(value.get_secret_value())
        if value.get_secret_value() and (address.scheme not in ("smtp", "smtps") or not address.hostname):
            raise ValueError("is not the address of a mail server such as smtps://user:password@mail.example.org:465")
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_mail_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", value):
            raise ValueError("is not an e-mail address such as alerts@example.org")
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _is_webhook(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("is not an address such as https://example.org/alerts")
        return value

    @field_validator("staff_telegram_chat")
    @classmethod
    def _is_chat(cls, value: str) -> str:
        if value and not re.fullmatch(r"-?\d{1,20}", value):
            raise ValueError("is not the number of a Telegram chat such as -1001234567890")
        return value

    @field_validator("libretranslate_url")
    @classmethod
    def _is_server(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_database_url(cls, value: str) -> str:
        try:
            backend = make_url(value).get_backend_name()
        except ArgumentError as error:
            raise ValueError("is not a database address such as sqlite:///var/wegwijs.db") from error
        if backend not in ("sqlite", "postgresql"):
            raise ValueError("must be an address of SQLite or PostgreSQL")
        return value


def read_settings(**overrides: object) -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: naming every wrong variable and what it should be.

    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, fault['loc'])).upper() or 'settings'}: {fault['msg']}" for fault in error.errors()
        ]
        raise SettingsError("wrong settings:\n" + "\n".join(lines)) from None

"""What must not be started: a dashboard that strangers could reach, or one that nobody could."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from dashboard.access.settings import LOGINS, PROVIDERS, AccessSettings
from dashboard.settings import DashboardSettings
from schemas.errors import ConfigurationError

_LEAST_TOKEN = 16
_ANY_TENANT = ("", "common", "organizations", "consumers")


def is_local(host: str) -> bool:
    """Say whether only this machine reaches a host of that name, `host:port` too."""
    name = host if host.count(":") > 1 and not host.startswith("[") else (urlsplit(f"//{host}").hostname or "")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def beyond_this_machine(settings: DashboardSettings) -> list[str]:
    """Return the names by which others reach the dashboard."""
    return [host for host in (settings.host, *settings.allowed_origins) if not is_local(host)]


def require_safe(settings: DashboardSettings, access: AccessSettings) -> None:
    """Raise ConfigurationError if anybody could come in who was not meant to, or nobody."""
    if access.login not in LOGINS:
        raise ConfigurationError(f"access.login {access.login!r} is none of {', '.join(LOGINS)}", "choose one of them")
    if access.login == "none" and not access.allow_anyone and (names := beyond_this_machine(settings)):
        raise ConfigurationError(
            f"whoever reaches {names[0]} would see the dashboard, for access.login is none",
            "set access.login to password, proxy or oauth, or access.allow_anyone to true if all who reach it may view",
        )
    if access.annotation_token and len(access.annotation_token) < _LEAST_TOKEN:
        raise ConfigurationError(f"access.annotation_token has less than {_LEAST_TOKEN} characters", "choose a longer one, by chance")
    for address in access.proxy_addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise ConfigurationError(
                f"access.proxy_addresses: {address!r} is no address and no network", "write 10.0.0.7 or 10.0.0.0/24"
            ) from error
    if access.login == "oauth":
        _require_provider(access)


def _require_provider(access: AccessSettings) -> None:
    if access.oauth_provider not in PROVIDERS:
        raise ConfigurationError(
            f"access.oauth_provider {access.oauth_provider!r} is none of Panel's", f"choose one of {', '.join(PROVIDERS)}"
        )
    if not access.oauth_key:
        raise ConfigurationError("access.oauth_key is missing", "set it to the client id that the provider gave you")
    if not oauth_secret(access) and access.oauth_provider != "auth_code":
        raise ConfigurationError(
            "access.oauth_secret is missing", "set TOWER_ACCESS__OAUTH_SECRET, or access.oauth_secret_file to a file that holds it"
        )
    if access.oauth_provider in ("generic", "auth_code") and not (access.oauth_authorize_url and access.oauth_token_url):
        raise ConfigurationError(
            f"access.oauth_provider {access.oauth_provider} knows no addresses",
            "set access.oauth_authorize_url and access.oauth_token_url, and access.oauth_user_url if the tokens name no user",
        )
    if access.oauth_provider == "azurev2" and access.oauth_server in _ANY_TENANT:
        raise ConfigurationError(
            "access.oauth_server names no tenant: whoever has one of their own may give its users any address",
            "set it to the id of your tenant",
        )
    if not access.viewers and not access.operators:
        raise ConfigurationError(
            "access.viewers and access.operators are empty: nobody whom the provider lets in may view",
            'set access.viewers, as to ["*@example.com"], or to ["*"] for everybody who has an account there',
        )


def oauth_secret(access: AccessSettings) -> str:
    """Return the client secret, from the setting or its file. Raises ConfigurationError when the file cannot be read."""
    if access.oauth_secret or not access.oauth_secret_file:
        return access.oauth_secret
    try:
        return Path(access.oauth_secret_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"access.oauth_secret_file {access.oauth_secret_file}: {error.strerror}", "name a file to be read"
        ) from error

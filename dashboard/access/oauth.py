"""Signing in at an OAuth provider. Panel speaks with it; the login that follows is one of ours, and no token is kept."""

from __future__ import annotations

import re
import secrets
from typing import Any

from panel.auth import AUTH_PROVIDERS, CODE_COOKIE_NAME, STATE_COOKIE_NAME, _serialize_state
from panel.config import config
from panel.util import decode_token
from tornado.web import HTTPError, RequestHandler

from dashboard.access.access import Access
from dashboard.access.login import LoginPage
from dashboard.access.safety import oauth_secret
from dashboard.access.settings import AccessSettings

PATH = "/login/oauth"
"""Where signing in begins, and where the provider sends the browser back to."""
_SERVER_PARAMETER = {"gitlab": "url", "okta": "url", "auth0": "subdomain", "azurev2": "tenant"}
_ERROR_CODE = re.compile(r"[\w .]{1,80}")
"""What an address may have the page say: whoever makes up a link should not write its text."""


class NotAdmitted(HTTPError):
    """The provider knows the user, and we do not want them."""

    def __init__(self, why: str) -> None:
        super().__init__(403, reason=why)
        self.why = why


def configure_panel(access: AccessSettings, cookie_key: str) -> None:
    """Set what Panel's handlers read from its configuration."""
    parameters = {
        "AUTHORIZE_URL": access.oauth_authorize_url,
        "TOKEN_URL": access.oauth_token_url,
        "USER_URL": access.oauth_user_url,
        _SERVER_PARAMETER.get(access.oauth_provider, "url"): access.oauth_server,
    }
    extra: dict[str, object] = {name: value for name, value in parameters.items() if value}
    if access.oauth_scope:
        extra["scope"] = access.oauth_scope.split()
    values = {
        "oauth_provider": access.oauth_provider,
        "oauth_key": access.oauth_key,
        "oauth_secret": oauth_secret(access),
        "oauth_extra_params": extra,
        "oauth_jwt_user": access.oauth_user_claim or None,
        "cookie_secret": cookie_key,
    }
    for name, value in values.items():
        setattr(config, name, value)


def oauth_handler(access: Access, page: LoginPage) -> type[RequestHandler]:
    """Return Panel's handler of the provider, which ends in a login of ours."""
    provider: Any = AUTH_PROVIDERS[access.settings.oauth_provider]

    class OAuthLogin(provider):  # type: ignore[misc]
        _login_endpoint = PATH
        _claims: dict[str, Any] | None = None

        @property
        def _redirect_uri(self) -> str:
            return f"{self.request.protocol}://{self.request.host}{PATH}"

        def set_secure_cookie(self, name: str, value: str, **options: Any) -> None:
            """Let what belongs to the redirect pass; of the tokens only what they say of the user is read."""
            if name in (STATE_COOKIE_NAME, CODE_COOKIE_NAME):
                secure = self.request.protocol == "https"
                super().set_secure_cookie(name, value, expires_days=None, httponly=True, samesite="Lax", secure=secure)
            elif name == "id_token":
                self._claims = decode_token(value)

        def get_state(self) -> str:
            """Return what the provider sends back: unguessable, and the page to go on to, which is always one of ours."""
            after = self.get_argument("after", "")
            told = {"state_id": secrets.token_hex(16), "next_url": f"/?{after}" if after else "/"}
            state: str = _serialize_state(told)  # type: ignore[no-untyped-call]
            return state

        def get_state_cookie(self) -> str:
            """Return the state that this browser was given, or one that no address has: Panel takes no state for that of nobody."""
            state: str = super().get_state_cookie()
            return state or secrets.token_hex(16)

        def _request_summary(self) -> str:
            """Return what logs tell of the request: without its code."""
            return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"

        async def get_authenticated_user(self, *args: Any, **options: Any) -> str | None:
            """Return the user, who is then signed in."""
            user = await super().get_authenticated_user(*args, **options)
            if user is None:
                return None
            claims = self._claims or {}
            if claims.get("email_verified") is False:
                raise NotAdmitted("the provider has not verified your email address")
            listed = claims.get(access.settings.oauth_groups_claim)
            groups = [str(group) for group in listed] if isinstance(listed, list) else []
            if not access.may_view(str(user), groups):
                raise NotAdmitted(f"{user} may not view this dashboard")
            access.sign_in(self, str(user), groups)
            return str(user)

        def write_error(self, status_code: int, **options: Any) -> None:
            """Show the page with what went wrong, in the provider's words if it had some."""
            error = options["exc_info"][1] if "exc_info" in options else None
            said = "the provider does not answer as it should"
            if isinstance(error, NotAdmitted):
                said = error.why
            elif isinstance(error, HTTPError) and _ERROR_CODE.fullmatch(error.reason or ""):
                said = str(error.reason)
            page.answer(self, status_code if isinstance(error, HTTPError) else 502, error=f"You are not signed in: {said}.")

    return OAuthLogin

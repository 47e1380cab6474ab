"""Who may see the dashboard: what can be configured, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

PROVIDERS = ("auth0", "auth_code", "azurev2", "bitbucket", "generic", "github", "gitlab", "google", "okta")
"""Those of Panel's that send the browser to a provider's own page."""
LOGINS = ("none", "password", "proxy", "oauth")


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """How one signs in, and who may do what.

    `login`: `none` (whoever reaches the address), `password` (the users of `./tower users`), `proxy` (a proxy in front names the
    user in a header) or `oauth`. `allow_anyone` lets `none` be used beyond this machine; all are viewers then.
    `operators` may annotate, acknowledge and silence; the others view. `viewers`: who may view; empty means all who are signed
    in, and must not be with `oauth`. Both hold names, `group:NAME`, or patterns such as `*@example.com`.
    `proxy_addresses` are addresses or networks of proxies, whose headers are believed. `user_header` and `groups_header` are
    read with `proxy`, the latter's names separated by commas.
    `oauth_server` is the GitLab, Okta or Auth0 host, or the tenant of Azure; the `oauth_..._url` are for `generic` and `auth_code`.
    `oauth_user_claim` and `oauth_groups_claim` are read from what the provider says of the user.
    `annotation_token` lets a service add annotations, as `Authorization: Bearer TOKEN`.
    """

    login: str = "none"
    allow_anyone: bool = False
    operators: list[str] = field(default_factory=list)
    viewers: list[str] = field(default_factory=list)
    login_lifetime_ms: int = 12 * 3_600_000
    proxy_addresses: list[str] = field(default_factory=lambda: ["127.0.0.1", "::1"])
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"
    oauth_provider: str = ""
    oauth_key: str = ""
    oauth_secret: str = field(default="", repr=False, metadata={"secret": True})
    oauth_secret_file: str = ""
    oauth_server: str = ""
    oauth_authorize_url: str = ""
    oauth_token_url: str = ""
    oauth_user_url: str = ""
    oauth_scope: str = ""
    oauth_user_claim: str = ""
    oauth_groups_claim: str = "groups"
    annotation_token: str = field(default="", repr=False, metadata={"secret": True})

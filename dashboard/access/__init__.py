"""Who may see the dashboard, and who may act in it.

settings.py   what is configured
safety.py     what must not be started
users.py      the users of `login = "password"`
secret.py     the key that logins and sessions are signed with
access.py     who a request is from
guard.py      one rule before all routes
login.py      the pages for signing in and out
oauth.py      signing in at an OAuth provider, by Panel
attempts.py   failed logins are slowed down
"""

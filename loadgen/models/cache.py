"""Trained models on disk, so that only the first start trains.

A file is named by the service, the scikit-learn version and a digest of the code that trains, so a
change of either trains anew. It begins with the SHA-256 of the rest: a torn file is trained again, never unpickled.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import joblib
import sklearn

from loadgen.models.service import Service, Trained
from schemas.errors import TowerError
from schemas.files import replace_file


def code_version() -> str:
    """Return a digest of the source files beside this one."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def cache_file(cache: Path, service: Service) -> Path:
    """Return where the trained models of `service` lie in the folder `cache`."""
    return cache / f"{service.name}-sklearn{sklearn.__version__}-{code_version()}.joblib"


def train_cached(service: Service, cache: Path, training: Callable[[str], None] = lambda name: None) -> Trained:
    """Return the trained models of `service`, from `cache` when they are there, and keep them there.

    `training` is called with the service's name before it is trained.
    """
    path = cache_file(cache, service)
    trained = _read(path)
    if trained is None:
        training(service.name)
        trained = service.train()
        _write(path, trained)
    return trained


def _read(path: Path) -> Trained | None:
    """Return what is kept there; None when it is absent, torn, or cannot be loaded for whatever reason: it is then trained anew."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[32:]).digest() != content[:32]:
            return None
        trained = joblib.load(io.BytesIO(content[32:]))
    except Exception:
        return None
    return trained if isinstance(trained, Trained) else None


def _write(path: Path, trained: Trained) -> None:
    """Keep the models there. Raises TowerError when that cannot be written."""
    buffer = io.BytesIO()
    joblib.dump(trained, buffer, compress=3)
    payload = buffer.getvalue()
    try:
        replace_file(path, hashlib.sha256(payload).digest() + payload)
    except OSError as error:
        raise TowerError(f"the models cannot be kept in {path.parent}: {error}", "free that path, or choose another --home") from error

"""Where the pipeline's log lines go: to the error stream, unless the program that runs it has set up logging itself."""

from __future__ import annotations

import logging
import sys

NAME = "tower.pipeline"


def set_up_log(member: int | None = None) -> None:
    """Show the lines of the pipeline, from INFO on, with their time and, in a cluster, the number of the member."""
    logger = logging.getLogger(NAME)
    if logger.hasHandlers():
        return
    who = "" if member is None else f"[{member}] "
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {who}%(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

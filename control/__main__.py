"""`python -m control`: what `./tower` runs."""

import os
import signal
import sys
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    # Not an exception: modules that are being imported would turn it into errors of their own.
    os._exit(130)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from control.cli import main

    code = main(sys.argv[1:], os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)

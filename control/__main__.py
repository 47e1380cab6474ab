"""`python -m control`: what `./tower` runs."""

import os
import sys

from control.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""`python -m benchmarks.throughput.programs NAME ARGUMENTS`: runs one of these programs.

A process that the program starts imports the main module anew: this one, which costs nothing, instead of the program's.
"""

import sys
from importlib import import_module

if __name__ == "__main__":
    import_module(f"{__package__}.{sys.argv[1]}").main(*sys.argv[2:])

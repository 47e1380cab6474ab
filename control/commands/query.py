"""`./tower query`: SQL over the metrics."""

from __future__ import annotations

import argparse
import sys

from control.commands.command import Invocation

NAME = "query"
HELP = "SQL over the metrics"
DESCRIPTION = "Runs one SELECT over the view `metrics`, without ever blocking the pipeline. Times are in UTC."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("sql", metavar="SQL", help='such as "SELECT * FROM metrics LIMIT 5"')
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default table")


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Print the rows; an empty lake gives none, and a hint."""
    home = call.config().home
    # Imported when it is needed: DuckDB takes longer to load than the rest of the command line.
    from query.formats import WRITERS
    from query.lake import run_query
    from schemas.lake import metrics_folder

    WRITERS[options.format](run_query(home, options.sql), sys.stdout)
    sys.stdout.flush()
    if "metrics" in options.sql.lower() and not any(metrics_folder(home).glob("window=*/*.parquet")):
        print(f"tower: there are no metrics in {home} yet - start ./tower demo or ./tower pipeline, they come within 30 s", file=sys.stderr)
    return 0

"""Whether a statement only reads: DuckDB itself is asked, on a database from which no file can be reached."""

from __future__ import annotations

import re

import duckdb

from schemas.errors import ConfigurationError
from schemas.lake import no_metrics_sql, view_sql

_MEND = "write a SELECT"
_PIVOTS = {b"PIVOT", b"PIVOT_WIDER"}
_WRITES = {
    *(b"ALTER", b"ATTACH", b"CALL", b"COPY", b"CREATE", b"DELETE", b"DROP", b"EXPORT", b"IMPORT", b"INSERT", b"INSTALL", b"LOAD"),
    *(b"MERGE", b"TRUNCATE", b"UPDATE"),
}
SEALED: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "temp_directory": "",
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
"""Settings of a DuckDB that takes nothing from outside by itself: no file to spill to, no variable of Python's, no extension."""
_EXPLAIN = re.compile(r"EXPLAIN\b\s*(ANALYZE\b|\((?=\s*(?:ANALYZE|FORMAT)\b)[^()]*\))?", re.IGNORECASE)


def refuse_unless_reading(sql: str) -> None:
    """Raise ConfigurationError unless `sql` is one statement that only reads, and duckdb.Error when it is none at all.

    The kind that DuckDB gives a statement does not say so: `EXPLAIN ANALYZE` runs a COPY, `WITH a AS (COPY ...)` is a SELECT, and
    COPY or CREATE around a PIVOT have the kind of a PIVOT. So it is put where only a reading one may stand, into a subquery, and
    bound over views without rows.
    """
    # Each PIVOT makes a type for itself: the database is for this statement alone.
    with duckdb.connect(":memory:", config=SEALED) as connection:
        connection.execute(f"CREATE VIEW metrics AS {view_sql(no_metrics_sql())}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise ConfigurationError(
                f"expected one SQL statement, got {len(statements)}", "write one, such as SELECT * FROM metrics LIMIT 5"
            )
        kind = statements[0].type
        if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI):
            raise ConfigurationError(f"{kind.name} is not a statement that reads", _MEND)
        try:
            connection.execute(f"EXPLAIN SELECT * FROM (\n{_inner(sql)}\n)")
        except duckdb.ParserException as error:
            raise ConfigurationError("this is not a statement that reads", _MEND) from error
        except duckdb.BinderException as error:
            if "WITH clause containing" in str(error):
                raise ConfigurationError("a WITH that writes is not a statement that reads", _MEND) from error
            if not _may_name_what_a_pivot_brings(sql):
                raise


def _may_name_what_a_pivot_brings(sql: str) -> bool:
    """Say whether a column that is missing may be one that the rows give a PIVOT, and no word of the statement begins one that writes."""
    content = sql.encode()
    tokens = duckdb.tokenize(sql)
    ends = [start for start, _ in tokens[1:]] + [len(content)]
    words = {
        content[start:end].strip().upper() for (start, kind), end in zip(tokens, ends, strict=True) if kind == duckdb.token_type.keyword
    }
    return bool(words & _PIVOTS) and not words & _WRITES


def _inner(sql: str) -> str:
    """Return the statement without comments, its last semicolon, and EXPLAIN."""
    tokens = duckdb.tokenize(sql)
    ends = [start for start, _ in tokens[1:]] + [len(sql)]
    # Positions count bytes.
    content = sql.encode()
    ends[-1] = len(content)
    kept = b" ".join(content[start:end] for (start, kind), end in zip(tokens, ends, strict=True) if kind != duckdb.token_type.comment)
    text = kept.decode().strip().rstrip("; \n\t")
    explained = _EXPLAIN.match(text)
    return text[explained.end() :] if explained else text

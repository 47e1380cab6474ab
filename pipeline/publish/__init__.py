"""The publisher: merges the shards' panes, and writes metrics to the topic, to DuckDB and to the lake."""

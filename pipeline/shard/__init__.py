"""A shard: the predictions whose ids hash to it, their outcomes, and its part of every pane."""

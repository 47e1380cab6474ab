"""From events in Kafka to windowed metrics: source, decode, route, shards, publisher."""

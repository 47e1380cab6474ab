"""From Kafka to columns, in a process of its own: Python runs one thread at a time, and this is half of all its work."""

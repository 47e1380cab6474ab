"""The command line, configuration, supervision of the parts, and the embedded Kafka."""

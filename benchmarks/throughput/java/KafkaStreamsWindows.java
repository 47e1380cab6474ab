import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The simple job in Kafka Streams: re-keyed by model, which takes a repartition topic since the log is keyed by prediction id, then
 * aggregated over tumbling windows in its default store (RocksDB with a changelog topic). A thread for each core. Run twice.
 */
public final class KafkaStreamsWindows {
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Prediction(
            String model,
            @JsonProperty("created_at") long createdAt,
            @JsonProperty("response_time_ms") double latencyMs,
            Map<String, Object> features) {
        Sample sample() {
            return new Sample(latencyMs, (int) features.values().stream().filter(value -> value == null).count(), features.size());
        }
    }

    /** What goes through the repartition topic. */
    record Sample(double latencyMs, int nulls, int values) {
        byte[] bytes() {
            return ByteBuffer.allocate(16).putDouble(latencyMs).putInt(nulls).putInt(values).array();
        }

        static Sample of(byte[] bytes) {
            var buffer = ByteBuffer.wrap(bytes);
            return new Sample(buffer.getDouble(), buffer.getInt(), buffer.getInt());
        }
    }

    private static final long LONGEST_S = 600;

    private final String topic;
    private final Duration window;
    private final Duration grace;
    private final long events;
    private final AtomicReference<Report.Moment> start = new AtomicReference<>();
    private final AtomicReference<Report.Moment> lastResult = new AtomicReference<>();
    private final AtomicLong aggregated = new AtomicLong();
    private final Map<Windowed<String>, Report.Row> results = new ConcurrentHashMap<>();

    private KafkaStreamsWindows(String topic, long windowMs, long graceMs, long events) {
        this.topic = topic;
        this.window = Duration.ofMillis(windowMs);
        this.grace = Duration.ofMillis(graceMs);
        this.events = events;
    }

    /** Arguments: bootstrap servers, topic, events, window and grace in milliseconds, folder for the state. */
    public static void main(String[] arguments) throws Exception {
        Report first = null;
        Report second = null;
        for (int run = 0; run < 2; run++) {
            first = second;
            second = new KafkaStreamsWindows(
                            arguments[1], Long.parseLong(arguments[3]), Long.parseLong(arguments[4]), Long.parseLong(arguments[2]))
                    .run(arguments[0], arguments[5], "benchmark-" + UUID.randomUUID());
        }
        second.print(first);
    }

    private Report run(String bootstrap, String stateFolder, String application) throws InterruptedException {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, stateFolder);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        var streams = new KafkaStreams(topology(), settings);
        long deadline = System.nanoTime() + Duration.ofSeconds(LONGEST_S).toNanos();
        long dropped = 0;
        streams.start();
        while (aggregated.get() + dropped < events && System.nanoTime() < deadline && !streams.state().hasStartedOrFinishedShuttingDown()) {
            Thread.sleep(20);
            dropped = dropped(streams);
        }
        // Closing commits, and a commit sends on what the caches still hold back.
        streams.close();
        streams.cleanUp();
        return Report.between(start.get(), lastResult.get(), aggregated.get() + dropped, dropped, List.copyOf(results.values()));
    }

    private Topology topology() {
        ObjectReader reader = new ObjectMapper().readerFor(Prediction.class);
        Serde<Prediction> predictions = serde(null, bytes -> parsed(reader, bytes));
        Serde<Sample> samples = serde(Sample::bytes, Sample::of);
        var builder = new StreamsBuilder();
        builder.stream(topic, Consumed.with(Serdes.ByteArray(), predictions)
                        .withTimestampExtractor((record, newest) -> ((Prediction) record.value()).createdAt()))
                .map((id, prediction) -> KeyValue.pair(prediction.model(), prediction.sample()))
                .groupByKey(Grouped.with("by-model", Serdes.String(), samples))
                .windowedBy(TimeWindows.ofSizeAndGrace(window, grace))
                .aggregate(
                        Accumulator::new,
                        (model, sample, accumulator) -> {
                            aggregated.incrementAndGet();
                            return accumulator.add(sample.latencyMs(), sample.nulls(), sample.values());
                        },
                        Materialized.<String, Accumulator, WindowStore<Bytes, byte[]>>as("windows")
                                .withKeySerde(Serdes.String())
                                .withValueSerde(serde(Accumulator::bytes, Accumulator::of)))
                .toStream()
                .foreach(this::take);
        return builder.build();
    }

    private void take(Windowed<String> key, Accumulator found) {
        results.put(key, new Report.Row(key.key(), key.window().start(), found.count, found.p99(), found.nullPercentage()));
        lastResult.set(Report.Moment.now());
    }

    private Prediction parsed(ObjectReader reader, byte[] bytes) {
        if (start.get() == null) {
            start.compareAndSet(null, Report.Moment.now());
        }
        try {
            return reader.readValue(bytes);
        } catch (IOException error) {
            throw new IllegalArgumentException(error);
        }
    }

    private static long dropped(KafkaStreams streams) {
        double total = 0;
        for (var metric : streams.metrics().values()) {
            if (metric.metricName().name().equals("dropped-records-total")) {
                total += ((Number) metric.metricValue()).doubleValue();
            }
        }
        return (long) total;
    }

    private interface ToBytes<T> {
        byte[] apply(T value);
    }

    private interface FromBytes<T> {
        T apply(byte[] bytes);
    }

    private static <T> Serde<T> serde(ToBytes<T> to, FromBytes<T> from) {
        return Serdes.serdeFrom(
                (topic, value) -> value == null ? null : to.apply(value), (topic, bytes) -> bytes == null ? null : from.apply(bytes));
    }
}

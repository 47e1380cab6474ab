import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * What is kept of a window: how many events, how many of their feature values are null, and their latencies in buckets of
 * logarithmic size (the mapping of DDSketch, relative accuracy 1 %), which is what makes a window's state small.
 */
final class Accumulator {
    private static final double ACCURACY = 0.01;
    private static final double GAMMA = (1 + ACCURACY) / (1 - ACCURACY);
    private static final double LOG_GAMMA = Math.log(GAMMA);

    long count;
    long nulls;
    long values;
    private int first;
    private int[] buckets = new int[0];

    Accumulator add(double latencyMs, int nulls, int values) {
        count++;
        this.nulls += nulls;
        this.values += values;
        int bucket = (int) Math.ceil(Math.log(Math.max(latencyMs, 1e-6)) / LOG_GAMMA);
        makeRoomFor(bucket);
        buckets[bucket - first]++;
        return this;
    }

    double p99() {
        long left = (long) Math.ceil(0.99 * count);
        int at = 0;
        while (at < buckets.length - 1 && left > buckets[at]) {
            left -= buckets[at++];
        }
        return 2 * Math.pow(GAMMA, first + at) / (GAMMA + 1);
    }

    double nullPercentage() {
        return 100.0 * nulls / values;
    }

    byte[] bytes() {
        var buffer = ByteBuffer.allocate(32 + 4 * buckets.length).putLong(count).putLong(nulls).putLong(values).putInt(first);
        buffer.putInt(buckets.length).asIntBuffer().put(buckets);
        return buffer.array();
    }

    static Accumulator of(byte[] bytes) {
        var buffer = ByteBuffer.wrap(bytes);
        var found = new Accumulator();
        found.count = buffer.getLong();
        found.nulls = buffer.getLong();
        found.values = buffer.getLong();
        found.first = buffer.getInt();
        found.buckets = new int[buffer.getInt()];
        buffer.asIntBuffer().get(found.buckets);
        return found;
    }

    private void makeRoomFor(int bucket) {
        if (buckets.length == 0) {
            first = bucket;
            buckets = new int[1];
        } else if (bucket < first) {
            int[] wider = new int[buckets.length + first - bucket];
            System.arraycopy(buckets, 0, wider, first - bucket, buckets.length);
            buckets = wider;
            first = bucket;
        } else if (bucket >= first + buckets.length) {
            buckets = Arrays.copyOf(buckets, bucket - first + 1);
        }
    }
}

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a run reports, as the JSON line that the benchmark reads: see {@code job.report} in Python. */
record Report(long events, double seconds, double processorSeconds, long late, List<Row> windows) {
    /** Results of one window: its start in epoch milliseconds, p99 in milliseconds, percentage of nulls. */
    record Row(String model, long start, long count, double p99, double nullPercentage) {
        String json() {
            return String.format(Locale.ROOT, "[\"%s\",%d,%d,%s,%s]", model, start, count, p99, nullPercentage);
        }
    }

    /** A moment on the clock and on the processor time of this process, both in seconds. */
    record Moment(double wall, double processor) {
        static Moment now() {
            var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Moment(System.nanoTime() / 1e9, system.getProcessCpuTime() / 1e9);
        }
    }

    static Report between(Moment start, Moment end, long events, long late, List<Row> windows) {
        return new Report(events, end.wall() - start.wall(), end.processor() - start.processor(), late, windows);
    }

    /** Print this run, the warm one; {@code first} is the one before it in the same JVM. */
    void print(Report first) {
        String rows = windows.stream().map(Row::json).collect(Collectors.joining(","));
        System.out.printf(
                Locale.ROOT,
                "{\"events\":%d,\"seconds\":%s,\"processor_seconds\":%s,\"late\":%d,\"cold_seconds\":%s,\"windows\":[%s]}%n",
                events, seconds, processorSeconds, late, first.seconds(), rows);
    }
}

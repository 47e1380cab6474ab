import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;

/** The simple job in Flink SQL: a window table function over a Kafka table that ends at the topic's end, in a local cluster. Run twice. */
public final class FlinkSqlWindows {
    private static final String SOURCE = """
            CREATE TABLE predictions (
                model STRING,
                created_at BIGINT,
                response_time_ms DOUBLE,
                features ROW<age DOUBLE, tenure DOUBLE, plan STRING>,
                event_time AS TO_TIMESTAMP_LTZ(created_at, 3),
                WATERMARK FOR event_time AS event_time - INTERVAL '%d' MINUTE
            ) WITH (
                'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'properties.group.id' = 'benchmark',
                'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'json'
            )""";

    // Features are columns to SQL: each event has all three, so what is not counted is null.
    private static final String JOB = """
            SELECT model, window_start, COUNT(*), PERCENTILE(response_time_ms, 0.99),
                   100e0 * (3 * COUNT(*) - COUNT(features.age) - COUNT(features.tenure) - COUNT(features.plan)) / (3 * COUNT(*))
            FROM TABLE(TUMBLE(TABLE predictions, DESCRIPTOR(event_time), INTERVAL '%d' SECOND))
            GROUP BY model, window_start, window_end""";

    /** Arguments: bootstrap servers, topic, window and patience in milliseconds, parallelism. */
    public static void main(String[] arguments) throws Exception {
        var settings = new Configuration();
        settings.setString("parallelism.default", arguments[4]);
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("table.local-time-zone", "UTC");
        var tables = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
        tables.executeSql(String.format(SOURCE, Long.parseLong(arguments[3]) / 60_000, arguments[1], arguments[0]));
        Report first = run(tables, Long.parseLong(arguments[2]));
        run(tables, Long.parseLong(arguments[2])).print(first);
        System.exit(0);
    }

    private static Report run(TableEnvironment tables, long windowMs) throws Exception {
        var start = Report.Moment.now();
        List<Report.Row> windows = new ArrayList<>();
        long events = 0;
        try (var rows = tables.executeSql(String.format(JOB, windowMs / 1000)).collect()) {
            while (rows.hasNext()) {
                Row row = rows.next();
                String model = row.getFieldAs(0);
                LocalDateTime window = row.getFieldAs(1);
                long count = row.<Long>getFieldAs(2);
                double p99 = row.<Double>getFieldAs(3);
                double nullPercentage = row.<Double>getFieldAs(4);
                windows.add(new Report.Row(model, window.toInstant(ZoneOffset.UTC).toEpochMilli(), count, p99, nullPercentage));
                events += count;
            }
        }
        return Report.between(start, Report.Moment.now(), events, 0, windows);
    }
}

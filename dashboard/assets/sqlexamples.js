// Statements to begin with, for the model that is picked.
import { literal } from "./sqlbuilder.js";

const ALL = "model_version = '*' AND segment = '*'";

export const examples = (model) => [
  ["Latency percentiles by hour", `SELECT window_start,
  ${["p50", "p90", "p95", "p99"].map((name) => `max(value) FILTER (WHERE metric = 'latency_${name}_ms') AS ${name}`).join(",\n  ")}
FROM metrics
WHERE model = ${literal(model)} AND "window" = '1h' AND ${ALL}
GROUP BY window_start
ORDER BY window_start DESC`],
  ["Weakest F1 of all segments and versions", `SELECT model_version, segment, arg_max(value, window_end) AS value, arg_max(low, window_end) AS low,
  arg_max(high, window_end) AS high, arg_max(n, window_end) AS n
FROM metrics
WHERE model = ${literal(model)} AND metric = 'f1_score_rolling_7d'
GROUP BY model_version, segment
ORDER BY value`],
  ["Nulls of each feature by day", `PIVOT (
  SELECT window_start, dimension, value
  FROM metrics
  WHERE model = ${literal(model)} AND metric = 'input_null_percentage' AND "window" = '1d'
    AND ${ALL} AND dimension <> ''
)
ON dimension USING any_value(value)
GROUP BY window_start
ORDER BY window_start DESC`],
  ["Uplift of each variant by day", `SELECT window_start, dimension, value, n, low, high, status
FROM metrics
WHERE model = ${literal(model)} AND metric = 'conversion_rate_uplift' AND "window" = '1d' AND ${ALL}
ORDER BY window_start DESC, dimension`],
  ["Predictions of each model, all together", `SELECT model, sum(value)::BIGINT AS predictions, min(window_start) AS first, max(window_end) AS last
FROM metrics
WHERE metric = 'prediction_volume' AND "window" = '1d' AND ${ALL}
GROUP BY model
ORDER BY predictions DESC`],
];

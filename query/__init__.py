"""SQL over what the pipeline has exported: for `tower query`, and in a sandbox for the dashboard."""

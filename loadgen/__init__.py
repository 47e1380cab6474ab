"""Input for the pipeline: scenarios played by really trained models, simulated history, and replayed tables."""

"""The oracle: seeded events, and an independent batch computation that every number of the pipeline must equal."""

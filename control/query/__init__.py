"""`tower query`: SQL over what the pipeline has exported, and its formats."""

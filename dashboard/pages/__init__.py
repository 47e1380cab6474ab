"""The pages: the fleet of all models, and one model in detail."""

"""The pages: the fleet of all models, one model in detail, and the health of Control Tower itself."""

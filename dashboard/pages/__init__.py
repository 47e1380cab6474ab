"""The pages: the fleet of all models, one model in detail, alerts, any metric to explore, and the health of Control Tower itself."""

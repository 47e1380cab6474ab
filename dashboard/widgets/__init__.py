"""What pages are made of: live sources, charts and their specifications."""

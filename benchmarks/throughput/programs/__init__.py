"""What runs in a process of its own. Each prints one line: `job.report`."""

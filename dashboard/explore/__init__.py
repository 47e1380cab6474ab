"""SQL that viewers write: run in sandboxed processes of its own, and answered as a page's table or as a file."""

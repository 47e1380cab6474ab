"""Events per second: the whole pipeline against a bare consumer and against idiomatic Bytewax, on the same broker and events."""

"""Source files: each content once, by its checksum, with what is known of every path that it had."""

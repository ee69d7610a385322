"""One Prefect task module a stage: keys, caching and shards; the work itself is the library's."""

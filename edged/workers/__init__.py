"""One thread each, with one owner, a bounded inbox and a heartbeat."""

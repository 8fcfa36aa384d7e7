"""Events of many doors in one database: heard, stored once, and asked for again where some are missing."""

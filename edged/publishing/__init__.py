"""The publisher's side of a fleet: keys, doors, signed galleries. No door imports it."""

"""What must survive a power cut: events and people."""

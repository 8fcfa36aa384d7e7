"""What is said over MQTT, and how."""

"""What is known about each device: one TOML file per device and runtime, a source for every number."""

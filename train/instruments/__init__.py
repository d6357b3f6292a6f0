"""Readers, writers and simulators, one folder per instrument."""

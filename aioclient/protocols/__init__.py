"""Bytes on one connection."""

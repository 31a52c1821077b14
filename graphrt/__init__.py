"""The core of graphrt."""

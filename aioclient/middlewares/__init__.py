"""Steps around a request, each ``async (request, handler) -> response``."""

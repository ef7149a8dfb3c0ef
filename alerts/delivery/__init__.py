"""Delivery of notifications: from the outbox through a channel to whoever is to know, at least once."""

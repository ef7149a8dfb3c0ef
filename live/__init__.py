"""The live channels: what reaches open browsers and `/ws/metrics` clients a moment after it was persisted."""

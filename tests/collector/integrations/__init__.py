"""The integrations, each with its real library against a real local site."""

"""The building blocks of the pages: pure functions from data to Dash components or their props."""

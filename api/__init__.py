"""The HTTP interface: ingest, health, the channel's content without a socket, statistics and exports."""

"""How a browser is served: which page an address shows, how it follows, and the web server itself."""

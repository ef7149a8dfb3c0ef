"""Tests of the web server and the command line."""

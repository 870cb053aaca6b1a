"""The portal: pages for people, on the same reads and commands as the HTTP API."""

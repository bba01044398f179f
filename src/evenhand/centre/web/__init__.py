"""The centre's pages, rendered on the server from the tables and the bundles."""

"""States of an audit: what its rows were counted to, kept in a file, merged with other days'."""

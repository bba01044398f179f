"""What the centre keeps in its database: tables, the chain, and all that is written and read."""

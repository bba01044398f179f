"""The centre over HTTP: routes, who may what, and problems as documents."""

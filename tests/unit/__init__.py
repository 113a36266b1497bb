"""Pure rules and small parts, without sockets, databases or processes."""

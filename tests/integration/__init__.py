"""Parts against real databases and real servers on loopback."""

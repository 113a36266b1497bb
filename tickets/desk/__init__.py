"""The desk: the staff's web pages. ``tickets.desk.app`` builds them; nothing else is public."""

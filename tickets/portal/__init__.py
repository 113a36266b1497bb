"""The portal: the clients' web pages, built by ``tickets.portal.app``; nothing else is public."""

"""What the web pages of desk and portal share: frame, style, forms, headers, charts, the watch."""

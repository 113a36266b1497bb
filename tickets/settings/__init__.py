"""Settings of tickets and promises: the agency, its support hours, its mail server, its clients.

The models only say what is allowed; ``monitor.settings.load`` reads them from the file, the
environment and the command line. No module reads the environment by itself.
"""

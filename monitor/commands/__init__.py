"""What the commands of ``fettle`` do: one module per group, called by ``monitor.cli``.

Each command takes the surroundings and the parsed arguments and returns the exit code. Errors of
Fettle's own are raised and told by ``monitor.cli``.
"""

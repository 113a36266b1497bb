"""Our own faults, staged on the real service: slow, so run by themselves with ``make faults``."""

"""Pure rules of probing: no clock, no store, no network; instants are arguments."""

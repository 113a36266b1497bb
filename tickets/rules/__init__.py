"""Pure rules of tickets and promises: no clock, no store, no network; instants are arguments."""

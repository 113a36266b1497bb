"""The prober against real servers on loopback that misbehave in every way we could think of."""

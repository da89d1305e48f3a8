"""Everything that touches the world: the clock, the queue, reading, writing and events."""

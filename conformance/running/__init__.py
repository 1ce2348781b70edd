"""How a run is made: profiles, one clause tried, a process of its own, environments, the runner."""

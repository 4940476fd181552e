"""Events that a meter reports: a change of tariff, a power failure, a billing reset."""

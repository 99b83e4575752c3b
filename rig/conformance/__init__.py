"""Whether a device keeps its rules: each rule as named measurements with a unit, a limit and a verdict."""

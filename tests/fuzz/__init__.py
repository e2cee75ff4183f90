"""Coverage-guided fuzzing: `make fuzz SECONDS=60`. What a target finds becomes a test in tests/unit."""

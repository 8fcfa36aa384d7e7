"""Long trials under fault, in real processes; ``python -m tests.chaos`` prints what came of them."""

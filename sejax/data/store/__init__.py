"""The one store of prepared sets: `writing` makes them step by step and resumes after a kill, `sets` reads them."""

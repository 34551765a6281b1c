"""Training one architecture: `recipe.py` fixes how, `data/` holds the images, `trainer.py` is the loop."""

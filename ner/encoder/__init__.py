"""From a checkpoint's name to a model, and from words to its inputs. Nothing here trains or tags."""

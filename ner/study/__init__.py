"""Many runs for one question: which ones a study file asks for, how they are made, and what is recorded of them."""

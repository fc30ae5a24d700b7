(not text)

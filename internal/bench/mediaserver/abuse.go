package main

func (c *config) runAbuse() error    { return nil }
func (c *config) attackChild() error { return nil }

package archive

// SetRetention changes the rules of an archive, which nobody else may be using.
func SetRetention(a *Archive, r Retention) {
	a.sweeping.Lock()
	defer a.sweeping.Unlock()
	a.opts.Retention = r
}

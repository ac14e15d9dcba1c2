package limit

// Sizes returns how many entries all that a handler keeps has together, besides its rules.
func Sizes(h *Handler) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions) + len(h.viewers) + len(h.files) + len(h.addresses) + len(h.all.all) + len(h.allFiles.all)
}

// Kept returns the number of sessions without forgetting those whose time has passed.
func Kept(h *Handler) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all.all)
}

// DrainStep is how many sessions are forgotten while the lock is held.
const DrainStep = drainStep

// CMCDSession and FileOf are what the fuzz targets look at.
var (
	CMCDSession = cmcdSession
	FileOf      = fileOf
)

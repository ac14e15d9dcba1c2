// Package smoothtest helps to test programs that use the suite: presentations and sources in memory, on demand and
// live, whose fragments have valid boxes, and an encoder that pushes a live presentation as real ones do.
//
// Nothing here needs files, a network or an encoder, and everything is deterministic: the same configuration gives
// the same bytes.
package smoothtest

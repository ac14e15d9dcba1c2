// Package smooth serves on-demand Smooth Streaming presentations and holds the vocabulary of the suite.
package smooth

// Package imports holds the tests that keep the structure of the module: which package may import which, that no
// internal type shows in the exported surface, and which directories stand at the top.
package imports

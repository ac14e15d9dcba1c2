// Package lossy is a store in memory that loses power, for tests of what has to survive that.
//
// # The disk
//
// Readers see what was written at once, as through the page cache of a system. [Store.Crash] decides with a random source what
// of it had reached the disk:
//
//   - What was in a file when a Sync was called that has returned nil is there, up to the length the file then had, and so is
//     its name with the directories above it, until it is cut, replaced or removed. So is what Replace has written once it
//     has returned nil.
//   - Any other page of 4096 bytes holds what was there before, or what was written at some time since, which includes what a
//     Truncate has cut off, and each sector of 512 bytes in it may be as old as before. Pages are independent of one another,
//     of the length of the file and of all other files.
//   - The length is one that the file had since the last Sync, or one in the middle of a Write. Where there is length without
//     data there are zeros.
//   - A name that was made, removed or replaced without being synced is as it was before or at any time since, each name by
//     itself: a removed file may be back with a file that was made later gone. A directory is there if anything below it is.
//     A Sync of one file does nothing for the names beside it.
//   - A file that has replaced another is there as a whole, or the other is.
//
// That is more than most disks do, and no more than the contract of [archive.Store] allows. Nothing reaches the disk by itself
// after a time, so what was never synced can be lost however long ago it was written.
//
// A Sync that fails is like fsync on Linux: the pages that were not on the disk may never be, though they can still be read,
// and a later Sync that succeeds does not bring them there unless they are written again. Every page is lost or not by itself.
//
// Everything is determined by the calls, by what the [Fault] returns, and by the random source.
package lossy

// Package redisstore keeps the sessions of Web Playlists in Redis, so that all servers of a farm know them: a viewer
// may ask one server for the playlist and another for an entry, and a server may be replaced while its viewers watch.
//
//	client := redis.NewClient(&redis.Options{Addr: "10.0.0.5:6379", ContextTimeoutEnabled: true})
//	store := redisstore.New(client, &redisstore.Options{MaxSessions: 100_000})
//	http.Handle("/", playlist.NewHandler(provider, &playlist.HandlerOptions{Store: store, Keys: keys}))
//
// The keys are those of signed cookies and tokens, the same on all servers.
//
// # What is in Redis
//
// With the prefix of the options before them:
//
//	session:ID    8 random bytes that every change replaces, then the session in its binary form; until some time after
//	              its end. Only the 8 bytes if it was deleted.
//	sessions      sorted set of IDs by the time of their end in milliseconds, for counting
//	list:VERSION  a version of a playlist, as JSON, compressed if large; until the last session of it may end
//
// All of them expire; no command looks at all keys, and none takes long: sessions that have ended leave the sorted set a
// hundred at a time. Every command and script is about one key, so Redis Cluster will do. Redis should be
// set to keep what has not expired (maxmemory-policy noeviction): a viewer whose session is evicted gets 404.
//
// # What is exact
//
// A change of a session is made once or not at all, in an order that all servers agree on: it is written if the 8 bytes
// are still those that were read, else it is computed again from what is there now. The 8 bytes also tell a write that
// was done, but whose answer was lost, from one that lost against another server.
//
// The number of sessions is that of the sorted set, where a session that has ended does not count, deleted or not. A
// script counts and adds in one step, so MaxSessions holds for all servers together, by the clock of each. A session
// whose change could not be noted there, because Redis went away between the two writes, counts until the end that it
// had before.
//
// Times come from the clocks of the servers, which should agree within a second or so. What Redis itself expires is
// by the time that was left when it was written.
package redisstore

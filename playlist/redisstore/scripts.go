package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Scripts run in Redis one at a time and each uses one key. They are values without state.
var (
	// reserveScript adds a session to the sorted set unless there are too many, and returns 1 if it is there then.
	// Arguments: now, the limit or 0, the end of the session, its ID, milliseconds until the set may be forgotten.
	reserveScript = redis.NewScript(`
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)
if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end
local most = tonumber(ARGV[2])
if most > 0 and not redis.call('ZSCORE', KEYS[1], ARGV[4])
	and redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf') >= most then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
return 1`)

	// swapScript replaces the record of a session if its stamp is still the one that was read, and returns 1 if it has
	// been replaced, now or by the same script before. Arguments: the stamp, the new record, its life in milliseconds.
	swapScript = redis.NewScript(`
local stamp = redis.call('GETRANGE', KEYS[1], 0, 7)
if stamp == ARGV[1] then
	redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	return 1
end
if stamp == string.sub(ARGV[2], 1, 8) then return 1 end
return 0`)

	// renewScript lets a key live for some milliseconds at least, and returns 1 if there is one.
	renewScript = redis.NewScript(`
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return 0 end
if left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1`)
)

// again returns the result of a script that was called by its digest in a pipeline. If Redis does not know it, as after
// its start, it is sent whole.
func (s *Store) again(ctx context.Context, script *redis.Script, cmd *redis.Cmd, key string, args []any) (int, error) {
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = script.Eval(ctx, s.client, []string{key}, args...)
	}
	return cmd.Int()
}

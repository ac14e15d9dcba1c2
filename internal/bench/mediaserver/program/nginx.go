package program

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// HasNginx reports whether nginx is installed.
func HasNginx() bool {
	_, err := exec.LookPath("nginx")
	return err == nil
}

// StartNginxCache starts nginx with two workers as a cache in front of an origin, which keeps its files in a directory.
func StartNginxCache(dir, origin string) (*Process, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 2; worker_rlimit_nofile 8192; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log; %[2]s
events { use epoll; multi_accept on; worker_connections 4096; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; gzip off; open_file_cache max=4096;
client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/temp; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
proxy_cache_path %[1]s/cache levels=1:2 keys_zone=media:16m max_size=4g inactive=60m use_temp_path=off;
server { listen %[3]s reuseport backlog=4096; location / { proxy_pass http://%[4]s; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_cache media; proxy_cache_lock on; proxy_buffers 64 16k; add_header X-Cache $upstream_cache_status; } } }`, dir, user, addr, origin)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("nginx", "-c", file, "-p", dir)
	cmd.Stderr = os.Stderr
	p, err := Start("nginx", addr, cmd)
	if err != nil {
		return nil, err
	}
	if err := p.findWorkers(2); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// findWorkers replaces nginx's master, which does nothing, by its workers. The processes that look after the cache are
// among its children too.
func (p *Process) findWorkers(n int) error {
	master := p.PIDs[0]
	for range 100 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
		if err != nil {
			return err
		}
		var pids []int
		for _, s := range strings.Fields(string(b)) {
			title, err := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", s))
			if err != nil || !strings.Contains(string(title), "worker process") {
				continue
			}
			pid, err := strconv.Atoi(s)
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		if len(pids) == n {
			p.PIDs = pids
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("nginx has not started %d workers", n)
}

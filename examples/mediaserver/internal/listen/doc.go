// Package listen owns the listening sockets of the media server: several on chosen addresses, retried until they can be
// bound, inherited from systemd, and handed over to a new process without a refused connection.
//
//	set, err := listen.Open(ctx, []listen.Spec{{Address: ":80"}, {Address: ":443", Name: "https"}}, &listen.Options{
//		Handover: "/run/mediaserver/control",
//		Release:  app.Release, // ends keep-alives, sends encoders away, closes the archive
//		Reclaim:  app.Reclaim, // opens it again
//		Drain:    app.Drain,   // waits for viewers, with Conns.Drain
//	})
//	if err != nil {
//		return err
//	}
//	defer set.Close()
//	set.Serve(func(l net.Listener, spec listen.Spec) error { return server(spec).Serve(l) })
//	if err := set.Ready(ctx); err != nil { // the old process, if there is one, has let go of the archive
//		return err
//	}
//	if err := app.OpenArchive(); err != nil { // Close then gives everything back to the old process
//		return err
//	}
//	if err := set.Done(ctx); err != nil {
//		return err
//	}
//	return set.Wait() // ErrTakenOver when a newer process has everything
//
// # Objects
//
// A [Spec] is an address of the configuration. A [Set] has one socket for each, and a goroutine that binds it, tries
// again while that is impossible, and then runs the serve function of the application with it. A socket is bound here,
// inherited from systemd or taken over from the running process, see [Origin]. The listener that the serve function gets
// is a lease: the Set ends it when the address is removed or another process takes over, and closing it does not close
// the socket. The control socket is the path through which a new process finds the running one.
//
// # Handing over
//
// The new process dials the control socket and gets the listening sockets themselves, so that clients never find a
// closed port: they wait in the accept queue, which both processes share, until one of them accepts.
//
//	new                          old
//	hello            ->               Open
//	                 <-          sockets, with their descriptors
//	ready            ->               Ready, when everything is prepared that needs nothing exclusive
//	                             stops accepting, calls Release
//	                 <-          released
//	done             ->               Done, after the application opened its archive
//	                 <-          bye  the old one never comes back from here
//	accepts, takes the path      calls Drain; Wait returns ErrTakenOver
//
// Until bye the old process takes everything back, with Reclaim, when the new one gives up, dies or exceeds a limit of
// [Timeouts]. When the old process dies, the new one goes on alone. A third process is told that the old one is busy.
// Connections that have been accepted stay with the process that accepted them. What HTTP itself allows remains: a client that
// sends a request on an idle connection in the moment that Release closes it has to send it again, as browsers and Go do.
//
// The directory of the control socket should belong to the user of the server alone, such as RuntimeDirectory of systemd.
// Under systemd, the old process names the new one as the main one (MAINPID) when it has been taken over.
//
// # Not here
//
// TLS, HTTP and what happens to encoders are the application's. SO_REUSEPORT is not used: it spreads the clients over
// the processes, and those in the queue of a socket that closes are reset. UDP is not handled. Windows can neither hand
// over nor activate sockets; there Options.Handover is refused. Windows also lets two programs have overlapping addresses,
// such as all and one of them, and gives clients to the more exact one: then nothing is taken, and nothing is reported.
//
// Specifications: sd_listen_fds(3), sd_notify(3) of systemd; unix(7), proc_pid_fd(5), proc(5) (net/tcp) of Linux.
package listen

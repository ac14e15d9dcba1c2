package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	maxForm       = 16 << 10         // bytes
	commandWithin = 30 * time.Second // to end recordings takes a while
	cookieName    = "console_form"
)

// serveCommand does what a form asks for, and then shows the page of the point.
func (c *Console) serveCommand(w http.ResponseWriter, r *http.Request, path string, p page) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !c.genuine(r) {
		c.opts.Logger.Warn("form of the console refused", "remote", r.RemoteAddr, "origin", r.Header.Get("Origin"))
		c.serveFault(w, r, http.StatusForbidden)
		return
	}
	name, command := r.URL.Query().Get("name"), Command(r.PostForm.Get("command"))
	switch command {
	case Start, Stop:
	case Shutdown:
		if r.PostForm.Get("confirmed") != "yes" {
			seeOther(w, "confirm", name)
			return
		}
	default:
		c.serveFault(w, r, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandWithin)
	defer cancel()
	err := c.src.Command(ctx, name, command)
	c.logCommand(r, name, command, err)
	if err == nil {
		seeOther(w, "point", name)
		return
	}
	c.serveRefused(w, r, path, p, err)
}

// seeOther sends the browser to a page. The URL is relative: http.Redirect would make it absolute, without the prefix that the
// console is mounted at.
func seeOther(w http.ResponseWriter, path, name string) {
	w.Header().Set("Location", path+"?"+url.Values{"name": {name}}.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// serveRefused shows the page of the point with the reason.
func (c *Console) serveRefused(w http.ResponseWriter, r *http.Request, path string, p page, err error) {
	v, viewErr := p.view(r.Context(), r.URL.Query())
	if viewErr != nil {
		c.serveError(w, r, errors.Join(viewErr, err))
		return
	}
	c.serveView(w, r, path, v, statusOf(err), notice(statusOf(err)))
}

func (c *Console) logCommand(r *http.Request, name string, command Command, err error) {
	log := c.opts.Logger.With("point", name, "command", string(command), "remote", r.RemoteAddr)
	switch {
	case err == nil:
		log.Info("command of an operator")
	case statusOf(err) < http.StatusInternalServerError:
		log.Info("command of an operator refused", "err", err)
	default:
		log.Error("command of an operator", "err", err)
	}
}

// genuine reports whether a form was sent from a page of this console to this browser: Sec-Fetch-Site or Origin say so, as far as
// the browser sends them, and the token belongs to the cookie.
func (c *Console) genuine(r *http.Request) bool {
	if http.NewCrossOriginProtection().Check(r) != nil {
		return false
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil || r.ParseForm() != nil {
		return false
	}
	return hmac.Equal([]byte(r.PostForm.Get("token")), []byte(c.sign(cookie.Value)))
}

// token returns the token for the forms of a page, and sets the cookie it belongs to if the browser has none. The cookie has the
// default path, which is the directory of the console wherever that is mounted.
func (c *Console) token(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil || len(cookie.Value) < 16 {
		cookie = &http.Cookie{
			Name: cookieName, Value: rand.Text(), HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
		}
		http.SetCookie(w, cookie)
	}
	return c.sign(cookie.Value)
}

func (c *Console) sign(cookie string) string {
	mac := hmac.New(sha256.New, c.opts.Key)
	mac.Write([]byte("console form " + cookie))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

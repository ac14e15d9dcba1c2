package usage

import "errors"

// Errors of constructors.
var (
	// ErrOptions is wrapped by the error of a constructor that was given options that cannot be: it names them.
	ErrOptions = errors.New("usage: bad options")
	// ErrClosed is returned by what is used after it has been closed.
	ErrClosed = errors.New("usage: closed")
)

// Errors of what clients send.
var (
	// ErrCMCD is wrapped by the error of [ParseCMCD] for text that is no Common Media Client Data, or too much of it.
	ErrCMCD = errors.New("usage: malformed CMCD")
)

// Errors of events.
var (
	// ErrWebhook is wrapped by [WebhookStats].Err: the target did not take an event.
	ErrWebhook = errors.New("usage: webhook")
	// ErrSignature is wrapped by the error of [VerifySignature] for a request that is not from who has the secret, or is old.
	ErrSignature = errors.New("usage: wrong signature")
)

package transport

import "time"

// SignedHeader returns the Authorization of a request, now.
func SignedHeader(secret, method, uri string, body []byte) string {
	return newKeyring(secret).sign(method, uri, body, time.Now()).header()
}

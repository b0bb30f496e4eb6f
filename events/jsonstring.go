package events

import "unicode/utf8"

// appendQuoted appends s as a JSON string, exactly as encoding/json does: what
// could end a script element in a page is escaped (<, >, &, U+2028, U+2029),
// and what is not UTF-8 becomes U+FFFD.
func appendQuoted(b, s []byte) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if verbatim[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = appendEscape(append(b, s[start:i]...), c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			b = append(append(b, s[start:i]...), `\u`...)
			for shift := 12; shift >= 0; shift -= 4 {
				b = append(b, hexDigits[r>>shift&15])
			}
			start = i + n
		}
		i += n
	}
	return append(append(b, s[start:]...), '"')
}

// verbatim says which bytes stand in a JSON string as they are, whatever is
// around them.
var verbatim = func() (ok [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		ok[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return ok
}()

const hexDigits = "0123456789abcdef"

// appendEscape appends a byte that must not stand in a JSON string as it is.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

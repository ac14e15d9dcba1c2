package smooth

// hexDigits are the digits of XML and URLs that this package writes.
const hexDigits = "0123456789ABCDEF"

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isWordByte reports letters, digits and the underscore.
func isWordByte(c byte) bool { return isDigit(c) || isLetter(c) || c == '_' }

// equalFoldASCII compares without regard to the case of ASCII letters and without allocating.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (x|0x20 != y|0x20 || !isLetter(x)) {
			return false
		}
	}
	return true
}

// unhex returns the byte that two hexadecimal digits stand for. It reports false if they are none.
func unhex(a, b byte) (byte, bool) {
	x, y := hexDigit(a), hexDigit(b)
	return x<<4 | y, x < 16 && y < 16
}

func hexDigit(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

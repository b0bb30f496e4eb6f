package swim

// log2One is 1.0 in the fixed-point numbers of log2.
const log2One = 1 << 16

// log10Two is log10(2) in units of 1/2^32.
const log10Two = 1292913986

// log2 returns the logarithm of n >= 1 to base 2 in units of 1/65536, rounded
// down, by squaring the mantissa once for each binary digit. Unlike math.Log
// it is equal on every platform.
func log2(n uint64) int64 {
	whole := int64(0)
	for m := n; m > 1; m >>= 1 {
		whole++
	}
	// The mantissa in [1, 2) with 31 bits behind the point.
	var mantissa uint64
	if whole <= 31 {
		mantissa = n << (31 - whole)
	} else {
		mantissa = n >> (whole - 31)
	}
	result := whole
	for range 16 {
		mantissa = mantissa * mantissa >> 31
		result <<= 1
		if mantissa >= 1<<32 {
			mantissa >>= 1
			result |= 1
		}
	}
	return result
}

// log10 returns the logarithm of n >= 1 to base 10 in units of 1/65536.
func log10(n uint64) int64 {
	switch n { // exact where it is a whole number and people look
	case 10:
		return log2One
	case 100:
		return 2 * log2One
	case 1000:
		return 3 * log2One
	case 10_000:
		return 4 * log2One
	}
	return log2(n) * log10Two >> 32
}

// random is splitmix64 (Steele, Lea, Flood, 2014), written out because its
// sequence must never change with a library.
type random uint64

// newRandom mixes the seed with a name, so that nodes with one seed differ.
func newRandom(seed uint64, name string) random {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return random(seed ^ h)
}

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n), 0 for n < 1. The bias of the remainder is
// below 2^-40 for every n used here.
func (r *random) below(n int64) int64 {
	if n < 1 {
		return 0
	}
	return int64(r.next() % uint64(n))
}

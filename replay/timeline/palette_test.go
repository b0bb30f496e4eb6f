package timeline

import (
	"math"
	"testing"
)

// TestHuesForAllEyes: the hues of different nodes stay apart for who sees all
// colours, no red (protanopia) and no green (deuteranopia), after Viénot, Brettel
// and Mollon, "Digital video colourmaps for checking the legibility of displays by
// dichromats" (1999). A distance of 2.3 in CIELAB is one that can just be seen.
func TestHuesForAllEyes(t *testing.T) {
	eyes := map[string][3][3]float64{
		"all":          {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"protanopia":   {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}},
		"deuteranopia": {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}},
	}
	for eye, m := range eyes {
		least := math.Inf(1)
		for i := range hues {
			for j := range i {
				least = min(least, distance(seen(hues[i], m), seen(hues[j], m)))
			}
		}
		if least < 4*2.3 {
			t.Errorf("%s: two hues are only %.1f apart", eye, least)
		}
	}
}

// seen returns a colour as an eye sees it, in CIELAB.
func seen(c uint32, m [3][3]float64) (lab [3]float64) {
	var rgb, xyz [3]float64
	for i := range rgb {
		v := float64(c>>(16-8*i)&0xff) / 255
		if rgb[i] = v / 12.92; v > 0.04045 {
			rgb[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	rgb = transform(m, rgb)
	xyz = transform([3][3]float64{{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}}, rgb)
	for i, white := range [3]float64{0.9505, 1, 1.089} {
		if xyz[i] /= white; xyz[i] > 0.008856 {
			xyz[i] = math.Cbrt(xyz[i])
		} else {
			xyz[i] = 7.787*xyz[i] + 16.0/116
		}
	}
	return [3]float64{116*xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])}
}

func transform(m [3][3]float64, v [3]float64) (out [3]float64) {
	for i := range out {
		out[i] = m[i][0]*v[0] + m[i][1]*v[1] + m[i][2]*v[2]
	}
	return out
}

func distance(a, b [3]float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

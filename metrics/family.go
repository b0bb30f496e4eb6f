package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// builder makes families with the same prefix and the same constant labels,
// and remembers them.
type builder struct {
	labels   prometheus.Labels
	families []prometheus.Collector
}

func (b *builder) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: b.labels})
	b.families = append(b.families, c)
	return c
}

func (b *builder) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help,
		ConstLabels: b.labels}, labels)
	b.families = append(b.families, v)
	return v
}

func (b *builder) info(name, help string, labels prometheus.Labels) {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help,
		ConstLabels: b.labels}, keys(labels))
	v.With(labels).Set(1)
	b.families = append(b.families, v)
}

func (b *builder) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(b.histogramOpts(name, help, buckets))
	b.families = append(b.families, h)
	return h
}

func (b *builder) histogramVec(name, help string, buckets []float64, label string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(b.histogramOpts(name, help, buckets), []string{label})
	b.families = append(b.families, v)
	return v
}

// histogramOpts leaves native histograms off: the classic buckets are what
// every server of today stores, and they are chosen for the thing measured.
func (b *builder) histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: b.labels, Buckets: buckets}
}

// desc describes a metric that is made at each scrape.
func (b *builder) desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, b.labels)
}

func keys(labels prometheus.Labels) []string {
	var names []string
	for name := range labels {
		names = append(names, name)
	}
	return names
}

// counters is a counter for each value of a label with a closed set of values.
// It is not changed after it is made, so it is read without a lock.
type counters struct {
	byValue map[string]prometheus.Counter
	rest    prometheus.Counter // of every other value
}

// counters makes the counters of values, and of rest for what is none of them.
func (b *builder) counters(name, help, label string, values []string, rest string) counters {
	return newCounters(b.counterVec(name, help, label), values, rest)
}

// newCounters resolves the children of v, of which the last label is open and
// the first ones are given.
func newCounters(v *prometheus.CounterVec, values []string, rest string, first ...string) counters {
	child := func(value string) prometheus.Counter {
		return v.WithLabelValues(append(first[:len(first):len(first)], value)...)
	}
	c := counters{byValue: make(map[string]prometheus.Counter, len(values)), rest: child(rest)}
	for _, value := range values {
		c.byValue[value] = child(value)
	}
	return c
}

// of returns the counter of a value.
func (c *counters) of(value string) prometheus.Counter {
	if counter, ok := c.byValue[value]; ok {
		return counter
	}
	return c.rest
}

// add adds an amount that is not negative.
func add[N int | int64](c prometheus.Counter, n N) {
	if n > 0 {
		c.Add(float64(n))
	}
}

// observe records a duration in seconds. One below zero is a clock that was
// set back, and counts as zero.
func observe(h prometheus.Observer, d time.Duration) { h.Observe(max(d, 0).Seconds()) }

package usage

// MetricType is the type of a [Metric].
type MetricType uint8

// The types of metrics.
const (
	// Gauge is a value that goes up and down.
	Gauge MetricType = iota
	// Counter only grows while the process runs. Its name ends in _total.
	Counter
	// Histogram counts observations in buckets.
	Histogram
)

// Metric is one value at this moment, for systems that collect such. Metrics of one name have the same help, type and
// names of labels.
type Metric struct {
	// Name consists of letters, digits and underscores, such as smoothkit_viewers.
	Name string
	Help string
	Type MetricType
	// Labels are names with values, in the same order for all metrics of one name.
	Labels [][2]string
	// Value of a gauge or counter; the sum of all observations of a histogram.
	Value float64
	// Count is the number of observations of a histogram, Buckets how many of them were not above a bound, by rising
	// bounds. Observations above the last bound are in Count only.
	Count   uint64
	Buckets []Bucket
}

// Bucket counts the observations of a histogram that are not above a bound.
type Bucket struct {
	UpperBound float64
	Count      uint64
}

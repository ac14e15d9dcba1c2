package packager

// Documents parses a text and returns the documents of the fragments between these times, for fuzzing without files.
func Documents(name string, data []byte, times ...uint64) ([][]byte, error) {
	d, _, err := parseText(name, data, "")
	if err != nil {
		return nil, err
	}
	var list [][]byte
	for i := range len(times) - 1 {
		list = append(list, d.append(nil, times[i], times[i+1]))
	}
	return list, nil
}

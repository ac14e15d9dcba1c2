//go:build !unix

package archive

import "os"

// syncNames closes a directory: directories cannot be waited for here. It takes the results of Open.
func syncNames(dir *os.File, err error) error {
	if err != nil {
		return err
	}
	return dir.Close()
}

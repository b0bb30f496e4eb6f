package log

// syncDir does nothing: NTFS journals the names in a directory, and a directory
// cannot be opened for syncing.
func (osDisk) syncDir(string) error { return nil }

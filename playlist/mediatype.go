package playlist

import "strings"

// typeByExtension returns the media type of an extension with its dot, empty if it is none of those that playlists
// have. It is a table as the one of package mime depends on the machine, and lacks Windows Media on most.
func typeByExtension(ext string) string {
	switch strings.ToLower(ext) {
	case ".wmv", ".wm":
		return "video/x-ms-wmv"
	case ".wma":
		return "audio/x-ms-wma"
	case ".asf":
		return "video/x-ms-asf"
	case ".avi":
		return "video/x-msvideo"
	case ".mp4", ".m4v":
		return "video/mp4"
	case ".m4a", ".m4b":
		return "audio/mp4"
	case ".mov":
		return "video/quicktime"
	case ".mp3":
		return "audio/mpeg"
	case ".aac":
		return "audio/aac"
	case ".webm":
		return "video/webm"
	case ".mkv":
		return "video/x-matroska"
	case ".ogg", ".oga", ".opus":
		return "audio/ogg"
	case ".ogv":
		return "video/ogg"
	case ".wav":
		return "audio/wav"
	case ".flac":
		return "audio/flac"
	case ".flv":
		return "video/x-flv"
	case ".ts", ".m2ts":
		return "video/mp2t"
	case ".mpg", ".mpeg":
		return "video/mpeg"
	case ".3gp":
		return "video/3gpp"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	}
	return ""
}
